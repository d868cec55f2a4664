"""pseudonym: the id becomes a keyed HMAC in the domain of the table it points to."""

from __future__ import annotations

import polars as pl

from khlang.conform.context import Context
from khlang.errors import PrivacyError
from khlang.model.contract import Column


def apply(column: Column, values: pl.Series, context: Context) -> pl.Series:
    """Pseudonyms; a local id is keyed with its facility, a link with the facility it names (exact rules, 20)."""
    if column.domain is None:
        raise PrivacyError("policy.domain", "the column has no key domain", place=column.name)
    if context.policy.local_domains[column.domain]:
        facility = context.hospcode
        if column.facility is not None:
            named = context.frame[column.facility]
            facility = named.zip_with(named.is_not_null(), context.hospcode)
        values = facility + ":" + values
    return context.pseudonymiser.of(column.domain, values)
