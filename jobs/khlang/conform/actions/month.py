"""month: a date or time becomes the first day of its month."""

from __future__ import annotations

import polars as pl

from khlang.conform.context import Context
from khlang.model.contract import Column


def apply(column: Column, values: pl.Series, context: Context) -> pl.Series:
    """The month's first day, of the same type; times at midnight."""
    return values.dt.truncate("1mo")
