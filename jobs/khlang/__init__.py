"""Khlang, คลังสุขภาพ: from a facility's zip to a planner's page, every row accounted for."""

__version__ = "0.1.0"
