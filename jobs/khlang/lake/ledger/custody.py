"""Custody: the deal (digests of shares, never a share), requests for one person, and who approved them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import BigInteger, Engine, ForeignKey, String, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from khlang.errors import PrivacyError, SettingsError
from khlang.lake.ledger.audit import append
from khlang.lake.ledger.models import Base


class CustodyDealRow(Base):
    """One dealing of shares; the newest is in force."""

    __tablename__ = "custody_deal"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    dealt_at: Mapped[datetime] = mapped_column(server_default="now()")
    threshold: Mapped[int]
    secret_digest: Mapped[str] = mapped_column(String(64))
    share_digests: Mapped[list[str]]


class CustodyRequestRow(Base):
    """One question: who is this pseudonym? Open until a moment, opened once."""

    __tablename__ = "custody_request"

    id: Mapped[str] = mapped_column(primary_key=True)
    deal: Mapped[int] = mapped_column(ForeignKey("custody_deal.id"))
    pseudonym: Mapped[str]
    purpose: Mapped[str]
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]
    until: Mapped[datetime]
    public_key: Mapped[bytes]
    opened_at: Mapped[datetime | None]


class CustodyApprovalRow(Base):
    """One custodian's share, sealed so that only who asked opens it; removed when the request was opened."""

    __tablename__ = "custody_approval"

    request: Mapped[str] = mapped_column(ForeignKey("custody_request.id"), primary_key=True)
    custodian: Mapped[int] = mapped_column(primary_key=True)
    sealed: Mapped[bytes]
    approved_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class Deal:
    """How many of the custodians it takes, and by what their shares are known."""

    id: int
    threshold: int
    secret_digest: str
    share_digests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """A question that was asked."""

    id: str
    deal: Deal
    pseudonym: str
    purpose: str
    asked_by: str
    until: datetime
    public_key: bytes = field(repr=False)
    opened_at: datetime | None


class Custody:
    """The part of the ledger that keeps custody; every step stands in the audit with it."""

    engine: Engine

    def deal(self, actor: str, threshold: int, secret_digest: str, share_digests: Sequence[str]) -> int:
        """Record a new dealing; the shares of those before it approve nothing any more."""
        with Session(self.engine) as session, session.begin():
            row = CustodyDealRow(
                threshold=threshold, secret_digest=secret_digest, share_digests=list(share_digests)
            )
            session.add(row)
            session.flush()
            append(session, actor, [("custody.dealt", f"deal {row.id}: {threshold} of {len(share_digests)}")])
            return row.id

    def newest_deal(self) -> Deal:
        """The dealing in force. Raises SettingsError when there is none."""
        with Session(self.engine) as session:
            row = session.scalars(select(CustodyDealRow).order_by(CustodyDealRow.id.desc()).limit(1)).first()
            if row is None:
                words = ("there are no custodians yet", "ยังไม่มีผู้ดูแลกุญแจ")
                raise SettingsError("custody.none", *words, "", "`khlang custody deal` makes their shares")
            return _deal(row)

    def ask(self, request: Request, asked_at: datetime) -> None:
        """Record a question."""
        with Session(self.engine) as session, session.begin():
            row = CustodyRequestRow(
                id=request.id, deal=request.deal.id, pseudonym=request.pseudonym, purpose=request.purpose,
                asked_by=request.asked_by, asked_at=asked_at, until=request.until, public_key=request.public_key,
            )  # fmt: skip
            session.add(row)
            append(session, request.asked_by, [("custody.asked", request.id)])

    def request(self, number: str) -> Request:
        """A question. Raises SettingsError when there is none of that number."""
        with Session(self.engine) as session:
            row = session.get(CustodyRequestRow, number)
            if row is None:
                words = ("there is no such request", "ไม่พบคำขอนี้")
                raise SettingsError(
                    "custody.unknown", *words, number, "`khlang custody ask` printed its number"
                )
            deal = session.get_one(CustodyDealRow, row.deal)
            about = (row.pseudonym, row.purpose, row.asked_by, row.until, row.public_key, row.opened_at)
            return Request(row.id, _deal(deal), *about)

    def approve(self, actor: str, number: str, custodian: int, sealed: bytes, at: datetime) -> int:
        """Add a custodian's share; returns how many there are. Raises PrivacyError when it is there already."""
        try:
            with Session(self.engine) as session, session.begin():
                row = {"request": number, "custodian": custodian, "sealed": sealed, "approved_at": at}
                session.add(CustodyApprovalRow(**row))
                session.flush()
                append(session, actor, [("custody.approved", f"{number} by custodian {custodian}")])
                found = select(CustodyApprovalRow).where(CustodyApprovalRow.request == number)
                return len(session.scalars(found).all())
        except IntegrityError:
            words = (f"custodian {custodian} has approved it already", "ผู้ดูแลกุญแจคนนี้อนุมัติแล้ว")
            raise PrivacyError("custody.twice", *words, number, "another custodian is needed") from None

    def approvals(self, number: str) -> dict[int, bytes]:
        """Custodian -> sealed share."""
        found = select(CustodyApprovalRow).where(CustodyApprovalRow.request == number)
        with Session(self.engine) as session:
            return {
                row.custodian: row.sealed
                for row in session.scalars(found.order_by(CustodyApprovalRow.custodian))
            }

    def refused(self, actor: str, number: str, why: str) -> None:
        """An attempt that was refused stands in the audit."""
        with Session(self.engine) as session, session.begin():
            append(session, actor, [("custody.refused", f"{number}: {why}")])

    def open_request(self, actor: str, number: str, at: datetime) -> None:
        """Opened, before anything is looked up; its shares are removed. Raises PrivacyError the second time."""
        once = (CustodyRequestRow.id == number, CustodyRequestRow.opened_at.is_(None))
        with Session(self.engine) as session, session.begin():
            opened = (
                update(CustodyRequestRow).where(*once).values(opened_at=at).returning(CustodyRequestRow.id)
            )
            if session.execute(opened).first() is None:
                words = ("the request was opened before", "คำขอนี้ถูกเปิดไปแล้ว")
                raise PrivacyError("custody.opened", *words, number, "ask anew, with a purpose of its own")
            for row in session.scalars(
                select(CustodyApprovalRow).where(CustodyApprovalRow.request == number)
            ):
                session.delete(row)
            append(session, actor, [("custody.opened", number)])

    def told(self, actor: str, number: str, found: bool) -> None:
        """How a look-up ended; never whom it found."""
        with Session(self.engine) as session, session.begin():
            append(session, actor, [("custody.shown" if found else "custody.nobody", number)])


def _deal(row: CustodyDealRow) -> Deal:
    return Deal(row.id, row.threshold, row.secret_digest, tuple(row.share_digests))
