"""A delivery's current rows that lack their parent, read from silver.orphan: known to the lake only."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from khlang.lake import tables
from khlang.settings import Settings
from khlang.silver.orphan import NAME

CODE = "parent.missing"


@dataclass(frozen=True, slots=True)
class OrphanRow:
    """One row without its parent: its place, and the last column of the link."""

    position: int
    line: int
    column: str


def orphans_of(settings: Settings, receipt: str) -> list[OrphanRow]:
    """Rows of the delivery that are current and lack their parent, in order of member and line."""
    if NAME not in tables.visible(settings):
        return []
    rows = tables.frame(settings, NAME).filter(pl.col("_receipt") == receipt)
    told = rows.select("_member", "_line", "column_name").collect().sort("_member", "_line", "column_name")
    return [OrphanRow(*row) for row in told.iter_rows()]
