"""Published rows of gold -> rows of a share: named in both languages, only declared columns, nothing small."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Integer,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from khlang.errors import PrivacyError
from khlang.model.geography import area
from khlang.model.indicator import indicators
from khlang.model.share import Share, SharedTable
from khlang.shares import gate

SCHEMA = "serving"
SQL_TYPES: Mapping[str, TypeEngine[Any]] = {
    "text": Text(), "integer": Integer(), "bigint": BigInteger(), "double": Double(), "boolean": Boolean(),
    "instant": DateTime(timezone=True),
}  # fmt: skip
Row = Mapping[str, Any]


def release_table(metadata: MetaData) -> Table:
    """serving.release: every publication, for readers who may not see the ledger."""
    return Table(
        "release", metadata,
        Column("release_id", Integer, primary_key=True),
        Column("released_at", DateTime(timezone=True), nullable=False),
        Column("as_of", DateTime(timezone=True), nullable=False),
        Column("table_versions", JSONB, nullable=False),
        Column("git_sha", Text, nullable=False),
        Column("rows", Integer, nullable=False),
        schema=SCHEMA,
    )  # fmt: skip


def shared_tables(share: Share, metadata: MetaData) -> dict[str, Table]:
    """The tables of a share as they stand in the database."""
    made = {}
    for one in share.tables:
        columns = [Column(column.name, SQL_TYPES[column.type]) for column in one.columns]
        made[one.name] = Table(one.name, metadata, *columns, schema=SCHEMA)
    return made


def shared_rows(one: SharedTable, rows: Iterable[Row], release_id: int, limit: int) -> list[tuple[Any, ...]]:
    """Rows in the order of the declared columns; raises PrivacyError when a count from 1 to `limit` is shown."""
    kept = list(rows)
    gate.named(f"{SCHEMA}.{one.name}", kept)
    told = [_named(row, release_id) for row in kept]
    refuse_small(one, told, limit)
    return [tuple(row[column.name] for column in one.columns) for row in told]


def refuse_small(one: SharedTable, rows: Sequence[Row], limit: int) -> None:
    """The last gate: whatever was published, no small count passes."""
    small = [name for name in one.counts for row in rows if row[name] is not None and 1 <= row[name] <= limit]
    if small:
        raise PrivacyError(
            "share.small", f"{len(small)} counts from 1 to {limit} would be shown in {sorted(set(small))}",
            f"มีจำนวน 1 ถึง {limit} ที่จะถูกเปิดเผย {len(small)} ค่า", f"{SCHEMA}.{one.name}",
            "nothing was published; see the runbook publish-failed",
        )  # fmt: skip


def _named(row: Row, release_id: int) -> dict[str, Any]:
    """A published row with the names of its area and indicator in both languages."""
    place = area(row["level"], row["area"])
    names = {"area_th": place.name_th, "area_en": place.name_en, "iso": place.iso, "release_id": release_id}
    if "indicator" in row:
        declared = indicators()[row["indicator"]]
        names |= {"name_th": declared.name_th, "name_en": declared.name_en}
    return {**row, **names}
