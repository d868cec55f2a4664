"""purpose: a sensitive value leaves only for a declared purpose that names its column; dates by month."""

from __future__ import annotations

import polars as pl

from khlang.conform.actions import drop, month
from khlang.conform.context import Context
from khlang.model.contract import Column


def apply(column: Column, values: pl.Series, context: Context) -> pl.Series:
    """The values of a column of the purpose, nulls of every other one. Raises PrivacyError for an unknown purpose."""
    if f"{context.file.lower()}.{column.field}" not in context.policy.allowed(context.purpose):
        return drop.apply(column, values, context)
    return month.apply(column, values, context) if column.type in ("date", "datetime") else values
