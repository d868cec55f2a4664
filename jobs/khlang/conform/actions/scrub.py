"""scrub: identifiers inside free text are replaced by their kind; what can not be cleared is withheld."""

from __future__ import annotations

import polars as pl

from khlang.conform.context import Context
from khlang.conform.text.scrub import Limits, scrub
from khlang.model.contract import Column


def apply(column: Column, values: pl.Series, context: Context) -> pl.Series:
    """The text without identifiers; note.identifier where something went, note.withheld where all did."""
    if values.null_count() == len(values):
        return values
    patient = context.frame["PID"] if "PID" in context.frame.columns else None
    done = scrub(values, context.hospcode, patient, context.names, Limits(seconds=context.text_seconds))
    context.log.add(done.changed, column.name, "note.identifier")
    context.log.add(done.withheld, column.name, "note.withheld")
    return done.text
