"""Bronze batches loaded under other rules than those in force: which, what waits to be rebuilt, who took it over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Engine, delete, func, or_, select, update
from sqlalchemy.orm import Session

from khlang.conform.member import MemberResult
from khlang.errors import KhlangError
from khlang.lake.ledger.audit import append
from khlang.lake.ledger.models import (
    AuditRow,
    BatchDeliveryRow,
    BatchRow,
    BatchSourceRow,
    BatchTableRow,
    ChangeRow,
    DeliveryRow,
)
from khlang.lake.ledger.report import report

KIND = "rebuild"
"""Kind of the change that asks for a delivery's rows to be made anew from landing; a bronze batch takes it."""
MIXED = "mixed"
"""Digest of a batch that was begun under one set of rules and ended under another: never the one in force."""
MOST_REBUILT = 2_000
"""Deliveries that one batch makes anew."""
PURGED = "purge"
"""The act of removing what tables held before a rebuild."""
STANDS = "stands"
"""Key in a batch's counts of a table: rows of the batch that the table still holds since a rebuild."""


@dataclass(frozen=True, slots=True)
class Outdated:
    """A batch of bronze whose rows were de-identified under other rules; rows by table."""

    batch: str
    digest: str
    committed_at: datetime
    deliveries: int
    tables: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What became of a rebuild batch: its members' accounts, and rows that older batches still have by table."""

    results: Sequence[MemberResult]
    standing: Mapping[tuple[str, str], int]


def _other(digest: str) -> ColumnElement[bool]:
    """Condition: committed batches of bronze under other rules."""
    loaded = (BatchRow.stage == "bronze") & (BatchRow.state == "committed")
    return loaded & (BatchRow.policy_digest != digest)


def _stands(row: BatchTableRow) -> int:
    """Rows of a batch that a table holds."""
    told = row.counts
    return int(told[STANDS] if STANDS in told else told.get("rows", 0) + told.get("again", 0))


class Rebuilding:
    """The part of the ledger that knows what was loaded under other rules."""

    engine: Engine

    def outdated(self, digest: str) -> tuple[Outdated, ...]:
        """Batches of bronze that still hold something under other rules than `digest`, oldest first."""
        with Session(self.engine) as session:
            batches = session.scalars(
                select(BatchRow).where(_other(digest)).order_by(BatchRow.opened_at)
            ).all()
            names = [batch.id for batch in batches]
            held = select(BatchDeliveryRow.batch, func.count()).where(BatchDeliveryRow.batch.in_(names))
            deliveries = {
                row[0]: int(row[1]) for row in session.execute(held.group_by(BatchDeliveryRow.batch))
            }
            tables: dict[str, dict[str, int]] = {name: {} for name in names}
            for row in session.scalars(select(BatchTableRow).where(BatchTableRow.batch.in_(names))):
                if _stands(row):
                    tables[row.batch][row.table] = _stands(row)
            return tuple(
                Outdated(b.id, b.policy_digest, b.committed_at, deliveries.get(b.id, 0), tables[b.id])
                for b in batches
                if b.committed_at is not None and (deliveries.get(b.id) or tables[b.id])
            )

    def ask_rebuild(self, digest: str | None, more: Iterable[str] = (), cause: str = "") -> int:
        """Ask for every delivery loaded under other rules (None: for every one) and for `more`; how many wait now.

        Withdrawn deliveries too: their rows lie in bronze as well. Nothing is asked for twice. Batch after batch,
        in each facility after facility, so that a chunk replaces whole files.
        """
        loaded = (BatchRow.stage == "bronze") & (BatchRow.state == "committed")
        wanted = loaded if digest is None else _other(digest)
        asked = (
            select(DeliveryRow.receipt)
            .join(BatchDeliveryRow, BatchDeliveryRow.receipt == DeliveryRow.receipt)
            .join(BatchRow, BatchRow.id == BatchDeliveryRow.batch)
            .where(loaded, or_(wanted, DeliveryRow.receipt.in_(list(more))))
            .order_by(BatchRow.opened_at, BatchRow.id, DeliveryRow.hospcode, DeliveryRow.arrival)
        )
        with Session(self.engine) as session, session.begin():
            pending = select(ChangeRow.receipt).where(ChangeRow.kind == KIND, ChangeRow.batch.is_(None))
            known = set(session.scalars(pending))
            fresh = [receipt for receipt in session.scalars(asked) if receipt not in known]
            session.add_all(ChangeRow(receipt=receipt, kind=KIND, cause=cause) for receipt in fresh)
            return len(known) + len(fresh)

    def rebuild_waiting(self) -> tuple[str, ...]:
        """Receipts that wait to be made anew."""
        asked = select(ChangeRow.receipt).where(ChangeRow.kind == KIND, ChangeRow.batch.is_(None))
        with Session(self.engine) as session:
            return tuple(session.scalars(asked.order_by(ChangeRow.id)))

    def loaded_by(self, receipts: Iterable[str]) -> dict[str, str]:
        """Receipt -> the committed batch of bronze that holds its rows."""
        asked = (
            select(BatchDeliveryRow.receipt, BatchRow.id)
            .join(BatchRow, BatchRow.id == BatchDeliveryRow.batch)
            .where(BatchRow.stage == "bronze", BatchRow.state == "committed")
            .where(BatchDeliveryRow.receipt.in_(list(receipts)))
        )
        with self.engine.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(asked)}

    def rebuilt(self, batches: Iterable[str]) -> frozenset[str]:
        """Receipts that these batches of bronze made anew."""
        asked = select(ChangeRow.receipt).where(ChangeRow.kind == KIND, ChangeRow.batch.in_(list(batches)))
        with Session(self.engine) as session:
            return frozenset(session.scalars(asked))

    def unfinished(self, stages: Sequence[str]) -> tuple[str, ...]:
        """Batches of these stages that were begun and not ended."""
        asked = select(BatchRow.id).where(BatchRow.stage.in_(stages), BatchRow.state == "open")
        with Session(self.engine) as session:
            return tuple(session.scalars(asked))

    def purge_due(self) -> bool:
        """Whether a rebuild was committed after tables were last freed of what they held before."""
        rebuilds = select(ChangeRow.batch).where(ChangeRow.kind == KIND)
        newest = select(func.max(BatchRow.committed_at)).where(BatchRow.id.in_(rebuilds))
        last = select(func.max(AuditRow.at)).where(AuditRow.action == PURGED)
        with self.engine.connect() as connection:
            made, done = connection.scalar(newest), connection.scalar(last)
        return made is not None and (done is None or done < made)

    def all_followed(self) -> bool:
        """Whether silver and gold hold all that bronze has: nothing is open, nothing waits for its next stage."""
        used = select(BatchSourceRow.source)
        waits = (
            (BatchRow.state == "committed")
            & BatchRow.stage.in_(("bronze", "silver"))
            & BatchRow.id.not_in(used)
        )
        is_open = (BatchRow.state == "open") & BatchRow.stage.in_(("bronze", "silver", "gold"))
        with Session(self.engine) as session:
            return session.scalars(select(BatchRow.id).where(or_(waits, is_open)).limit(1)).first() is None

    def note_purge(self, actor: str, files: int) -> None:
        """Tables were freed of what they held before the rebuilds so far."""
        with Session(self.engine) as session, session.begin():
            append(session, actor, [(PURGED, f"{files} files")])


def chunk(session: Session) -> list[ChangeRow]:
    """The next deliveries that wait to be made anew, at most `MOST_REBUILT`."""
    pending = select(ChangeRow).where(ChangeRow.kind == KIND, ChangeRow.batch.is_(None))
    return list(session.scalars(pending.order_by(ChangeRow.id).limit(MOST_REBUILT)))


def take_over(session: Session, batch: str, rebuilt: Rebuilt) -> None:
    """The batch holds its deliveries from now on; members are counted anew, older batches by what they have left.

    Raises KhlangError when a member is told of that no zip holds.
    """
    if not report(session.connection(), rebuilt.results):
        raise KhlangError("batch.member", f"batch {batch} reports members that no zip holds")
    mine = select(BatchDeliveryRow.receipt).where(BatchDeliveryRow.batch == batch)
    others = select(BatchRow.id).where(BatchRow.stage == "bronze", BatchRow.id != batch)
    held = BatchDeliveryRow.receipt.in_(mine) & BatchDeliveryRow.batch.in_(others)
    session.execute(delete(BatchDeliveryRow).where(held).execution_options(synchronize_session=False))
    for (older, table), rows in rebuilt.standing.items():
        row = (BatchTableRow.batch == older) & (BatchTableRow.table == table)
        counts = BatchTableRow.counts.op("||")(func.jsonb_build_object(STANDS, rows))
        session.execute(update(BatchTableRow).where(row).values(counts=counts))
