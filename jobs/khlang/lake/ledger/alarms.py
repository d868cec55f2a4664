"""Alarms of the lake: raised once, told once, cleared when their cause is gone; every step in the audit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, Engine, Index, String, func, insert, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from khlang.lake.ledger.audit import append
from khlang.lake.ledger.models import Base

_SETTLING = 4_305_204  # advisory lock: two runs beside each other raise an alarm once
ACTOR = "alarms"


class AlarmRow(Base):
    """One alarm; `file`, `month` and `direction` are empty where the kind has none."""

    __tablename__ = "alarm"
    __table_args__ = (
        Index(
            "uq_alarm_open",
            "kind",
            "hospcode",
            "file",
            "direction",
            unique=True,
            postgresql_where=text("cleared_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    kind: Mapped[str]
    hospcode: Mapped[str] = mapped_column(String(5))
    file: Mapped[str]
    month: Mapped[str]
    direction: Mapped[str]
    what: Mapped[str]
    raised_at: Mapped[datetime]
    told_at: Mapped[datetime | None]
    cleared_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an alarm stands: of one kind, facility, file and direction there is one open alarm at most.

    `what` is read by people: it names files, directions and bands, never a count of rows.
    """

    kind: str
    hospcode: str
    what: str
    file: str = ""
    month: str = ""
    direction: str = ""

    @property
    def place(self) -> tuple[str, str, str, str]:
        """What makes two causes the same alarm."""
        return self.kind, self.hospcode, self.file, self.direction


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm as the ledger knows it."""

    id: int
    kind: str
    hospcode: str
    file: str
    month: str
    direction: str
    what: str
    raised_at: datetime
    told_at: datetime | None
    cleared_at: datetime | None


@dataclass(frozen=True, slots=True)
class Settled:
    """How many alarms a run raised, cleared and left open."""

    raised: int
    cleared: int
    open: int


class Alarms:
    """The part of the ledger that remembers alarms."""

    engine: Engine

    def settle_alarms(self, causes: Sequence[Cause], at: datetime) -> Settled:
        """Raise what is new, clear what is no longer so, leave the rest; in one transaction with its audit."""
        wanted = {cause.place: cause for cause in causes}
        with Session(self.engine) as session, session.begin():
            session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SETTLING})
            rows = session.scalars(select(AlarmRow).where(_OPEN).order_by(AlarmRow.id))
            held = {(row.kind, row.hospcode, row.file, row.direction): row for row in rows}
            gone = [row.id for place, row in held.items() if place not in wanted]
            session.execute(update(AlarmRow).where(AlarmRow.id.in_(gone)).values(cleared_at=at))
            new = [asdict(cause) | {"raised_at": at} for place, cause in wanted.items() if place not in held]
            made = list(session.scalars(insert(AlarmRow).returning(AlarmRow.id), new)) if new else []
            acts = [("alarm.clear", str(number)) for number in gone]
            acts += [("alarm.raise", str(number)) for number in sorted(made)]
            if acts:
                append(session, ACTOR, acts)
        return Settled(len(made), len(gone), len(held) - len(gone) + len(made))

    def alarms(self, kind: str | None = None, newest: int | None = None) -> tuple[Alarm, ...]:
        """Open alarms, the newest first; of one kind, or only so many."""
        conditions = [_OPEN] if kind is None else [_OPEN, AlarmRow.kind == kind]
        with Session(self.engine) as session:
            return _found(session, *conditions, newest=newest)

    def alarm_counts(self) -> dict[str, int]:
        """Kind -> open alarms."""
        asked = (
            select(AlarmRow.kind, func.count()).where(_OPEN).group_by(AlarmRow.kind).order_by(AlarmRow.kind)
        )
        with self.engine.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(asked)}

    def untold_alarms(self) -> int:
        """Open alarms that nobody was told of."""
        with self.engine.connect() as connection:
            return int(connection.scalar(select(func.count()).where(_OPEN, _UNTOLD)) or 0)

    def tell_alarms(self, at: datetime) -> tuple[Alarm, ...]:
        """Open alarms that nobody was told of, the newest first; from now on they count as told."""
        with Session(self.engine) as session, session.begin():
            session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SETTLING})
            found = _found(session, _OPEN, _UNTOLD)
            told = AlarmRow.id.in_([alarm.id for alarm in found])
            session.execute(update(AlarmRow).where(told).values(told_at=at))
            return found


_OPEN: ColumnElement[bool] = AlarmRow.cleared_at.is_(None)
_UNTOLD: ColumnElement[bool] = AlarmRow.told_at.is_(None)


def _found(
    session: Session, *conditions: ColumnElement[bool], newest: int | None = None
) -> tuple[Alarm, ...]:
    asked = select(AlarmRow).where(*conditions).order_by(AlarmRow.raised_at.desc(), AlarmRow.id).limit(newest)
    names = [field.name for field in fields(Alarm)]
    return tuple(Alarm(**{name: getattr(row, name) for name in names}) for row in session.scalars(asked))
