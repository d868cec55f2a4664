"""keep: the typed value stays as it is, unless it is a name or a passport that the facility told elsewhere."""

from __future__ import annotations

import polars as pl

from khlang.conform.check import FORM
from khlang.conform.context import Context
from khlang.model.contract import Column


def apply(column: Column, values: pl.Series, context: Context) -> pl.Series:
    """The values themselves; a known name or passport in a column of codes becomes null (value.form).

    The column's form has let it through: four Latin letters are a name as well as a code, and a passport looks
    like a facility's nine characters.
    """
    if column.shape is None or values.null_count() == len(values):
        return values
    known = context.names.codelike()
    found = values.str.to_uppercase().is_in(known.implode()) if len(known) else None
    if found is None or not context.log.add(found, column.name, FORM):
        return values
    return values.set(found.fill_null(False), None)
