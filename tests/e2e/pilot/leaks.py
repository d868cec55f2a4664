"""The pilot's identifiers outside landing: the long ones by a search of every byte, the short ones column by column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from khlang.lake import tables
from khlang.lake.scan.canaries import Canaries
from khlang.lake.scan.everything import scan_everything
from khlang.lake.scan.report import Report
from khlang.settings import Settings

NOT_COMPARED = frozenset(["house"])
"""A house's number (1, 1/1) is the number of anything: it means someone only beside the rest of an address."""

CLOCK = "^([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]$"
"""Six digits that are a time of day may also be a PID; a column of nothing but such values holds times."""


@dataclass(frozen=True, slots=True)
class Leaks:
    """What was found: the report of the byte search, and `zone.table.column: kind, count` of the short ones."""

    report: Report
    columns: int
    short: tuple[str, ...]

    def lines(self) -> list[str]:
        """All that was found, without a value."""
        found = [f"{hit.where}: {hit.kind}, {hit.spelling}, {hit.count} times" for hit in self.report.hits()]
        return [*found, *self.short]


def leaks(settings: Settings, folder: Path, also: Mapping[str, str] | None = None) -> Leaks:
    """Search a finished lake for identifiers.parquet of the truth's folder, and for more values by kind."""
    known = pl.read_parquet(folder / "identifiers.parquet").select("kind", "value", "scan")
    more = pl.DataFrame(
        [(kind, value, True) for kind, value in (also or {}).items()], schema=known.schema, orient="row"
    )
    report = scan_everything(settings, Canaries.of(pl.concat([known, more])))
    short = known.filter(~pl.col("scan"), ~pl.col("kind").is_in(list(NOT_COMPARED)))
    columns = [one for name in sorted(tables.visible(settings)) for one in _columns(settings, name)]
    told = [
        f"{place}: {kind}, {count}" for place, values in columns for kind, count in _shared(values, short)
    ]
    return Leaks(report, len(columns), tuple(told))


def _columns(settings: Settings, name: str) -> list[tuple[str, pl.Series]]:
    """The distinct values of each column of texts or whole numbers of a table, as text."""
    frame = tables.frame(settings, name)
    wanted = [
        column for column, kind in frame.collect_schema().items() if kind == pl.String or kind.is_integer()
    ]
    return [
        (f"{name}.{column}", frame.select(pl.col(column).cast(pl.String)).unique().collect().to_series())
        for column in wanted
    ]


def _shared(values: pl.Series, short: pl.DataFrame) -> list[tuple[str, int]]:
    """(kind, how many) of the short identifiers that stand in a column as whole values."""
    held = values.drop_nulls().str.strip_chars()
    if held.str.contains(CLOCK).all():
        return []
    found = short.filter(pl.col("value").is_in(held.to_list()))
    return sorted(found.group_by("kind").len().iter_rows())
