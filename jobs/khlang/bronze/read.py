"""The faults of a delivery's rows, read back from bronze: line, column, code, never a value."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import polars as pl
from sqlalchemy.orm import Session

from khlang.lake import tables
from khlang.lake.ledger import Ledger
from khlang.lake.ledger.order import bronze_batch
from khlang.lake.stores import storage_options
from khlang.settings import Settings

THREADS = 8


@dataclass(frozen=True, slots=True)
class RowFault:
    """One fault of one row; `column` is None where the fault is the row's own."""

    line: int
    column: str | None
    code: str


def faults_of(settings: Settings, receipt: str) -> dict[int, list[RowFault]]:
    """Position of a member -> its row faults in order of line, column, code; {} before it is loaded.

    Only files of the delivery's batch are opened, only of members that have faults.
    """
    ledger = Ledger.open(settings)
    with Session(ledger.engine) as session:
        batch = bronze_batch(session, receipt)
    if batch is None:
        return {}
    counted = ledger.fault_counts(receipt)
    files = {m.file for m in ledger.members([receipt]) if m.file is not None and counted.get(m.position)}
    visible = ledger.visible()
    names = sorted(f"bronze.{file.lower()}" for file in files)
    with ThreadPoolExecutor(THREADS) as pool:
        frames = list(pool.map(lambda name: _faults(settings, name, visible[name], batch, receipt), names))
    found: dict[int, list[RowFault]] = defaultdict(list)
    for row in (
        pl.concat(frames).sort("_line", "column", "code", nulls_last=False).to_dicts() if frames else []
    ):
        found[row["_member"]].append(RowFault(row["_line"], row["column"], row["code"]))
    return dict(found)


def _faults(settings: Settings, name: str, version: int, batch: str, receipt: str) -> pl.DataFrame:
    """(_member, _line, column, code) of one table's rows of the delivery."""
    base = tables.uri(settings, name)
    parts = tables.parts(tables.open_table(settings, name, version))
    paths = [f"{base}/{part.path}" for part in parts if part.path.startswith(f"{batch}/")]
    scan = pl.scan_parquet(paths, storage_options=storage_options(settings), hive_partitioning=False)
    mine = scan.filter((pl.col("_receipt") == receipt) & pl.col("_faults").is_not_null())
    return mine.select("_member", "_line", "_faults").collect().explode("_faults").unnest("_faults")
