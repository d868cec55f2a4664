"""Typed, frozen readings of the catalog: what the ministry decided, as values."""
