"""Batches: what a stage takes, what it reports, and the one transaction that makes it visible."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from khlang.conform.member import MemberResult
from khlang.errors import BusyError, KhlangError
from khlang.lake.ledger.again import KIND as REREAD
from khlang.lake.ledger.balance import check_bronze, check_silver, file_balances
from khlang.lake.ledger.decisions import DecisionRow, decisions_of, waiting_decisions
from khlang.lake.ledger.door import Deliveries
from khlang.lake.ledger.erasure import NOBODY_MET, Met, tell_met
from khlang.lake.ledger.models import (
    BatchDeliveryRow,
    BatchRow,
    BatchSourceRow,
    BatchTableRow,
    ChangeRow,
    DeliveryRow,
    FaultCountRow,
    TableVersionRow,
)
from khlang.lake.ledger.rebuild import KIND as REBUILD
from khlang.lake.ledger.rebuild import MIXED, Rebuilt, chunk, take_over
from khlang.lake.ledger.report import report
from khlang.lake.ledger.values import BEFORE, ROTATE, Batch, Change, FileBalance, Stage
from khlang.lake.ledger.versions import Counts, move_versions, record_tables
from khlang.lake.ledger.withheld import Reread, tell_again

MOST_DELIVERIES = 20_000
"""Deliveries that one batch of bronze takes: more than a country's day."""

MOST_AGAIN = 2_000
"""Deliveries that one batch reads once more."""


class Batches(Deliveries):
    """The part of the ledger that the jobs of bronze, silver, gold and publish work by."""

    def open_batch(
        self, stage: Stage, git_sha: str = "", contract_digest: str = "", policy_digest: str = "", *,
        rebuild: bool = False,
    ) -> Batch | None:  # fmt: skip
        """The unfinished batch of a stage (a job died), else one of all that is new, else None.

        Raises BusyError while a rotation of the key is unfinished.
        bronze takes deliveries in state checked, and loaded ones that are asked for again; each later stage the
        committed batches of the one before. Silver also takes changes: a moved time, a withdrawn delivery, and
        what stewards decided on persons.
        With `rebuild` bronze takes the next deliveries that wait for it, and nothing else.
        """
        with Session(self.engine) as session, session.begin():
            _require_one_key(session)
            unfinished = select(BatchRow).where(BatchRow.stage == stage, BatchRow.state == "open")
            batch = session.scalars(unfinished.with_for_update()).first()
            resumed = batch is not None
            if batch is None:
                number = f"{stage}-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
                batch = BatchRow(
                    id=number,
                    stage=stage,
                    git_sha=git_sha,
                    contract_digest=contract_digest,
                    policy_digest=policy_digest,
                )
                if not _fill(session, batch, rebuild):
                    return None
            elif batch.policy_digest != policy_digest:
                batch.policy_digest = MIXED  # an earlier attempt may have committed tables under other rules
            return self._batch(session, batch, resumed)

    def _batch(self, session: Session, batch: BatchRow, resumed: bool) -> Batch:
        session.flush()
        held = select(BatchDeliveryRow.receipt).where(BatchDeliveryRow.batch == batch.id)
        sources = select(BatchSourceRow.source).where(BatchSourceRow.batch == batch.id)
        changes = select(ChangeRow).where(ChangeRow.batch == batch.id).order_by(ChangeRow.id)
        stage: Any = batch.stage
        return Batch(
            id=batch.id,
            stage=stage,
            deliveries=self._found(session, DeliveryRow.receipt.in_(held)),
            sources=tuple(sorted(session.scalars(sources))),
            changes=tuple(Change(row.receipt, row.kind, row.sent_at) for row in session.scalars(changes)),
            resumed=resumed,
            decisions=decisions_of(session, batch.id) if batch.stage == "silver" else (),
        )

    def require_one_key(self) -> None:
        """Raises BusyError while a rotation of the lake's key is unfinished."""
        with Session(self.engine) as session:
            _require_one_key(session)

    def record_members(self, batch: Batch, results: Iterable[MemberResult]) -> None:
        """What became of each member; a repeated report (a batch that was resumed) replaces the first."""
        found = list(results)
        with Session(self.engine) as session, session.begin():
            _require_open(session, batch)
            receipts = {result.receipt for result in found}
            strange = receipts - {delivery.receipt for delivery in batch.deliveries}
            if strange:
                raise KhlangError("batch.foreign", f"{len(strange)} deliveries are not of batch {batch.id}")
            if not report(session.connection(), found):
                raise KhlangError("batch.member", f"batch {batch.id} reports members that no zip holds")

    def record_tables(self, batch: Batch, versions: Mapping[str, int], counts: Counts) -> None:
        """What the batch did to tables so far; `commit_batch` completes it."""
        with Session(self.engine) as session, session.begin():
            _require_open(session, batch)
            record_tables(session, batch.id, versions, counts)

    def commit_batch(
        self, batch: Batch, versions: Mapping[str, int], counts: Counts, reread: Sequence[Reread] = (),
        met: Met = NOBODY_MET, rebuilt: Rebuilt | None = None,
    ) -> None:  # fmt: skip
        """Make the batch visible: balance, deliveries' states and version map move together or not at all.

        `reread`: members of earlier batches that this one read again; their faults move in the same moment.
        `met`: deliveries in which bronze left erased persons out: erasure looks at them in landing.
        `rebuilt`: the batch takes its deliveries over from the batches that loaded them before.
        Raises BalanceError unless every member's lines are accounted for (bronze) and every accepted line
        is new, changed, unchanged, repeated or superseded (silver).
        """
        with Session(self.engine) as session, session.begin():
            if not _require_open(session, batch, committed_is_done=True):
                return
            record_tables(session, batch.id, versions, counts)
            if rebuilt is not None:
                take_over(session, batch.id, rebuilt)
            if batch.stage == "bronze":
                check_bronze(session, batch.id, counts)
                _advance(session, batch.id, "checked", "loaded")
                tell_again(session, reread)
                tell_met(session, met)
            if batch.stage == "silver":
                check_silver(session, batch.id, counts)
                _advance(session, batch.id, "loaded", "current")
            move_versions(session, batch.id)
            closed = update(BatchRow).where(BatchRow.id == batch.id)
            session.execute(closed.values(state="committed", committed_at=func.now()))

    def visible(self) -> dict[str, int]:
        """Table -> Delta version that readers may open."""
        with self.engine.connect() as connection:
            rows = connection.execute(select(TableVersionRow.table, TableVersionRow.version))
            return {row[0]: row[1] for row in rows}

    def visible_at(self, moment: datetime) -> dict[str, int]:
        """The version map as it stood at a moment, from the history of batches."""
        told = (
            select(BatchTableRow.table, BatchTableRow.version)
            .join(BatchRow, BatchRow.id == BatchTableRow.batch)
            .where(BatchRow.committed_at <= moment)
            .order_by(BatchRow.committed_at)
        )
        with self.engine.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(told)}

    def balance(self, receipts: Sequence[str] | None = None) -> tuple[FileBalance, ...]:
        """Lines per file of the standard over all loaded deliveries, or over some."""
        with Session(self.engine) as session:
            return file_balances(session, receipts)

    def fault_counts(self, receipt: str) -> dict[int, dict[tuple[str, str | None], int]]:
        """Position of a member -> (code, column) -> count."""
        told: dict[int, dict[tuple[str, str | None], int]] = {}
        with Session(self.engine) as session:
            for row in session.scalars(select(FaultCountRow).where(FaultCountRow.receipt == receipt)):
                told.setdefault(row.position, {})[(row.code, row.column or None)] = row.count
        return told


def waiting(session: Session) -> list[str]:
    """Receipts that the next batch of bronze takes: every facility's newest first, then its next one.

    Nobody's years of old zips make the others wait: what does not fit in is taken by the batch after.
    """
    newest = DeliveryRow.sent_at.desc(), DeliveryRow.arrival.desc()
    turn = func.row_number().over(partition_by=DeliveryRow.hospcode, order_by=newest)
    asked = select(DeliveryRow.receipt).where(DeliveryRow.state == "checked")
    return list(session.scalars(asked.order_by(turn, DeliveryRow.arrival).limit(MOST_DELIVERIES)))


def _fill(session: Session, batch: BatchRow, rebuild: bool) -> bool:
    """Put all that is new into a batch; False when there is nothing."""
    pending = select(ChangeRow).where(ChangeRow.batch.is_(None))
    changes: list[ChangeRow | DecisionRow] = []
    sources: list[str] = []
    if rebuild:
        waits = chunk(session)
        changes, receipts = [*waits], list(dict.fromkeys(change.receipt for change in waits))
    elif batch.stage == "bronze":
        receipts = waiting(session)
        changes = list(
            session.scalars(pending.where(ChangeRow.kind == REREAD).order_by(ChangeRow.id).limit(MOST_AGAIN))
        )
    else:
        sources = _unused(session, BEFORE[batch.stage])  # type: ignore[index]
        held = select(BatchDeliveryRow.receipt).where(BatchDeliveryRow.batch.in_(sources)).distinct()
        receipts = list(session.scalars(held))
        if batch.stage == "silver":
            told = pending.where(ChangeRow.kind.not_in((REREAD, REBUILD)))
            changes = [*session.scalars(told), *waiting_decisions(session)]
    if not receipts and not sources and not changes:
        return False
    session.add(batch)
    session.flush()
    session.add_all(BatchDeliveryRow(batch=batch.id, receipt=receipt) for receipt in receipts)
    session.add_all(BatchSourceRow(batch=batch.id, source=source) for source in sources)
    for change in changes:
        change.batch = batch.id
    return True


def _unused(session: Session, stage: Stage) -> list[str]:
    """Committed batches of a stage that no batch of the next stage has taken."""
    used = select(BatchSourceRow.source)
    stages = (stage, ROTATE) if stage == "silver" else (stage,)  # a rotation changes silver as a batch does
    free = select(BatchRow.id).where(BatchRow.stage.in_(stages), BatchRow.state == "committed")
    return list(session.scalars(free.where(BatchRow.id.not_in(used)).order_by(BatchRow.opened_at)))


def _require_one_key(session: Session) -> None:
    """Nothing is written while the tables are carried to another version of the key."""
    rotating = select(BatchRow.id).where(BatchRow.stage == ROTATE, BatchRow.state == "open")
    if (batch := session.scalar(rotating)) is not None:
        raise BusyError(
            "keys.rotating", "a rotation of the lake's key is not finished", "การเปลี่ยนกุญแจของคลังข้อมูลยังไม่เสร็จ",
            batch, "khlang keys rotate lake, which goes on where it stopped",
        )  # fmt: skip


def _require_open(session: Session, batch: Batch, committed_is_done: bool = False) -> bool:
    """Lock the batch's row; True when it is open, False when it was committed before."""
    row = session.scalars(select(BatchRow).where(BatchRow.id == batch.id).with_for_update()).first()
    if row is not None and row.state == "open":
        return True
    if row is not None and committed_is_done:
        return False
    raise KhlangError("batch.closed", f"batch {batch.id} is not open")


def _advance(session: Session, batch: str, of: str, to: str) -> None:
    """Deliveries of the batch move one state on; a withdrawn one stays withdrawn."""
    held = select(BatchDeliveryRow.receipt).where(BatchDeliveryRow.batch == batch)
    moved = update(DeliveryRow).where(DeliveryRow.receipt.in_(held), DeliveryRow.state == of)
    session.execute(moved.values(state=to, moved_at=func.now()))
