"""The faults of a delivery's rows, read back from bronze: line, column, code, never a value."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import polars as pl
from sqlalchemy.orm import Session

from khlang.bronze.standing import Scope, each_fault, of_table
from khlang.lake.ledger import Ledger
from khlang.lake.ledger.order import bronze_batch
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

    Only files of the delivery's batch and later passes of its facility are opened, only of members that have
    faults; of each line the last pass counts.
    """
    ledger = Ledger.open(settings)
    hospcode = ledger.delivery(receipt).hospcode
    with Session(ledger.engine) as session:
        batch = bronze_batch(session, receipt)
    if batch is None or hospcode is None:
        return {}
    scope = Scope([batch], [hospcode])
    counted = ledger.fault_counts(receipt)
    files = {m.file for m in ledger.members([receipt]) if m.file is not None and counted.get(m.position)}
    visible = ledger.visible()
    names = sorted(f"bronze.{file.lower()}" for file in files)
    with ThreadPoolExecutor(THREADS) as pool:
        frames = list(pool.map(lambda n: of_table(settings, n, visible[n], scope, [receipt]), names))
    if not frames:
        return {}
    found: dict[int, list[RowFault]] = defaultdict(list)
    for row in each_fault(pl.concat(frames)).sort("_line", "column", "code", nulls_last=False).to_dicts():
        found[row["_member"]].append(RowFault(row["_line"], row["column"], row["code"]))
    return dict(found)
