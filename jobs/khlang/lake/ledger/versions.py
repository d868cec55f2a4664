"""The version map: what a batch did to each table, and which version of it readers open from then on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from khlang.errors import StoreError
from khlang.lake.ledger.models import BatchTableRow, TableVersionRow

Counts = Mapping[str, Mapping[str, Any]]
"""Table ("silver.service") -> named counts of a batch."""


def record_tables(session: Session, batch: str, versions: Mapping[str, int], counts: Counts) -> None:
    """Versions and counts of a batch's tables; said again, the newer word holds."""
    for table, version in versions.items():
        told = {"version": version, "counts": dict(counts.get(table, {}))}
        row = upsert(BatchTableRow).values(batch=batch, table=table, **told)
        session.execute(row.on_conflict_do_update(index_elements=["batch", "table"], set_=told))


def move_versions(session: Session, batch: str) -> None:
    """The version map follows the batch; a version that would go back is refused."""
    for row in session.scalars(select(BatchTableRow).where(BatchTableRow.batch == batch)):
        told = {"version": row.version, "batch": batch, "moved_at": func.now()}
        moved = upsert(TableVersionRow).values(table=row.table, **told)
        forward = TableVersionRow.version <= row.version
        moved = moved.on_conflict_do_update(index_elements=["table"], set_=told, where=forward)
        if session.execute(moved.returning(TableVersionRow.table)).first() is None:
            raise StoreError("version.backward", "a table's visible version would go back", place=row.table)
