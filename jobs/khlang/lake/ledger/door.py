"""Deliveries: from received to checked, rejected or duplicate; their members; their withdrawal."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Engine,
    Text,
    any_,
    func,
    insert,
    literal,
    select,
    text,
    type_coerce,
    update,
)  # fmt: skip
from sqlalchemy.orm import Session
from sqlalchemy.types import NullType

from khlang.errors import KhlangError, SettingsError
from khlang.lake.ledger.models import ACCEPTED, ChangeRow, DeliveryRow, MemberRow
from khlang.lake.ledger.report import copy
from khlang.lake.ledger.values import DeliveredMember, Delivery, Judged

_SETTLING = 4_305_202  # advisory lock: contents are compared and accepted by one door at a time
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_COLUMNS = tuple(field.name for field in fields(Delivery))


def receipt_number(arrival: int) -> str:
    """R, the order of arrival, five random characters: short to say, and new even after a restored backup."""
    return f"R{arrival:07d}-" + "".join(secrets.choice(_ALPHABET) for _ in range(5))


def as_delivery(row: DeliveryRow) -> Delivery:
    """A row as the value that is handed out."""
    return Delivery(**{name: getattr(row, name) for name in _COLUMNS})


_MEMBER = [
    # The driver makes lists of arrays by itself; through the model a row costs four times as much.
    type_coerce(MemberRow.codes, NullType()) if field.name == "codes" else getattr(MemberRow, field.name)
    for field in fields(DeliveredMember)
]
_CODES = [field.name for field in fields(DeliveredMember)].index("codes")


def _member(row: Sequence[Any]) -> DeliveredMember:
    return DeliveredMember(*row[:_CODES], tuple(row[_CODES]), *row[_CODES + 1 :])  # type: ignore[call-arg]


def _among(column: Any, values: Iterable[str]) -> ColumnElement[bool]:
    """Column is one of the values: one parameter however many (a statement takes 65,535)."""
    found: ColumnElement[bool] = column == any_(literal(list(values), ARRAY(Text)))
    return found


class Deliveries:
    """The part of the ledger that the door writes and everyone reads."""

    def __init__(self, engine: Engine) -> None:
        """The ledger's database."""
        self.engine = engine

    def arrivals(self, count: int) -> list[int]:
        """The next places in the order of arrival."""
        places = func.generate_series(1, count).alias()
        numbers = select(func.nextval("delivery_arrival")).select_from(places)
        with self.engine.begin() as connection:
            return sorted(connection.scalars(numbers))

    def receive(self, deliveries: Sequence[Delivery]) -> None:
        """Record zips as received, with their data keys, before their bytes are put anywhere."""
        rows = [{name: getattr(delivery, name) for name in _COLUMNS} for delivery in deliveries]
        if rows:
            with self.engine.begin() as connection:
                connection.execute(insert(DeliveryRow), rows)

    def settle(self, verdicts: Sequence[Judged]) -> dict[str, Delivery]:
        """Move received zips to checked, rejected or duplicate, in one transaction; by receipt.

        A duplicate that came under an earlier name time moves the time of the first one (exact rules, 13).
        """
        with Session(self.engine) as session, session.begin():
            session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SETTLING})
            wanted = {verdict.receipt: verdict for verdict in verdicts}
            found = select(DeliveryRow).where(
                DeliveryRow.receipt.in_(wanted), DeliveryRow.state == "received"
            )
            rows = session.scalars(found.order_by(DeliveryRow.arrival)).all()
            first = self._accepted(session, rows, wanted)
            now = session.execute(select(func.now())).scalar_one()
            for row in rows:
                row.moved_at = now  # a value: rows that differ in values only are updated by one call
                self._settle(session, row, wanted[row.receipt], first)
            session.flush()
            accepted = [wanted[row.receipt] for row in rows if row.state == "checked"]
            lines = (line for verdict in accepted for line in _members(verdict))
            copy(session.connection(), "member", _MEMBERS, lines)
            return {row.receipt: as_delivery(row) for row in rows}

    def _accepted(
        self, session: Session, rows: Sequence[DeliveryRow], verdicts: dict[str, Judged]
    ) -> dict[tuple[str | None, str | None], DeliveryRow]:
        """(facility, content) -> the accepted delivery that holds it, for the contents in question."""
        contents = {verdicts[row.receipt].content for row in rows} - {None}
        held = select(DeliveryRow).where(DeliveryRow.content.in_(contents), DeliveryRow.state.in_(ACCEPTED))
        return {(row.hospcode, row.content): row for row in session.scalars(held)}

    def _settle(
        self,
        session: Session,
        row: DeliveryRow,
        verdict: Judged,
        first: dict[tuple[str | None, str | None], DeliveryRow],
    ) -> None:
        row.content = verdict.content
        if verdict.code is not None:
            row.state, row.code = "rejected", verdict.code
        elif (earlier := first.get((row.hospcode, row.content))) is not None:
            row.state, row.code, row.duplicate_of = "duplicate", "zip.duplicate", earlier.receipt
            _retime(session, earlier, row)
        else:
            row.state = "checked"
            first[(row.hospcode, row.content)] = row

    def known_contents(self, contents: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Which of these (facility, content) are accepted already; only `settle` decides."""
        asked = set(contents)
        held = select(DeliveryRow.hospcode, DeliveryRow.content).where(
            DeliveryRow.content.in_({content for _, content in asked}), DeliveryRow.state.in_(ACCEPTED)
        )
        with self.engine.connect() as connection:
            return asked & {(row[0], row[1]) for row in connection.execute(held)}

    def told_by(self, hospcodes: Iterable[str], files: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """(facility, receipt) of all accepted zips of these facilities that hold one of the files, as they came."""
        holds = select(MemberRow.receipt).where(
            MemberRow.receipt == DeliveryRow.receipt, MemberRow.file.in_(set(files))
        )
        asked = select(DeliveryRow.hospcode, DeliveryRow.receipt).where(
            DeliveryRow.hospcode.in_(set(hospcodes)),
            DeliveryRow.content.is_not(None),
            DeliveryRow.state != "duplicate",
            holds.exists(),
        )
        with self.engine.connect() as connection:
            rows = connection.execute(asked.order_by(DeliveryRow.arrival))
            return tuple((str(row[0]), row[1]) for row in rows)

    def unsettled(self) -> tuple[Delivery, ...]:
        """Deliveries left as received: while the door's lock is held, those of a process that died."""
        return self._deliveries(DeliveryRow.state == "received")

    def abandon(self, receipt: str) -> None:
        """received -> withdrawn: its bytes never reached landing, and nobody was given this receipt."""
        self._move(receipt, ("received",), "withdrawn")

    def withdraw(self, receipt: str, cause: str) -> Delivery:
        """Take an accepted delivery back: after the next curate, earlier versions of its rows are current.

        Raises SettingsError receipt.unknown, or KhlangError delivery.state when it is in no state to leave.
        """
        self.delivery(receipt)
        with Session(self.engine) as session, session.begin():
            self._move(receipt, ACCEPTED, "withdrawn", session)
            session.add(ChangeRow(receipt=receipt, kind="withdrawn", cause=cause))
        return self.delivery(receipt)

    def _move(self, receipt: str, of: Sequence[str], to: str, session: Session | None = None) -> None:
        """Conditional update of a state; raises when the delivery is in none of the states it may leave."""
        moved = (
            update(DeliveryRow)
            .where(DeliveryRow.receipt == receipt, DeliveryRow.state.in_(of))
            .values(state=to, moved_at=func.now())
            .returning(DeliveryRow.receipt)
        )
        if session is None:
            with Session(self.engine) as own, own.begin():
                return self._move(receipt, of, to, own)
        if session.execute(moved).first() is None:
            words = f"delivery {receipt} is not {' or '.join(of)}"
            step = f"`khlang receipt {receipt}` says what became of it"
            raise KhlangError("delivery.state", words, "สถานะของชุดข้อมูลนี้เปลี่ยนไม่ได้", receipt, step)
        return None

    def delivery(self, receipt: str) -> Delivery:
        """One delivery; raises SettingsError receipt.unknown."""
        found = self.deliveries([receipt])
        if not found:
            raise SettingsError(
                "receipt.unknown",
                f"there is no receipt {receipt}",
                f"ไม่พบใบรับเลขที่ {receipt}",
                receipt,
                "check the number: it has the form R0000012-7KQ4D, `khlang deliver` printed it",
            )
        return found[0]

    def deliveries(self, receipts: Iterable[str] | None = None) -> tuple[Delivery, ...]:
        """Deliveries by receipt, or all of them, in order of arrival."""
        return self._deliveries(*([] if receipts is None else [DeliveryRow.receipt.in_(list(receipts))]))

    def _deliveries(self, *conditions: ColumnElement[bool]) -> tuple[Delivery, ...]:
        with Session(self.engine) as session:
            return self._found(session, *conditions)

    def _found(self, session: Session, *conditions: ColumnElement[bool]) -> tuple[Delivery, ...]:
        asked = select(DeliveryRow).where(*conditions).order_by(DeliveryRow.arrival)
        return tuple(as_delivery(row) for row in session.scalars(asked))

    def members(self, receipts: Iterable[str], file: str | None = None) -> tuple[DeliveredMember, ...]:
        """Members of deliveries, by receipt and position; of one file of the standard when it is named."""
        asked = select(*_MEMBER).where(_among(MemberRow.receipt, receipts))
        if file is not None:
            asked = asked.where(MemberRow.file == file)
        with self.engine.connect() as connection:
            rows = connection.execute(asked.order_by(MemberRow.receipt, MemberRow.position))
            return tuple(map(_member, rows))

    def member_rows(self, receipts: Iterable[str]) -> Iterator[tuple[str, str, int, int]]:
        """(facility, file, accepted rows, repeated rows) of deliveries that bronze has read."""
        sums = (func.sum(MemberRow.accepted), func.sum(MemberRow.repeated))
        asked = (
            select(DeliveryRow.hospcode, MemberRow.file, *sums)
            .join(DeliveryRow, DeliveryRow.receipt == MemberRow.receipt)
            .where(_among(MemberRow.receipt, receipts), MemberRow.file.is_not(None), MemberRow.accepted.is_not(None))
            .group_by(DeliveryRow.hospcode, MemberRow.file)
        )  # fmt: skip
        with self.engine.connect() as connection:
            for hospcode, file, accepted, repeated in connection.execute(asked):
                yield hospcode or "", str(file), int(accepted or 0), int(repeated or 0)

    def retimings(self) -> dict[str, datetime]:
        """Receipt -> time that holds instead of bronze's `_sent_at`, for every content that moved."""
        moved = select(ChangeRow.receipt).where(ChangeRow.kind == "retimed")
        found = self._deliveries(DeliveryRow.receipt.in_(moved))
        return {delivery.receipt: delivery.sent_at for delivery in found if delivery.sent_at is not None}

    def withdrawn(self) -> frozenset[str]:
        """Receipts whose rows are not to be used although bronze may hold them."""
        return frozenset(delivery.receipt for delivery in self._deliveries(DeliveryRow.state == "withdrawn"))


def _retime(session: Session, first: DeliveryRow, again: DeliveryRow) -> None:
    """The first delivery of a content takes over an earlier name time; recorded for silver."""
    if again.name_time is None or first.sent_at is None or again.name_time >= first.sent_at:
        return
    first.sent_at = again.name_time
    change = ChangeRow(receipt=first.receipt, kind="retimed", cause=again.receipt, sent_at=again.name_time)
    session.add(change)


_MEMBERS = "receipt, position, name, file, bytes, sha256, codes"


def _members(verdict: Judged) -> Iterator[tuple[object, ...]]:
    """The members of an accepted zip; what no contract knows is named by its place and counts no lines."""
    for entry in verdict.entries:
        codes = [] if entry.file else ["file.unknown"]
        yield verdict.receipt, entry.position, entry.shown, entry.file, entry.bytes, entry.sha256, codes
