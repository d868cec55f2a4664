"""coarse: of codes that could narrow down a person only the declared ones stay, places down to the district."""

from __future__ import annotations

import polars as pl

from khlang.conform.actions import drop
from khlang.conform.context import Context
from khlang.model.contract import Column


def apply(column: Column, values: pl.Series, context: Context) -> pl.Series:
    """The values of a column that the policy names; nulls of every other one."""
    return values if column.name in context.policy.coarse else drop.apply(column, values, context)
