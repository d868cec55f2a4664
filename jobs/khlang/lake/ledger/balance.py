"""The balance: lines delivered = accepted + refused, and every accepted line has an end, exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, any_, func, literal, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from khlang.errors import BalanceError
from khlang.lake.ledger.models import BatchDeliveryRow, DeliveryRow, MemberRow
from khlang.lake.ledger.values import FileBalance

ENDS = ("new", "changed", "unchanged", "repeated", "superseded")
"""Counts of silver: what an accepted line became. repeated: superseded within its own file."""

Counts = Mapping[str, Mapping[str, Any]]


def _members_of(batch: str) -> ColumnElement[bool]:
    """Condition: members of the batch's deliveries that hold a file of the standard."""
    held = select(BatchDeliveryRow.receipt).where(BatchDeliveryRow.batch == batch)
    return MemberRow.receipt.in_(held) & MemberRow.file.is_not(None)


def _lines(
    session: Session, zone: str, counted: InstrumentedAttribute[int | None], *of: ColumnElement[bool]
) -> dict[str, int]:
    """Table of a zone -> lines of the members that the conditions name."""
    asked = select(MemberRow.file, func.sum(counted)).where(*of).group_by(MemberRow.file)
    return {f"{zone}.{str(file).lower()}": int(lines or 0) for file, lines in session.execute(asked)}


def check_bronze(session: Session, batch: str, counts: Counts) -> None:
    """Every member was read and balances; a table's count `rows` is its delivered lines less skipped members.

    Raises BalanceError naming receipt and position.
    """
    unsound = or_(
        MemberRow.delivered.is_(None), MemberRow.delivered != MemberRow.accepted + MemberRow.refused
    )
    wrong = session.scalars(select(MemberRow).where(_members_of(batch), unsound).limit(1)).first()
    if wrong is not None:
        words = "a member was not read" if wrong.delivered is None else "delivered is not accepted + refused"
        raise BalanceError("balance.member", words, place=f"{wrong.receipt}, member {wrong.position}")
    skipped: ColumnElement[bool] = literal("file.header") == any_(MemberRow.codes)
    expected = _lines(session, "bronze", MemberRow.delivered, _members_of(batch), ~skipped)
    for table in sorted(expected.keys() | counts.keys()):
        rows, lines = int(counts.get(table, {}).get("rows", 0)), expected.get(table, 0)
        if rows != lines:
            raise BalanceError("balance.rows", f"{rows} rows were written for {lines} lines", place=table)


def check_silver(session: Session, batch: str, counts: Counts) -> None:
    """Per table: accepted lines of the batch = new + changed + unchanged + repeated + superseded.

    Raises BalanceError naming the table. A delivery withdrawn meanwhile counts no lines.
    """
    standing = select(DeliveryRow.receipt).where(DeliveryRow.state != "withdrawn")
    counted = (_members_of(batch), MemberRow.receipt.in_(standing))
    accepted = _lines(session, "silver", MemberRow.accepted, *counted)
    for table, lines_in in accepted.items():
        told = counts.get(table, {})
        ended = sum(int(told.get(name, 0)) for name in ENDS)
        if ended != lines_in:
            raise BalanceError(
                "balance.table", f"{lines_in} accepted lines, {ended} accounted for", place=table
            )


def file_balances(session: Session, receipts: Sequence[str] | None) -> tuple[FileBalance, ...]:
    """Sums per file over members that were read, of deliveries that were not withdrawn."""
    standing = select(DeliveryRow.receipt).where(DeliveryRow.state.in_(("loaded", "current")))
    summed = [
        func.coalesce(func.sum(column), 0)
        for column in (MemberRow.delivered, MemberRow.accepted, MemberRow.refused, MemberRow.repaired)
    ]
    asked = select(MemberRow.file, func.count(), *summed).where(
        MemberRow.file.is_not(None), MemberRow.receipt.in_(standing)
    )
    if receipts is not None:
        asked = asked.where(MemberRow.receipt.in_(list(receipts)))
    rows = session.execute(asked.group_by(MemberRow.file).order_by(MemberRow.file))
    return tuple(FileBalance(str(row[0]), *(int(value or 0) for value in row[1:])) for row in rows)
