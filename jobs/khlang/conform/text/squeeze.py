"""Text without blanks, marks and capitals -> where a known name or number stands in it, however it was typed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

import polars as pl

from khlang.conform.text.plain import Plain, plain, plain_series

_LONGEST_GAP = 4
"""Blanks and marks that may stand inside a name or number, at one place."""


def squeezed(values: pl.Series) -> pl.Series:
    """Plain, lower case, letters and digits only."""
    return plain_series(values).str.to_lowercase().str.replace_all(r"[^\p{L}\p{M}\p{Nd}]+", "")


@lru_cache(maxsize=4096)
def _letters(text: str) -> tuple[Plain, str, tuple[int, ...]]:
    """The plain text, its squeezed form, and the place in the plain text of each squeezed character."""
    seen = plain(text)
    kept: list[str] = []
    places: list[int] = []
    for place, char in enumerate(seen.text):
        if char.isalnum() or "ั" <= char <= "๎":
            kept.append(char.lower()[:1])
            places.append(place)
    return seen, "".join(kept), tuple(places)


def places(text: str, term: str) -> Iterator[tuple[Plain, int, int]]:
    """Every place of a squeezed term: the plain text, start and end in it; long gaps inside do not count."""
    seen, letters, index = _letters(text)
    at = letters.find(term)
    while at >= 0:
        inside = index[at : at + len(term)]
        if all(b - a <= _LONGEST_GAP for a, b in pairwise(inside)):
            yield seen, inside[0], inside[-1] + 1
        at = letters.find(term, at + 1)
