"""Text values -> text values put right by a named rule: Thai digits, dots, zeros, Buddhist years."""

from __future__ import annotations

import polars as pl

from khlang.conform.faultlog import FaultLog
from khlang.model.codes import codes_of
from khlang.model.contract import Column

THAI_DIGITS = "๐๑๒๓๔๕๖๗๘๙"
_TEXT_ONLY = frozenset({"free_text", "name", "address", "contact"})


def western_digits(column: Column, text: pl.Series, log: FaultLog) -> pl.Series:
    """Thai digits become 0-9 in numbers, dates, codes and ids (digits.thai); words keep them.

    A coordinate is a number although its privacy class is that of an address.
    """
    if column.type == "char" and column.privacy in _TEXT_ONLY:
        return text
    if not log.add(text.str.contains(f"[{THAI_DIGITS}]"), column.name, "digits.thai"):
        return text
    return text.str.replace_many(list(THAI_DIGITS), list("0123456789"))


def without_dots(column: Column, text: pl.Series, log: FaultLog) -> pl.Series:
    """An ICD code loses its dot (code.dots)."""
    if not column.icd or not log.add(text.str.contains(".", literal=True), column.name, "code.dots"):
        return text
    return text.str.replace_all(".", "", literal=True)


def padded(column: Column, text: pl.Series, log: FaultLog) -> pl.Series:
    """A code of a closed list that lost its leading zeros gets them back (code.zeros).

    HOSPCODE too: all digits and shorter than five (exact rules, 3).
    """
    width = column.width or 0
    if column.name == "HOSPCODE":
        short = text.str.contains(r"^[0-9]{1,4}$")
    elif column.codes:
        codes = pl.Series(sorted(codes_of(column.codes)))
        absent = ~text.is_in(codes.implode())
        if not absent.any():
            return text
        short = absent & text.str.zfill(width).is_in(codes.implode())
    else:
        return text
    if not log.add(short, column.name, "code.zeros"):
        return text
    return text.zip_with(~short.fill_null(False), text.str.zfill(width))


def gregorian(column: Column, text: pl.Series, log: FaultLog) -> pl.Series:
    """A year from 2400 to 2700 in a date is a Buddhist one: 543 is subtracted (date.buddhist)."""
    year = text.str.slice(0, 4).str.to_integer(strict=False)
    digits = 14 if column.type == "datetime" else 8
    buddhist = (year >= 2400) & (year <= 2700) & text.str.contains(rf"^[0-9]{{{digits}}}$")
    if not buddhist.any():
        return text
    moved = (year - 543).cast(pl.String) + text.str.slice(4)
    return text.zip_with(~buddhist.fill_null(False), moved)
