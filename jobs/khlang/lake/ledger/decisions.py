"""Decisions of stewards on who a patient is: kept for ever, undone by a further one, taken by a silver batch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, Engine, ForeignKey, Index, String, func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from khlang.errors import SettingsError
from khlang.lake.ledger.audit import append
from khlang.lake.ledger.models import Base
from khlang.lake.ledger.values import Decision

PART, JOIN, UNDO = "part", "join", "undo"


class DecisionRow(Base):
    """One decision; `batch` is the silver batch that took it, null while it waits for one."""

    __tablename__ = "person_decision"
    __table_args__ = (
        Index(
            "uq_person_decision_standing",
            "hospcode",
            "patient_pseudonym",
            unique=True,
            postgresql_where=text("kind <> 'undo' AND NOT is_undone"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    kind: Mapped[str]
    hospcode: Mapped[str] = mapped_column(String(5))
    patient_pseudonym: Mapped[str]
    person_pseudonym: Mapped[str | None]
    undoes: Mapped[int | None] = mapped_column(ForeignKey("person_decision.id"), unique=True)
    cause: Mapped[str]
    actor: Mapped[str]
    decided_at: Mapped[datetime] = mapped_column(server_default=func.now())
    is_undone: Mapped[bool] = mapped_column(server_default=text("false"))
    batch: Mapped[str | None] = mapped_column(ForeignKey("batch.id"), index=True)


class Decisions:
    """The part of the ledger that knows what stewards decided."""

    engine: Engine

    def decide(self, hospcode: str, patient: str, person: str | None, cause: str, actor: str) -> Decision:
        """Part a patient from the person of its CID (`person` None), or join it to a person.

        The next silver batch takes it. Raises SettingsError link.decided when one stands for the patient: who
        wants another undoes that one first.
        """
        row = DecisionRow(
            kind=PART if person is None else JOIN, hospcode=hospcode, patient_pseudonym=patient,
            person_pseudonym=person, cause=cause, actor=actor,
        )  # fmt: skip
        try:
            with Session(self.engine) as session, session.begin():
                return _recorded(session, row)
        except IntegrityError:  # the index uq_person_decision_standing: two stewards at once, too
            words = ("a decision stands for this patient", "มีคำวินิจฉัยของผู้ป่วยรายนี้อยู่แล้ว")
            step = "`khlang link list` shows it; undo it first with `khlang link undo`"
            raise SettingsError("link.decided", *words, f"facility {hospcode}", step) from None

    def undo_decision(self, number: int, cause: str, actor: str) -> Decision:
        """Take a decision back; the next silver batch does. Raises SettingsError link.undone."""
        with Session(self.engine) as session, session.begin():
            undone = (
                update(DecisionRow)
                .where(DecisionRow.id == number, DecisionRow.kind != UNDO, ~DecisionRow.is_undone)
                .values(is_undone=True)
                .returning(DecisionRow.hospcode, DecisionRow.patient_pseudonym)
            )
            found = session.execute(undone).first()
            if found is None:
                words = ("no decision of this number stands", "ไม่มีคำวินิจฉัยเลขที่นี้ที่ยังมีผลอยู่")
                step = "`khlang link list` shows the decisions and their numbers"
                raise SettingsError("link.undone", *words, "DECISION", step)
            row = DecisionRow(
                kind=UNDO, hospcode=found[0], patient_pseudonym=found[1], undoes=number, cause=cause,
                actor=actor,
            )  # fmt: skip
            return _recorded(session, row)

    def decisions(self) -> tuple[Decision, ...]:
        """Every decision, oldest first."""
        with Session(self.engine) as session:
            return tuple(map(_decision, session.scalars(select(DecisionRow).order_by(DecisionRow.id))))

    def taken_decisions(self) -> tuple[Decision, ...]:
        """Decisions that hold for the open silver batch: taken by a batch, and no batch took their undoing.

        What is recorded after a batch was opened waits for the next one, however often this one is resumed.
        """
        undoing = aliased(DecisionRow)
        asked = (
            select(DecisionRow)
            .outerjoin(undoing, undoing.undoes == DecisionRow.id)
            .where(DecisionRow.kind != UNDO, DecisionRow.batch.is_not(None), undoing.batch.is_(None))
            .order_by(DecisionRow.id)
        )
        with Session(self.engine) as session:
            return tuple(map(_decision, session.scalars(asked)))


def waiting_decisions(session: Session) -> Sequence[DecisionRow]:
    """What no silver batch has taken."""
    return session.scalars(select(DecisionRow).where(DecisionRow.batch.is_(None))).all()


def decisions_of(session: Session, batch: str) -> tuple[Decision, ...]:
    """What a batch took, undoings too."""
    asked = select(DecisionRow).where(DecisionRow.batch == batch).order_by(DecisionRow.id)
    return tuple(map(_decision, session.scalars(asked)))


def _recorded(session: Session, row: DecisionRow) -> Decision:
    """A new row with its entry in the audit: its number, never whom it is about."""
    session.add(row)
    session.flush()
    append(session, row.actor, [(f"link.{row.kind}", f"decision {row.id}")])
    session.refresh(row)
    return _decision(row)


def _decision(row: DecisionRow) -> Decision:
    return Decision(
        row.id, row.kind, row.hospcode, row.patient_pseudonym, row.person_pseudonym, row.undoes, row.cause,
        row.actor, row.decided_at, row.is_undone, row.batch,
    )  # fmt: skip
