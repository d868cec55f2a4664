"""Rights of the persons in the lake, carried out through every zone."""
