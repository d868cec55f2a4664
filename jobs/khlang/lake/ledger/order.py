"""Where a delivery stands: the newest that silver holds of a facility, the batch that loaded it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from khlang.lake.ledger.models import BatchDeliveryRow, BatchRow, DeliveryRow


def newest_current(session: Session, hospcodes: Iterable[str]) -> dict[str, tuple[datetime, int]]:
    """Facility -> (time of its content, order of arrival) of its newest curated delivery."""
    asked = (
        select(DeliveryRow.hospcode, DeliveryRow.sent_at, DeliveryRow.arrival)
        .where(DeliveryRow.hospcode.in_(list(hospcodes)), DeliveryRow.state == "current")
        .order_by(DeliveryRow.hospcode, DeliveryRow.sent_at.desc(), DeliveryRow.arrival.desc())
        .distinct(DeliveryRow.hospcode)
    )
    found = session.execute(asked)
    return {row[0]: (row[1], row[2]) for row in found if row[0] is not None and row[1] is not None}


def bronze_batch(session: Session, receipt: str) -> str | None:
    """The committed bronze batch that holds the delivery's rows; None before it is loaded."""
    asked = (
        select(BatchRow.id)
        .join(BatchDeliveryRow, BatchDeliveryRow.batch == BatchRow.id)
        .where(BatchDeliveryRow.receipt == receipt, BatchRow.stage == "bronze", BatchRow.state == "committed")
    )
    return session.scalars(asked).first()
