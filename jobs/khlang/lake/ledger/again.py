"""Deliveries that are asked to be read once more from landing: by receipt, or of one facility and month."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from khlang.errors import SettingsError
from khlang.lake.ledger.models import BatchDeliveryRow, BatchRow, ChangeRow, DeliveryRow, MemberRow
from khlang.lake.ledger.withheld import LOADED, Withheld
from khlang.model.calendar import month_told

KIND = "reread"
"""Kind of the change that asks for it; a bronze batch takes it."""
_MONTH = re.compile(r"([0-9]{5})/([0-9]{4}-(?:0[1-9]|1[0-2]))")


class Rereading:
    """The part of the ledger that knows what is to be read once more."""

    engine: Engine

    def ask_again(self, wanted: Sequence[str], cause: str) -> tuple[str, ...]:
        """Ask for receipts, or for `HOSPCODE/YYYY-MM` (all that a facility told of a month); gives the receipts.

        What is asked for already and not yet taken is not asked for twice. Raises SettingsError when nothing
        that is loaded goes by such a name.
        """
        with Session(self.engine) as session, session.begin():
            receipts = [receipt for name in wanted for receipt in _named(session, name)]
            pending = select(ChangeRow.receipt).where(ChangeRow.kind == KIND, ChangeRow.batch.is_(None))
            known = set(session.scalars(pending))
            fresh = [receipt for receipt in dict.fromkeys(receipts) if receipt not in known]
            session.add_all(ChangeRow(receipt=receipt, kind=KIND, cause=cause) for receipt in fresh)
        return tuple(dict.fromkeys(receipts))

    def members_again(self, receipts: Iterable[str]) -> tuple[Withheld, ...]:
        """Every member of loaded deliveries that is a file of the standard, to be read again whole."""
        asked = (
            select(
                MemberRow.receipt, MemberRow.position, MemberRow.file, MemberRow.bytes, DeliveryRow.hospcode,
                DeliveryRow.sent_at, DeliveryRow.arrival, DeliveryRow.place, BatchRow.id,
            )
            .select_from(MemberRow)
            .join(DeliveryRow, DeliveryRow.receipt == MemberRow.receipt)
            .join(BatchDeliveryRow, BatchDeliveryRow.receipt == MemberRow.receipt)
            .join(BatchRow, BatchRow.id == BatchDeliveryRow.batch)
            .where(MemberRow.file.is_not(None), DeliveryRow.receipt.in_(list(receipts)))
            .where(BatchRow.stage == "bronze", DeliveryRow.state.in_(LOADED))
            .order_by(DeliveryRow.arrival, MemberRow.position)
        )  # fmt: skip
        with self.engine.connect() as connection:
            rows: Iterable[Any] = connection.execute(asked)
            return tuple(replace(Withheld(*row), whole=True) for row in rows)


def _named(session: Session, name: str) -> list[str]:
    """Receipts of loaded deliveries that a word names."""
    asked = select(DeliveryRow.receipt, DeliveryRow.sent_at).where(DeliveryRow.state.in_(LOADED))
    month = _MONTH.fullmatch(name)
    if month is None:
        asked = asked.where(DeliveryRow.receipt == name)
        found = [row.receipt for row in session.execute(asked)]
    else:
        asked = asked.where(DeliveryRow.hospcode == month[1]).order_by(DeliveryRow.arrival)
        found = [
            row.receipt
            for row in session.execute(asked)
            if row.sent_at and month_told(row.sent_at) == month[2]
        ]
    if not found:
        words = ("nothing that is loaded goes by this name", "ไม่พบชุดข้อมูลที่นำเข้าแล้วตามที่ระบุ")
        step = "name a receipt (R0000012-7KQ4D), or a facility and the month that it told of (99001/2026-10)"
        raise SettingsError("again.unknown", *words, name, step)
    return found
