"""Months as columns: YYYY-MM <-> a number that can be counted, fiscal years, the months that are shown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import polars as pl

from khlang.gold.volume import YEAR
from khlang.model.calendar import BUDDHIST_ERA, FIRST_MONTH
from khlang.model.scorecard import scorecard


def number_of(month: str) -> pl.Expr:
    """Column YYYY-MM -> number of the month (as model.scorecard.month_number has it)."""
    year, number = (pl.col(month).str.slice(*part).cast(pl.Int32) for part in ((0, 4), (5, 2)))
    return year * YEAR + number - 1


def month_of(number: str) -> pl.Expr:
    """Column with the number of a month -> YYYY-MM."""
    year, month = pl.col(number) // YEAR, pl.col(number) % YEAR + 1
    return pl.format("{}-{}", year.cast(pl.String).str.zfill(4), month.cast(pl.String).str.zfill(2))


def day_number(day: str) -> pl.Expr:
    """Column with a day -> number of its month."""
    return pl.col(day).dt.year() * YEAR + pl.col(day).dt.month().cast(pl.Int32) - 1


def due_day(number: str) -> pl.Expr:
    """Column with the number of a month -> last day on which its data are in time."""
    after = pl.col(number) + 1
    return pl.date(after // YEAR, after % YEAR + 1, scorecard().due_day)


def fiscal_year(number: str) -> pl.Expr:
    """Column with the number of a month -> its fiscal year."""
    later = (pl.col(number) % YEAR + 1 >= FIRST_MONTH).cast(pl.Int32)
    return (pl.col(number) // YEAR + BUDDHIST_ERA + later).cast(pl.Int32)


def newest(day: date) -> int:
    """Number of the newest month whose data can have come by a day: the one before."""
    return day.year * YEAR + day.month - 2


def shown_from(views: Mapping[str, pl.DataFrame]) -> int:
    """Number of the first month that is shown."""
    return newest(views["ledger_day"]["day"][0]) - scorecard().shown_months + 1


def read_from(day: date) -> str:
    """The first month that is read: a year before the first that is shown, for its history."""
    number = newest(day) - scorecard().shown_months + 1 - YEAR
    return f"{number // YEAR:04d}-{number % YEAR + 1:02d}"
