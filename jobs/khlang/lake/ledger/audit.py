"""The audit: acts in a chain of hashes, so that a changed, missing or moved entry shows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from khlang.lake.ledger.models import AuditRow

_APPENDING = 4_305_203  # advisory lock: entries are chained one after the other
_START = "0" * 64


def chained(previous: str, number: int, at: datetime, act: tuple[str, str, str]) -> str:
    """Hash of an entry: its number, time, actor, action, subject, and the hash before it."""
    told = json.dumps([previous, number, at.astimezone(UTC).isoformat(), *act], ensure_ascii=False)
    return hashlib.sha256(told.encode()).hexdigest()


class Audit:
    """The part of the ledger that proves who did what."""

    engine: Engine

    def audit(self, actor: str, action: str, subject: str) -> str:
        """Append one act; returns its hash. Subjects are ids (receipts, releases), never values."""
        with Session(self.engine) as session, session.begin():
            return append(session, actor, [(action, subject)])

    def verify_audit(self) -> int | None:
        """The number of the first entry that was altered, cut out or moved; None when the chain holds."""
        with Session(self.engine) as session:
            rows = select(AuditRow).order_by(AuditRow.id).execution_options(yield_per=1000)
            return first_bad(session.scalars(rows))


def append(session: Session, actor: str, acts: Iterable[tuple[str, str]]) -> str:
    """Append acts (action, subject) inside a transaction, with what they tell of; returns the last hash."""
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _APPENDING})
    last = session.scalars(select(AuditRow).order_by(AuditRow.id.desc()).limit(1)).first()
    number, previous = (last.id, last.hash) if last else (0, _START)
    for action, subject in acts:
        number, at = number + 1, datetime.now(UTC)
        entry = chained(previous, number, at, (actor, action, subject))
        told = {"actor": actor, "action": action, "subject": subject}
        session.add(AuditRow(id=number, at=at, previous=previous, hash=entry, **told))
        previous = entry
    return previous


def first_bad(rows: Iterable[AuditRow]) -> int | None:
    """Entries in order -> the number of the first one that does not fit the chain."""
    previous = _START
    for number, row in enumerate(rows, 1):
        entry = chained(previous, number, row.at, (row.actor, row.action, row.subject))
        if row.id != number or row.previous != previous or row.hash != entry:
            return number
        previous = row.hash
    return None
