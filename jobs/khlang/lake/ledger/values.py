"""What the ledger hands out: frozen values, never rows of an open session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from khlang.conform.unpack import Entry

Stage = Literal["bronze", "silver", "gold", "publish"]
BEFORE: Mapping[Stage, Stage] = {"silver": "bronze", "gold": "silver", "publish": "gold"}
"""Stage -> the stage whose committed batches it takes; bronze takes deliveries."""

ROTATE = "rotate"
"""Stage of a rotation of the lake's key: it rewrites bronze and silver, and gold takes it like a silver batch."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One zip as the ledger knows it. `sent_at`: the earliest name time its content ever came under.

    `sender`: the facility whose credential uploaded it, when that is known.
    """

    receipt: str
    arrival: int
    arrived_at: datetime
    hospcode: str | None
    name: str
    name_time: datetime | None
    sent_at: datetime | None
    size: int
    sha256: str
    place: str
    wrapped_key: bytes = field(repr=False)
    key_version: int
    sender: str | None = None
    content: str | None = None
    state: str = "received"
    code: str | None = None
    duplicate_of: str | None = None


@dataclass(frozen=True, slots=True)
class DeliveredMember:
    """One file of an accepted zip; counts are None until bronze has read it. `name` is safe to show."""

    receipt: str
    position: int
    name: str
    file: str | None
    bytes: int
    sha256: str
    codes: tuple[str, ...] = ()
    delivered: int | None = None
    accepted: int | None = None
    refused: int | None = None
    repeated: int | None = None
    repaired: int | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """The door's verdict on a received zip: the code that refuses it, or its content and members."""

    receipt: str
    code: str | None
    content: str | None = None
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """Why silver must resolve a delivery again: `retimed` (sent_at moved) or `withdrawn`."""

    receipt: str
    kind: str
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a steward decided on a patient: `part` it from the person of its CID, `join` it to one, or `undo` that.

    `patient` and `person` are pseudonyms; `batch` is the silver batch that took it.
    """

    id: int
    kind: str
    hospcode: str
    patient: str
    person: str | None
    undoes: int | None
    cause: str
    actor: str
    decided_at: datetime
    is_undone: bool
    batch: str | None

    @property
    def person_key(self) -> str:
        """The key that the patient's rows get: the person's, or the patient's own."""
        return self.person or self.patient


@dataclass(frozen=True, slots=True)
class Batch:
    """One run of a stage. `deliveries` in order of arrival (of the source batches, from silver on).

    `decisions`: what stewards decided or undid since the silver batch before.
    """

    id: str
    stage: Stage
    deliveries: tuple[Delivery, ...]
    sources: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    resumed: bool = False
    decisions: tuple[Decision, ...] = ()


@dataclass(frozen=True, slots=True)
class FileBalance:
    """Lines of one file of the standard over all loaded deliveries: delivered = accepted + refused."""

    file: str
    members: int
    delivered: int
    accepted: int
    refused: int
    repaired: int
