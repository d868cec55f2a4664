"""Passes of bronze rows: the first loads a delivery, a later one adds rows whose text could be released since."""

from __future__ import annotations

from khlang.lake.tables import ranged

FIRST = 1
"""Pass of the rows that a delivery's own batch loads: each delivered line has exactly one such row."""

_MARK = "-again-"


def again_path(batch: str, attempt: str, number: int, hospcode: str) -> str:
    """Path of a file with later passes of one facility's rows, within its table."""
    return ranged(f"{batch}/{attempt}{_MARK}{number:05d}", [hospcode])


def is_again(path: str) -> bool:
    """Whether a committed file of bronze holds later passes; the bounds in its name are its one facility."""
    return _MARK in path
