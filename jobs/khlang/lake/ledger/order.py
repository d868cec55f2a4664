"""Which delivery of each facility is the newest that silver holds: decides who is late."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from khlang.lake.ledger.models import DeliveryRow


def newest_current(session: Session, hospcodes: Iterable[str]) -> dict[str, tuple[datetime, int]]:
    """Facility -> (time of its content, order of arrival) of its newest curated delivery."""
    asked = (
        select(DeliveryRow.hospcode, DeliveryRow.sent_at, DeliveryRow.arrival)
        .where(DeliveryRow.hospcode.in_(list(hospcodes)), DeliveryRow.state == "current")
        .order_by(DeliveryRow.hospcode, DeliveryRow.sent_at.desc(), DeliveryRow.arrival.desc())
        .distinct(DeliveryRow.hospcode)
    )
    return {row[0]: (row[1], row[2]) for row in session.execute(asked)}
