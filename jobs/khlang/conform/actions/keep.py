"""keep: the typed value stays as it is."""

from __future__ import annotations

import polars as pl

from khlang.conform.context import Context
from khlang.model.contract import Column


def apply(column: Column, values: pl.Series, context: Context) -> pl.Series:
    """The values themselves."""
    return values
