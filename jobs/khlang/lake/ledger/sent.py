"""What one facility sent: its deliveries newest first, with the lines of each; nothing of another facility."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Engine, func, select
from sqlalchemy.orm import Session

from khlang.lake.ledger.door import as_delivery
from khlang.lake.ledger.models import DeliveryRow, MemberRow
from khlang.lake.ledger.values import Delivery


@dataclass(frozen=True, slots=True)
class SentZip:
    """A delivery with its number of files and their lines; lines are None until bronze has read them."""

    delivery: Delivery
    files: int
    delivered: int | None = None
    accepted: int | None = None
    refused: int | None = None


def _own(hospcode: str) -> ColumnElement[bool]:
    """A zip belongs to whoever is known to have sent it, else to the facility that its name tells."""
    owner: ColumnElement[bool] = func.coalesce(DeliveryRow.sender, DeliveryRow.hospcode) == hospcode
    return owner & ((DeliveryRow.sender == hospcode) | (DeliveryRow.hospcode == hospcode))


def _given_up() -> ColumnElement[bool]:
    """Its bytes never reached landing, and nobody was given its receipt (Deliveries.abandon)."""
    return (DeliveryRow.state == "withdrawn") & DeliveryRow.content.is_(None)


class Sent:
    """The part of the ledger that a facility may see of itself."""

    engine: Engine

    def sent_by(self, hospcode: str, most: int | None = None, skipped: int = 0) -> tuple[SentZip, ...]:
        """Deliveries of a facility, newest first."""
        asked = select(DeliveryRow).where(_own(hospcode), ~_given_up())
        with Session(self.engine) as session:
            rows = session.scalars(asked.order_by(DeliveryRow.arrival.desc()).limit(most).offset(skipped))
            return _with_lines(session, [as_delivery(row) for row in rows])

    def own_delivery(self, hospcode: str, receipt: str) -> Delivery | None:
        """A delivery by its number, if it is the facility's own; None as well when there is no such number."""
        asked = select(DeliveryRow).where(DeliveryRow.receipt == receipt, _own(hospcode), ~_given_up())
        with Session(self.engine) as session:
            row = session.scalar(asked)
            return None if row is None else as_delivery(row)

    def came(self, hospcode: str, at: datetime) -> tuple[Delivery, ...]:
        """What a sender handed over at exactly this moment: how the door's own hand-over is found again."""
        asked = select(DeliveryRow).where(
            DeliveryRow.sender == hospcode, DeliveryRow.arrived_at == at, ~_given_up()
        )
        with Session(self.engine) as session:
            return tuple(as_delivery(row) for row in session.scalars(asked.order_by(DeliveryRow.arrival)))


def _with_lines(session: Session, deliveries: Sequence[Delivery]) -> tuple[SentZip, ...]:
    """Deliveries with the sums of their members."""
    sums = (MemberRow.delivered, MemberRow.accepted, MemberRow.refused)
    asked = (
        select(MemberRow.receipt, func.count(), *(func.sum(column) for column in sums))
        .where(MemberRow.receipt.in_([delivery.receipt for delivery in deliveries]))
        .group_by(MemberRow.receipt)
    )
    found = {receipt: (files, lines) for receipt, files, *lines in session.execute(asked)}
    return tuple(
        SentZip(delivery, files, *(None if count is None else int(count) for count in lines))
        for delivery in deliveries
        for files, lines in [found.get(delivery.receipt, (0, ()))]
    )
