"""Which version of the lake's key is in force, and the one transaction that moves it with the tables."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import Engine, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from khlang.errors import BusyError, KhlangError
from khlang.lake.keys import LAKE, Key
from khlang.lake.ledger.batches import move_versions, record_tables
from khlang.lake.ledger.decisions import DecisionRow
from khlang.lake.ledger.models import Base, BatchRow, KeyVersionRow
from khlang.lake.ledger.values import ROTATE

FIRST = 1
"""The version in force before any rotation."""

PSEUDONYMS: tuple[tuple[type[Base], str], ...] = (
    (DecisionRow, "patient_pseudonym"),
    (DecisionRow, "person_pseudonym"),
)
"""(table, column) of the ledger's own pseudonyms of citizens and patients; they move with the tables'."""

Carry = Callable[[Sequence[str]], Sequence[str]]
"""Pseudonyms of the old version -> those of the new one, in order."""


class Rotations:
    """The part of the ledger that knows which key the lake's pseudonyms are of."""

    engine: Engine

    def key_in_force(self, purpose: str = LAKE) -> int:
        """Version of the key that stored pseudonyms are of; the first one before any rotation."""
        asked = select(func.max(KeyVersionRow.version)).where(
            KeyVersionRow.purpose == purpose, KeyVersionRow.in_force_since.is_not(None)
        )
        with self.engine.connect() as connection:
            return connection.scalar(asked) or FIRST

    def begin_rotation(self) -> str:
        """The unfinished rotation, else a new one; jobs that write tables wait until it is committed.

        Raises BusyError when another stage has an unfinished batch: its rows would be of two versions.
        """
        with Session(self.engine) as session, session.begin():
            open_now = session.execute(select(BatchRow.id, BatchRow.stage).where(BatchRow.state == "open"))
            batches = {row.stage: row.id for row in open_now}
            if ROTATE in batches:
                return batches[ROTATE]
            if batches:
                stages = ", ".join(sorted(batches))
                raise BusyError(
                    "keys.unfinished", f"an unfinished batch of {stages} would mix two versions of the key",
                    f"มีชุดงาน {stages} ที่ยังไม่เสร็จ จึงยังเปลี่ยนกุญแจไม่ได้", stages,
                    f"khlang run {stages.partition(',')[0]}, then rotate again",
                )  # fmt: skip
            number = f"{ROTATE}-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
            session.add(BatchRow(id=number, stage=ROTATE, git_sha="", contract_digest="", policy_digest=""))
            return number

    def commit_rotation(self, batch: str, key: Key, versions: Mapping[str, int], carry: Carry) -> None:
        """Tables, the ledger's own pseudonyms and the version in force move together or not at all."""
        with Session(self.engine) as session, session.begin():
            row = session.scalars(select(BatchRow).where(BatchRow.id == batch).with_for_update()).one()
            if row.state != "open":
                raise KhlangError("batch.closed", f"batch {batch} is not open")
            record_tables(session, batch, versions, {})
            move_versions(session, batch)
            for model, column in PSEUDONYMS:
                _carry(session, model, column, carry)
            told = {"key_id": key.id, "created": key.created, "in_force_since": func.now()}
            noted = upsert(KeyVersionRow).values(purpose=key.purpose, version=key.version, **told)
            session.execute(noted.on_conflict_do_update(index_elements=["purpose", "version"], set_=told))
            closed = update(BatchRow).where(BatchRow.id == batch)
            session.execute(closed.values(state="committed", committed_at=func.now()))


def _carry(session: Session, model: type[Base], column: str, carry: Carry) -> None:
    """One column of pseudonyms from version to version."""
    rows = [row for row in session.scalars(select(model)) if getattr(row, column) is not None]
    for row, moved in zip(rows, carry([getattr(row, column) for row in rows]), strict=True):
        setattr(row, column, moved)
