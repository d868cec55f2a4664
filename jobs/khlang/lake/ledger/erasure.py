"""Erasures: who must not be in the lake any more, which deliveries are to be looked at, what became of them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from khlang.conform.erased import Tombstones
from khlang.errors import KhlangError
from khlang.lake.ledger.audit import append
from khlang.lake.ledger.door import as_delivery
from khlang.lake.ledger.erasure_models import ErasureDeliveryRow, ErasureRow, TombstoneRow
from khlang.lake.ledger.models import BatchRow, ChangeRow, DeliveryRow
from khlang.lake.ledger.order import bronze_batch
from khlang.lake.ledger.values import Delivery
from khlang.lake.ledger.versions import move_versions, record_tables
from khlang.lake.ledger.withheld import LOADED, Reread, tell_again

KIND = "erased"
"""Kind of the change by which silver works out a facility anew."""

UNREAD = ("rejected", "duplicate", "withdrawn")
"""States of deliveries that no job of the lake reads: only erasure opens them."""

_PARTS = {"person": "persons", "patient": "patients", "referral": "referrals", "spared": "spared"}


@dataclass(frozen=True, slots=True)
class Met:
    """What a batch met of erased persons: the deliveries, and (kind, pseudonym) that nobody knew before."""

    receipts: tuple[str, ...] = ()
    found: tuple[tuple[str, str], ...] = ()


NOBODY_MET = Met()


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose data are erased: the pseudonyms, and the deliveries in which they may stand."""

    pseudonym: str
    tombstones: tuple[tuple[str, str], ...]
    receipts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Erasure:
    """One erasure as it stands."""

    id: int
    subject: str
    cause: str
    asked_by: str
    asked_at: datetime
    done_at: datetime | None
    progress: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kept:
    """What landing holds of a delivery from now on: a copy under a key of its own, or nothing (`shredded`)."""

    receipt: str
    before: bytes
    outcome: str
    now: Delivery | None = None


class Erasing:
    """The part of the ledger by which persons are erased."""

    engine: Engine

    def ask_erasure(self, subject: Subject, cause: str, asked_by: str, actor: str) -> int:
        """Record an erasure: from this moment its tombstones hold; the number of the erasure."""
        with Session(self.engine) as session, session.begin():
            newest = session.scalar(select(func.coalesce(func.max(DeliveryRow.arrival), 0)))
            row = ErasureRow(
                subject_pseudonym=subject.pseudonym, cause=cause, asked_by=asked_by, after_arrival=newest
            )
            session.add(row)
            session.flush()
            _entomb(session, subject.tombstones, row.id)
            _queue(session, subject.receipts)
            append(session, actor, [("erase.asked", f"erasure {row.id}")])
            return row.id

    def widen_erasure(self, subject: Subject, adopted: Iterable[str]) -> None:
        """Where pseudonyms that a batch told of stand was looked up: queue it, and do not look it up again."""
        newest = select(func.max(ErasureRow.id)).scalar_subquery()
        taken = TombstoneRow.subject_pseudonym.in_(list(adopted)) & TombstoneRow.erasure.is_(None)
        with Session(self.engine) as session, session.begin():
            session.execute(update(TombstoneRow).where(taken).values(erasure=newest))
            _entomb(session, subject.tombstones, session.scalar(select(func.max(ErasureRow.id))))
            _queue(session, subject.receipts)

    def tombstones(self) -> Tombstones:
        """Everybody who is erased."""
        parts: dict[str, set[str]] = {name: set() for name in _PARTS.values()}
        with self.engine.connect() as connection:
            for kind, pseudonym in connection.execute(
                select(TombstoneRow.kind, TombstoneRow.subject_pseudonym)
            ):
                parts[_PARTS[kind]].add(pseudonym)
        return Tombstones(**{name: frozenset(found) for name, found in parts.items()})

    def found_later(self) -> frozenset[str]:
        """Pseudonyms of patients that a batch, not an officer, told to be an erased person's."""
        asked = select(TombstoneRow.subject_pseudonym).where(
            TombstoneRow.erasure.is_(None), TombstoneRow.kind.in_(("patient", "referral"))
        )
        with self.engine.connect() as connection:
            return frozenset(connection.scalars(asked))

    def erasures(self, open_only: bool = False) -> tuple[Erasure, ...]:
        """Erasures in the order in which they were asked for."""
        asked = select(ErasureRow).order_by(ErasureRow.id)
        if open_only:
            asked = asked.where(ErasureRow.done_at.is_(None))
        with Session(self.engine) as session:
            return tuple(
                Erasure(
                    r.id, r.subject_pseudonym, r.cause, r.asked_by, r.asked_at, r.done_at, dict(r.progress)
                )
                for r in session.scalars(asked)
            )

    def queue_unread(self) -> None:
        """Deliveries since the first erasure that no job reads are looked at as well."""
        since = select(func.min(ErasureRow.after_arrival)).scalar_subquery()
        known = select(ErasureDeliveryRow.receipt)
        asked = select(DeliveryRow.receipt).where(
            DeliveryRow.arrival > since,
            DeliveryRow.state.in_(UNREAD),
            DeliveryRow.receipt.not_in(known),
        )
        with Session(self.engine) as session, session.begin():
            _queue(session, list(session.scalars(asked)))

    def erasure_queue(self) -> tuple[Delivery, ...]:
        """Deliveries that are to be looked at, in order of arrival (what came first, then its duplicates)."""
        asked = (
            select(DeliveryRow)
            .join(ErasureDeliveryRow, ErasureDeliveryRow.receipt == DeliveryRow.receipt)
            .where(ErasureDeliveryRow.outcome.is_(None), DeliveryRow.state != "received")
            .order_by(DeliveryRow.arrival)
        )
        with Session(self.engine) as session:
            return tuple(as_delivery(row) for row in session.scalars(asked))

    def commit_erased(
        self,
        kept: Sequence[Kept],
        versions: Mapping[str, int],
        reread: Sequence[Reread],
        digests: Sequence[str],
    ) -> None:
        """Old keys end, redacted rows become visible, members' counts move: in one transaction, or not at all.

        Raises KhlangError erasure.moved when a delivery's key is not the one that was read.
        """
        with Session(self.engine) as session, session.begin():
            loaded = [receipt for receipt in (_keep(session, one) for one in kept) if receipt]
            if versions:
                _commit_batch(session, versions, digests)
            tell_again(session, reread)
            session.add_all(ChangeRow(receipt=receipt, kind=KIND, cause="erasure") for receipt in loaded)
            append(session, "erase", [(f"erase.{one.outcome}", one.receipt) for one in kept])

    def erasure_looked(self) -> tuple[tuple[Delivery, str], ...]:
        """(delivery, outcome) of what landing and bronze have let go, and the zones behind perhaps not yet."""
        asked = (
            select(DeliveryRow, ErasureDeliveryRow.outcome)
            .join(ErasureDeliveryRow, ErasureDeliveryRow.receipt == DeliveryRow.receipt)
            .where(ErasureDeliveryRow.done_at.is_(None), ErasureDeliveryRow.outcome.is_not(None))
            .order_by(DeliveryRow.arrival)
        )
        with Session(self.engine) as session:
            return tuple((as_delivery(row), str(outcome)) for row, outcome in session.execute(asked))

    def finish_erasures(self, receipts: Iterable[str], progress: Mapping[int, Mapping[str, Any]]) -> None:
        """Every zone has let these deliveries' erased persons go; erasures are done, proved by what is told."""
        listed = list(receipts)
        with Session(self.engine) as session, session.begin():
            mine = ErasureDeliveryRow.receipt.in_(listed) & ErasureDeliveryRow.outcome.is_not(None)
            session.execute(update(ErasureDeliveryRow).where(mine).values(done_at=func.now()))
            for erasure, told in progress.items():
                done = {"done_at": func.now(), "progress": dict(told)}
                session.execute(update(ErasureRow).where(ErasureRow.id == erasure).values(**done))
                append(session, "erase", [("erase.done", f"erasure {erasure}")])

    def bronze_batches(self, receipts: Iterable[str]) -> dict[str, str]:
        """Receipt -> the committed bronze batch that holds the delivery's rows, of those that are loaded."""
        with Session(self.engine) as session:
            found = {receipt: bronze_batch(session, receipt) for receipt in receipts}
        return {receipt: batch for receipt, batch in found.items() if batch is not None}

    def has_open_batch(self, stage: str) -> bool:
        """Whether a job of the stage died and left a batch that is to be completed."""
        asked = select(BatchRow.id).where(BatchRow.stage == stage, BatchRow.state == "open")
        with self.engine.connect() as connection:
            return connection.scalar(asked) is not None


def tell_met(session: Session, met: Met) -> None:
    """New pseudonyms of erased persons, and the deliveries that hold them, in the transaction of a batch."""
    _entomb(session, met.found, None)
    _queue(session, met.receipts)


def _entomb(session: Session, found: Iterable[tuple[str, str]], erasure: int | None) -> None:
    rows = [{"erasure": erasure, "kind": kind, "subject_pseudonym": one} for kind, one in found]
    if rows:
        session.execute(
            upsert(TombstoneRow).on_conflict_do_nothing(index_elements=["kind", "subject_pseudonym"]), rows
        )


def _queue(session: Session, receipts: Iterable[str]) -> None:
    """Look at these deliveries, also when it was done before."""
    rows = [{"receipt": receipt} for receipt in dict.fromkeys(receipts)]
    if rows:
        again = {"done_at": None, "outcome": None, "asked_at": func.now()}
        row = upsert(ErasureDeliveryRow)
        session.execute(row.on_conflict_do_update(index_elements=["receipt"], set_=again), rows)


def _keep(session: Session, one: Kept) -> str | None:
    """One delivery's key and place; its receipt when rows of it lie in the lake and are other ones now."""
    if one.outcome != "clean":
        told: dict[str, Any] = {"wrapped_key": b""}
        if one.now is not None:
            names = ("place", "wrapped_key", "key_version", "kept_sha256", "kept_size")
            told = {name: getattr(one.now, name) for name in names}
        moved = (
            update(DeliveryRow)
            .where(DeliveryRow.receipt == one.receipt, DeliveryRow.wrapped_key == one.before)
            .values(**told)
            .returning(DeliveryRow.state)
        )
        state = session.scalar(moved)
        if state is None:
            raise KhlangError("erasure.moved", "a delivery changed while it was read", place=one.receipt)
    else:
        state = None
    mine = ErasureDeliveryRow.receipt == one.receipt
    session.execute(update(ErasureDeliveryRow).where(mine).values(outcome=one.outcome))
    return one.receipt if state in LOADED else None


def _commit_batch(session: Session, versions: Mapping[str, int], digests: Sequence[str]) -> None:
    """The erasure as a batch of bronze without deliveries: so the version map moves as it always does."""
    number = f"bronze-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    git_sha, contract, policy = digests
    told = {"git_sha": git_sha, "contract_digest": contract, "policy_digest": policy}
    row = BatchRow(id=number, stage="bronze", state="committed", committed_at=datetime.now(UTC), **told)
    session.add(row)
    session.flush()
    record_tables(session, number, versions, {})
    move_versions(session, number)
