"""Tables of the ledger: what was delivered, what became of it, and which table versions may be seen."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Sequence,
    String,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

STATES = ("received", "checked", "loaded", "current", "rejected", "duplicate", "withdrawn")
MOVES = {
    "received": ("checked", "rejected", "duplicate", "withdrawn"),
    "checked": ("loaded", "withdrawn"),
    "loaded": ("current", "withdrawn"),
    "current": ("withdrawn",),
}
"""State -> the states it may move to; the database refuses every other move (trigger delivery_forward)."""

ACCEPTED = ("checked", "loaded", "current")
"""States of a delivery whose content counts: the same content again is a duplicate."""

Instant = DateTime(timezone=True)
WallClock = DateTime(timezone=False)


class Base(DeclarativeBase):
    """Base of all tables; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {str: Text, datetime: Instant, dict[str, Any]: JSONB, list[str]: ARRAY(Text)}


arrival_order = Sequence("delivery_arrival", data_type=BigInteger, metadata=Base.metadata)
"""Order of arrival: decides only between different contents with the same name time."""


class FacilityRow(Base):
    """One facility of the registry as it was valid for a time."""

    __tablename__ = "facility"
    __table_args__ = (
        Index("uq_facility_in_force", "hospcode", unique=True, postgresql_where=text("valid_to IS NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    hospcode: Mapped[str] = mapped_column(String(5), index=True)
    hospcode9: Mapped[str]
    name: Mapped[str]
    level: Mapped[str]
    hostype: Mapped[str]
    province: Mapped[str]
    health_region: Mapped[int]
    ampur: Mapped[str]
    tambon: Mapped[str]
    opened: Mapped[date | None]
    closed: Mapped[date | None]
    successor: Mapped[str] = mapped_column(String(5), server_default="")
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime | None]


class FacilityPassRow(Base):
    """The passphrase by which a facility signs in, as an argon2 hash; a new one has the next version."""

    __tablename__ = "facility_pass"

    hospcode: Mapped[str] = mapped_column(String(5), primary_key=True)
    hash: Mapped[str]
    version: Mapped[int]
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]


class DeliveryRow(Base):
    """One zip as received; `name` is its receipt number when its own name is not of the standard's form."""

    __tablename__ = "delivery"
    __table_args__ = (
        Index("ix_delivery_waiting", "state", "arrival"),
        # Two doors at once: the second of one content fails here, whatever it looked up before.
        Index(
            "uq_delivery_content",
            "hospcode",
            "content",
            unique=True,
            postgresql_where=text("state IN ('checked', 'loaded', 'current')"),
        ),
    )

    receipt: Mapped[str] = mapped_column(primary_key=True)
    arrival: Mapped[int] = mapped_column(BigInteger, unique=True)
    arrived_at: Mapped[datetime]
    hospcode: Mapped[str | None] = mapped_column(String(5), index=True)
    sender: Mapped[str | None] = mapped_column(String(5), index=True)
    name: Mapped[str]
    name_time: Mapped[datetime | None] = mapped_column(WallClock)
    sent_at: Mapped[datetime | None] = mapped_column(WallClock)
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    content: Mapped[str | None] = mapped_column(String(64))
    place: Mapped[str]
    wrapped_key: Mapped[bytes]
    key_version: Mapped[int]
    state: Mapped[str] = mapped_column(server_default="received")
    code: Mapped[str | None]
    duplicate_of: Mapped[str | None] = mapped_column(ForeignKey("delivery.receipt"))
    moved_at: Mapped[datetime] = mapped_column(server_default=func.now())


class MemberRow(Base):
    """One file of an accepted zip; the counts are null until bronze has read it."""

    __tablename__ = "member"

    receipt: Mapped[str] = mapped_column(ForeignKey("delivery.receipt"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    file: Mapped[str | None]
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    codes: Mapped[list[str]] = mapped_column(server_default="{}")
    delivered: Mapped[int | None] = mapped_column(BigInteger)
    accepted: Mapped[int | None] = mapped_column(BigInteger)
    refused: Mapped[int | None] = mapped_column(BigInteger)
    repeated: Mapped[int | None] = mapped_column(BigInteger)
    repaired: Mapped[int | None] = mapped_column(BigInteger)


class FaultCountRow(Base):
    """How often a fault stands in a column of a member; column "" for faults of no column."""

    __tablename__ = "fault_count"
    __table_args__ = (ForeignKeyConstraint(["receipt", "position"], ["member.receipt", "member.position"]),)

    receipt: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    column: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)


class ChangeRow(Base):
    """What silver must resolve again although no new rows came: a moved time, a withdrawn delivery."""

    __tablename__ = "change"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    receipt: Mapped[str] = mapped_column(ForeignKey("delivery.receipt"), index=True)
    kind: Mapped[str]
    cause: Mapped[str | None]
    sent_at: Mapped[datetime | None] = mapped_column(WallClock)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    batch: Mapped[str | None] = mapped_column(ForeignKey("batch.id"), index=True)


class BatchRow(Base):
    """One run of a stage over all that was new; open until everything it wrote is visible."""

    __tablename__ = "batch"
    __table_args__ = (Index("uq_batch_open", "stage", unique=True, postgresql_where=text("state = 'open'")),)

    id: Mapped[str] = mapped_column(primary_key=True)
    stage: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="open")
    git_sha: Mapped[str]
    contract_digest: Mapped[str]
    policy_digest: Mapped[str]
    opened_at: Mapped[datetime] = mapped_column(server_default=func.now())
    committed_at: Mapped[datetime | None]


class BatchDeliveryRow(Base):
    """A delivery in a batch."""

    __tablename__ = "batch_delivery"

    batch: Mapped[str] = mapped_column(ForeignKey("batch.id"), primary_key=True)
    receipt: Mapped[str] = mapped_column(ForeignKey("delivery.receipt"), primary_key=True, index=True)


class BatchSourceRow(Base):
    """The committed batch of the stage before that a batch builds on; used once."""

    __tablename__ = "batch_source"

    batch: Mapped[str] = mapped_column(ForeignKey("batch.id"), primary_key=True)
    source: Mapped[str] = mapped_column(ForeignKey("batch.id"), primary_key=True, unique=True)


class BatchTableRow(Base):
    """What a batch did to a table: the version it left, and its counts."""

    __tablename__ = "batch_table"

    batch: Mapped[str] = mapped_column(ForeignKey("batch.id"), primary_key=True)
    table: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    counts: Mapped[dict[str, Any]] = mapped_column(server_default="{}")


class TableVersionRow(Base):
    """The version map: the version of a table that readers open."""

    __tablename__ = "table_version"

    table: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    batch: Mapped[str] = mapped_column(ForeignKey("batch.id"))
    moved_at: Mapped[datetime] = mapped_column(server_default=func.now())


class KeyVersionRow(Base):
    """A key that was in use: its one-way id, never its bytes; since when stored pseudonyms are of it."""

    __tablename__ = "key_version"

    purpose: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    key_id: Mapped[str]
    created: Mapped[datetime]
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    in_force_since: Mapped[datetime | None]


class PolicyDigestRow(Base):
    """A de-identification policy that was in force."""

    __tablename__ = "policy_digest"

    audience: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ReleaseRow(Base):
    """One publication: what was let out, from which versions."""

    __tablename__ = "release"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    released_at: Mapped[datetime] = mapped_column(server_default=func.now())
    as_of: Mapped[datetime]
    table_versions: Mapped[dict[str, Any]]
    git_sha: Mapped[str]
    rows: Mapped[int] = mapped_column(BigInteger)


class ErasureRow(Base):
    """One erasure: whose (as a pseudonym), how far it has come."""

    __tablename__ = "erasure"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    subject: Mapped[str]
    asked_at: Mapped[datetime] = mapped_column(server_default=func.now())
    done_at: Mapped[datetime | None]
    progress: Mapped[dict[str, Any]] = mapped_column(server_default="{}")


class AuditRow(Base):
    """One act that must be provable; `hash` covers the act and the hash before it."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))
