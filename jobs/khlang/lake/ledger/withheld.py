"""Withheld texts: which loaded members still hold some, and their faults after a later pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, delete, insert, select, tuple_, update
from sqlalchemy.orm import Session

from khlang.lake.ledger.models import BatchDeliveryRow, BatchRow, DeliveryRow, FaultCountRow, MemberRow
from khlang.model.faults import catalogue

CODE = "note.withheld"
LOADED = ("loaded", "current")
"""States of a delivery whose rows lie in bronze and count; not a duplicate, not a withdrawn one."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """A loaded member that is read again: its place, its zip in landing, the bronze batch that loaded it.

    It holds withheld texts; or `whole`: somebody asked for all of it, with the rules as they are now.
    """

    receipt: str
    position: int
    file: str
    bytes: int
    hospcode: str
    sent_at: datetime
    arrival: int
    place: str
    batch: str
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Recount:
    """What became of the lines of a member that was read again whole: as of a member read for the first time."""

    codes: tuple[str, ...]
    delivered: int
    accepted: int
    refused: int
    repeated: int


@dataclass(frozen=True, slots=True)
class Reread:
    """The faults of a loaded member as the last pass of its rows has them.

    Its lines stay as they were, unless it was read again whole (`recount`).
    """

    receipt: str
    position: int
    faults: Mapping[tuple[str, str | None], int]
    recount: Recount | None = None


class Withholding:
    """The part of the ledger that knows which texts wait for their patient."""

    engine: Engine

    def withheld(self, hospcodes: Iterable[str]) -> tuple[Withheld, ...]:
        """Members of these facilities' loaded deliveries that hold withheld texts, in order of arrival."""
        member = (MemberRow.receipt == FaultCountRow.receipt) & (MemberRow.position == FaultCountRow.position)
        asked = (
            select(
                MemberRow.receipt, MemberRow.position, MemberRow.file, MemberRow.bytes, DeliveryRow.hospcode,
                DeliveryRow.sent_at, DeliveryRow.arrival, DeliveryRow.place, BatchRow.id,
            )
            .select_from(FaultCountRow)
            .join(MemberRow, member)
            .join(DeliveryRow, DeliveryRow.receipt == MemberRow.receipt)
            .join(BatchDeliveryRow, BatchDeliveryRow.receipt == MemberRow.receipt)
            .join(BatchRow, BatchRow.id == BatchDeliveryRow.batch)
            .where(FaultCountRow.code == CODE, FaultCountRow.count > 0, BatchRow.stage == "bronze")
            .where(DeliveryRow.state.in_(LOADED), DeliveryRow.hospcode.in_(list(hospcodes)))
            .order_by(DeliveryRow.arrival, MemberRow.position)
            .distinct()
        )  # fmt: skip
        with self.engine.connect() as connection:
            rows: Iterable[Any] = connection.execute(asked)
            return tuple(Withheld(*row) for row in rows)


def tell_again(session: Session, reread: Sequence[Reread]) -> None:
    """Replace the fault counts of members and what of them was repaired; of those read whole the lines too."""
    repairs = {code for code, fault in catalogue().items() if fault.effect == "repair"}
    for told in reread:
        repaired = sum(count for (code, _), count in told.faults.items() if code in repairs)
        mine = (MemberRow.receipt == told.receipt) & (MemberRow.position == told.position)
        counts = {} if told.recount is None else {**asdict(told.recount), "codes": list(told.recount.codes)}
        session.execute(update(MemberRow).where(mine).values(repaired=repaired, **counts))
    places = [(told.receipt, told.position) for told in reread]
    for start in range(0, len(places), 1000):  # a statement takes 65,535 values
        some = tuple_(FaultCountRow.receipt, FaultCountRow.position).in_(places[start : start + 1000])
        session.execute(delete(FaultCountRow).where(some))
    rows = [
        {"receipt": t.receipt, "position": t.position, "code": code, "column": column or "", "count": count}
        for t in reread
        for (code, column), count in t.faults.items()
    ]
    if rows:
        session.execute(insert(FaultCountRow), rows)
