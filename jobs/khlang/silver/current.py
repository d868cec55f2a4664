"""Accepted bronze rows + the current state -> which rows are new, changed, unchanged or superseded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import polars as pl

from khlang.conform.check import lake_type
from khlang.lake.passes import FIRST
from khlang.model.contract import Contract

ORDER = ["_sent_at", "_arrival", "_member", "_line", "_pass"]
"""Versions of a key are ordered by the time in the zip's name, arrival, then line; a later pass of a row wins."""

PLACE = ["_receipt", "_member", "_line", "_sent_at", "_arrival", "_pass", "_key", "_row", "_batch"]


def silver_schema(contract: Contract) -> dict[str, pl.DataType]:
    """Columns of the file's silver table: the contract's, person_key where rows have a PID, the place."""
    columns: dict[str, pl.DataType] = {column.field: lake_type(column) for column in contract.current}
    if has_person(contract):
        columns["person_key"] = pl.String()
    place: dict[str, pl.DataType] = {
        "_receipt": pl.String(), "_member": pl.Int32(), "_line": pl.Int32(), "_sent_at": pl.Datetime("us"),
        "_arrival": pl.Int64(), "_pass": pl.Int32(), "_key": pl.Binary(), "_row": pl.Int64(),
        "_batch": pl.String(),
    }  # fmt: skip
    return {**columns, **place}


def has_person(contract: Contract) -> bool:
    """Whether rows of the file belong to a patient of the facility (they carry a PID)."""
    return any(column.name == "PID" for column in contract.current)


def timed(rows: pl.DataFrame, sent_at: Mapping[str, datetime]) -> pl.DataFrame:
    """Rows with the time of their content: the earliest name it ever came under (exact rules, 13)."""
    if not sent_at:
        return rows
    receipts = pl.Series(list(sent_at), dtype=pl.String)
    moved = pl.col("_receipt").replace_strict(receipts, list(sent_at.values()), default=pl.col("_sent_at"))
    return rows.with_columns(moved.cast(pl.Datetime("us")).alias("_sent_at"))


def last_passes(rows: pl.DataFrame) -> pl.DataFrame:
    """Accepted lines as their last pass has them, with `_came`: the batch of the first pass.

    A line that a later pass refuses is gone, also where an earlier one was accepted.
    """
    line = ["_receipt", "_member", "_line"]
    first = rows.filter(pl.col("_pass") == FIRST).select(*line, pl.col("_batch").alias("_came"))
    last = rows.sort("_pass").unique(line, keep="last", maintain_order=True)
    stands = last.filter(pl.col("_accepted") & ~pl.col("_repeated"))
    return stands.join(first, on=line, how="left", maintain_order="left")


def latest(rows: pl.DataFrame) -> pl.DataFrame:
    """The last version of each key among accepted rows; their order of arrival does not matter."""
    if rows["_key"].n_unique() == rows.height:
        return rows
    return rows.sort(ORDER).unique("_key", keep="last", maintain_order=True)


def classify(winners: pl.DataFrame, state: pl.DataFrame) -> pl.DataFrame:
    """Winners with `_status` new, changed or unchanged against the state's (_key, _row)."""
    if not state.height:
        return winners.with_columns(pl.lit("new").alias("_status"))
    known = state.select("_key", pl.col("_row").alias("_row_before"))
    status = (
        pl.when(pl.col("_row_before").is_null())
        .then(pl.lit("new"))
        .when(pl.col("_row_before") != pl.col("_row"))
        .then(pl.lit("changed"))
        .otherwise(pl.lit("unchanged"))
    )
    joined = winners.join(known, on="_key", how="left", maintain_order="left")
    return joined.with_columns(status.alias("_status")).drop("_row_before")


def counted(batch_rows: pl.DataFrame, classified: pl.DataFrame) -> list[dict[str, object]]:
    """Per receipt: how many of the batch's lines (a row each) are new, changed, unchanged, superseded already."""
    same = ["_receipt", "_member", "_line"]
    statuses = classified
    if classified.height != batch_rows.height:
        statuses = batch_rows.select(same).join(classified.select(*same, "_status"), on=same, how="left")
        statuses = statuses.with_columns(pl.col("_status").fill_null("superseded"))
    return statuses.group_by("_receipt", "_status").len().sort("_receipt", "_status").to_dicts()
