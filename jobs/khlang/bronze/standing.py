"""Stored rows of bronze as their last pass has them: place and faults, never a value."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from khlang.conform.rows import own_columns
from khlang.lake import tables
from khlang.lake.passes import FIRST, is_again
from khlang.lake.stores import storage_options
from khlang.lake.tables import Part
from khlang.settings import Settings

LINE = ["_receipt", "_member", "_line"]
COLUMNS = [*LINE, "_pass", "_sent_at", "_key", "_faults"]


@dataclass(frozen=True, slots=True)
class Scope:
    """Some deliveries: the bronze batches that loaded them, their facilities."""

    batches: Collection[str]
    hospcodes: Collection[str]

    def paths(self, parts: Iterable[Part]) -> list[str]:
        """The files that may hold their rows: those of the batches, and later passes of the facilities."""
        return [
            part.path
            for part in parts
            if (is_again(part.path) or part.path.partition("/")[0] in self.batches)
            and any(part.overlaps(hospcode, hospcode) for hospcode in self.hospcodes)
        ]


def last_pass(rows: pl.DataFrame) -> pl.DataFrame:
    """Of the passes of each line the last one."""
    return rows.sort("_pass").unique(LINE, keep="last", maintain_order=True)


OUTCOME = [*COLUMNS, "_row", "_accepted", "_repeated"]
"""What a line came to: enough to tell whether another reading gives the same."""

Lines = tuple[int, int]
"""First and last line: a piece of a large member finds its own."""


def standing(
    settings: Settings, name: str, paths: Sequence[str], receipts: Iterable[str], lines: Lines | None = None
) -> pl.DataFrame:
    """Rows of these deliveries that have a fault in their last pass, with the columns of `COLUMNS`."""
    telling = pl.col("_faults").is_not_null() | (pl.col("_pass") > FIRST)
    rows = _stored(settings, name, paths, COLUMNS, telling & _of(receipts, lines))
    return last_pass(rows).drop_nulls("_faults")


def outcomes(
    settings: Settings, name: str, paths: Sequence[str], receipts: Iterable[str], lines: Lines | None = None
) -> pl.DataFrame:
    """Every line of these deliveries as its last pass has it, with the columns of `OUTCOME`."""
    return last_pass(_stored(settings, name, paths, OUTCOME, _of(receipts, lines)))


def _of(receipts: Iterable[str], lines: Lines | None) -> pl.Expr:
    mine = pl.col("_receipt").is_in(list(receipts))
    return mine if lines is None else mine & pl.col("_line").is_between(*lines)


def _stored(
    settings: Settings, name: str, paths: Sequence[str], columns: Sequence[str], condition: pl.Expr
) -> pl.DataFrame:
    """Rows of a table's files that meet the condition."""
    schema = {column: own_columns()[column] for column in columns}
    if not paths:
        return pl.DataFrame(schema=schema)
    base = tables.uri(settings, name)
    scan = pl.scan_parquet(
        [f"{base}/{path}" for path in paths], schema=schema, extra_columns="ignore",
        storage_options=storage_options(settings), hive_partitioning=False,
    )  # fmt: skip
    return scan.filter(condition).select(columns).collect()


def of_table(
    settings: Settings, name: str, version: int, scope: Scope, receipts: Iterable[str]
) -> pl.DataFrame:
    """Faulty rows of these deliveries, from the files of a table version."""
    parts = tables.parts(tables.open_table(settings, name, version))
    return standing(settings, name, scope.paths(parts), receipts)


def each_fault(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per fault: receipt, member, line, column, code."""
    return rows.select(*LINE, "_faults").explode("_faults").unnest("_faults")


def fault_counts(rows: pl.DataFrame) -> dict[tuple[str, int], dict[tuple[str, str | None], int]]:
    """(receipt, position) -> (code, column) -> count, as the ledger keeps them."""
    counted: dict[tuple[str, int], dict[tuple[str, str | None], int]] = {}
    for row in each_fault(rows).group_by("_receipt", "_member", "column", "code").len().to_dicts():
        counted.setdefault((row["_receipt"], row["_member"]), {})[row["code"], row["column"]] = row["len"]
    return counted
