"""Free text -> free text in which every identifier is replaced by its kind, or nothing at all."""
