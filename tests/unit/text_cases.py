"""Marked texts for the tests of free text: {kind|identifier} must go, the rest must stay."""

from __future__ import annotations

import re

import polars as pl

from khlang.conform.text.names import Names
from khlang.conform.text.scrub import Limits, Scrubbed, scrub

FACILITY = "00001"
_MARK = re.compile(r"\{([^|{}]+)\|([^{}]*)\}")


def book(**person: str) -> Names:
    """A name book with one patient, P1, whose names stand in no text unless a test says so."""
    row = {"HOSPCODE": FACILITY, "PID": "P1", "NAME": "ฌฌฌฌ", "LNAME": "ฆฆฆฆ"} | person
    return Names.from_frames(pl.DataFrame([row]), None, None)


def scrubbed(
    texts: list[str | None], names: Names | None = None, pid: str | None = "P1", limits: Limits | None = None
) -> Scrubbed:
    """The texts as notes of patient P1 (or, with None, as texts of a table without patients)."""
    column = pl.Series(texts, dtype=pl.String)
    patient = None if pid is None else pl.Series([pid] * len(texts), dtype=pl.String)
    facility = pl.Series([FACILITY] * len(texts), dtype=pl.String)
    return scrub(column, facility, patient, names or book(), limits)


def typed(marked: str) -> str:
    """The text as somebody typed it."""
    return _MARK.sub(r"\2", marked)


def expected(marked: str) -> str:
    """The text as it may stay."""
    return _MARK.sub(lambda found: f"<{found[1]}>", marked)
