"""band: a birth date becomes its month; who is 90 or older stands in one month with all the others."""

from __future__ import annotations

import polars as pl

from khlang.conform.context import Context
from khlang.errors import PrivacyError
from khlang.model.contract import Column

POOLED_YEARS = 90
"""So few people reach this age that a birth month alone can name one (HIPAA 164.514 (b)(2)(i)(C) pools them, too)."""


def apply(column: Column, values: pl.Series, context: Context) -> pl.Series:
    """The first day of the month of birth, never before that of 90 years ago. Raises PrivacyError without a day."""
    if context.as_of is None:
        raise PrivacyError("policy.as_of", "ages need the day on which the rows leave", place=column.name)
    oldest = context.as_of.replace(year=context.as_of.year - POOLED_YEARS, day=1)
    return values.dt.truncate("1mo").clip(lower_bound=oldest)
