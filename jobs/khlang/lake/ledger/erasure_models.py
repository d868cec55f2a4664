"""Tables of the ledger by which persons are erased: pseudonyms only, in columns `*_pseudonym`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from khlang.lake.ledger.models import Base


class ErasureRow(Base):
    """One erasure: whose (as a pseudonym), asked by which office and why, how far it has come.

    `after_arrival`: the newest delivery when it was asked for; later ones are told by the job that reads them.
    """

    __tablename__ = "erasure"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    subject_pseudonym: Mapped[str]
    cause: Mapped[str] = mapped_column(server_default="")
    asked_by: Mapped[str] = mapped_column(server_default="")
    after_arrival: Mapped[int] = mapped_column(BigInteger, server_default="0")
    asked_at: Mapped[datetime] = mapped_column(server_default=func.now())
    done_at: Mapped[datetime | None]
    progress: Mapped[dict[str, Any]] = mapped_column(server_default="{}")


class TombstoneRow(Base):
    """A pseudonym that must not come in again: a person's, one of its patients', of its referrals'.

    Kind `spared`: a patient that only once carried the person's CID.
    """

    __tablename__ = "tombstone"
    __table_args__ = (Index("uq_tombstone_subject", "kind", "subject_pseudonym", unique=True),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    erasure: Mapped[int | None] = mapped_column(ForeignKey("erasure.id"))
    kind: Mapped[str]
    subject_pseudonym: Mapped[str]
    told_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ErasureDeliveryRow(Base):
    """A delivery that erasure looks at: `outcome` clean, redacted or shredded once it did."""

    __tablename__ = "erasure_delivery"

    receipt: Mapped[str] = mapped_column(ForeignKey("delivery.receipt"), primary_key=True)
    asked_at: Mapped[datetime] = mapped_column(server_default=func.now())
    done_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
