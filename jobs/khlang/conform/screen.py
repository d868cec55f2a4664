"""A column's rules as one expression: its value where nothing is wrong, and where that is so.

Nearly every value is right. All columns of a file are read by one select of these; only the rows where a
reading does not hold are looked at again, rule by rule (khlang.conform.check).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from khlang.conform.check import DIGITS_IN_DECIMAL, NO_FIGURE, lake_type, valid_cid
from khlang.model.codes import codes_of
from khlang.model.contract import UNCHECKED_WIDTH, Column

INT_DIGITS = 18  # all of them fit into 64 bits


@dataclass(frozen=True, slots=True)
class Reading:
    """Value of a column's trimmed text, and where it holds (None: always); where it does not, the value is void."""

    value: pl.Expr
    holds: pl.Expr | None


@lru_cache(maxsize=4096)
def reading(column: Column) -> Reading:
    """How a column is read when nothing is wrong with it."""
    text = pl.col(column.name)
    if column.type in ("date", "datetime"):
        return _date(column, text)
    if column.type in ("int", "decimal"):
        return _number(column, text)
    return Reading(text, _chars(column, text))


def _date(column: Column, text: pl.Expr) -> Reading:
    """All digits, no Buddhist year, a day of the calendar; a second of 60 and more is none."""
    timed = column.type == "datetime"
    exact = text.str.contains(r"^[0-9]{14}$" if timed else r"^[0-9]{8}$")
    exact &= ~text.str.head(4).is_between(pl.lit("2400"), pl.lit("2700"))
    if timed:
        exact &= text.str.slice(12, 2) < "60"
        value = text.str.to_datetime("%Y%m%d%H%M%S", strict=False, time_unit="us")
    else:
        value = text.str.to_date("%Y%m%d", strict=False)
    return Reading(value, exact & value.is_not_null())


def _number(column: Column, text: pl.Expr) -> Reading:
    """Digits within width and scale, a figure within the range."""
    width = column.width or DIGITS_IN_DECIMAL
    if column.type == "int":
        holds = text.str.contains(rf"^-?[0-9]{{1,{min(width, INT_DIGITS)}}}$")
        value = text.str.to_integer(strict=False)
    else:
        fraction = rf"(\.[0-9]{{1,{column.scale}}})?" if column.scale else ""
        digits = text.str.len_bytes() - text.str.starts_with("-") - text.str.contains(".", literal=True)
        holds = text.str.contains(rf"^-?[0-9]+{fraction}$") & (digits <= width)
        value = text.cast(lake_type(column), strict=False)
    holds &= ~text.str.contains(NO_FIGURE)
    if column.range:
        low, high = column.range
        holds &= value.cast(pl.Float64).is_between(low, high)
    return Reading(value, holds & value.is_not_null())


def _chars(column: Column, text: pl.Expr) -> pl.Expr | None:
    """ASCII within the width, of the code list or the column's form, without a dot where dots go, check digit right.

    Beyond ASCII there may be Thai digits: such values are looked at again, none is refused for it here.
    """
    if column.privacy in UNCHECKED_WIDTH:
        return None
    holds = text.str.len_bytes() == text.str.len_chars()
    if column.width is not None:
        holds &= text.str.len_bytes() <= column.width
    if column.icd:
        holds &= ~text.str.contains(".", literal=True)
    if column.codes:
        holds &= text.is_in(sorted(codes_of(column.codes)))
    if column.name == "HOSPCODE":
        holds &= ~text.str.contains(r"^[0-9]{1,4}$")
    if column.shape is not None:
        holds &= text.str.contains(column.shape.pattern) & (text.str.len_bytes() <= column.shape.length)
    if column.checksum == "cid":
        holds &= valid_cid(text)
    return holds
