"""Shares: what may leave, loaded where planners read it."""
