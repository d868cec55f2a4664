"""Wrapped data keys of deliveries: rewrapped one by one, and a key-encryption key retired when none is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Engine, func, select, text, update

from khlang.errors import PrivacyError
from khlang.lake.ledger.models import DeliveryRow, KeyVersionRow

_KEYS = 4_305_206
"""Advisory lock: shared by who records a data key (trigger delivery_key_alive), whole for who retires a key."""


_REWRAP = """
UPDATE delivery SET wrapped_key = anew.fresh, key_version = anew.version
FROM unnest(CAST(:receipts AS text[]), CAST(:old AS bytea[]), CAST(:fresh AS bytea[]), CAST(:versions AS int[]))
    AS anew (receipt, old, fresh, version)
WHERE delivery.receipt = anew.receipt AND delivery.wrapped_key = anew.old
"""


_HAS_KEY = DeliveryRow.wrapped_key != b""
"""An erasure that destroyed a delivery's key left an empty one."""


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A delivery's data key as it is stored."""

    receipt: str
    wrapped: bytes = field(repr=False)
    version: int


class WrappedKeys:
    """The part of the ledger that a rotation of key-encryption keys changes."""

    engine: Engine

    def wrapped_below(self, version: int, after: str, count: int) -> list[Wrapped]:
        """Data keys under older versions, by receipt, some at a time."""
        columns = (DeliveryRow.receipt, DeliveryRow.wrapped_key, DeliveryRow.key_version)
        older = select(*columns).where(
            DeliveryRow.key_version < version, DeliveryRow.receipt > after, _HAS_KEY
        )
        with self.engine.connect() as connection:
            return [
                Wrapped(*row) for row in connection.execute(older.order_by(DeliveryRow.receipt).limit(count))
            ]

    def rewrap(self, changed: Sequence[tuple[Wrapped, bytes, int]]) -> int:
        """(as it was, wrapped anew, version): only what is still as it was; returns how many were."""
        columns = {
            "receipts": [old.receipt for old, _, _ in changed],
            "old": [old.wrapped for old, _, _ in changed],
            "fresh": [wrapped for _, wrapped, _ in changed],
            "versions": [version for _, _, version in changed],
        }
        with self.engine.begin() as connection:
            return connection.execute(text(_REWRAP), columns).rowcount

    def wrapped_under(self, version: int) -> int:
        """How many deliveries' data keys are under a version."""
        asked = select(func.count()).where(DeliveryRow.key_version == version, _HAS_KEY)
        with self.engine.connect() as connection:
            return int(connection.scalar(asked) or 0)

    def retire_key(self, purpose: str, version: int, used: int = 0) -> None:
        """From now on nothing may be recorded under this key. Raises PrivacyError while anything is.

        `used`: what is under it outside the ledger. A delivery that is being recorded is waited for.
        """
        with self.engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _KEYS})
            if purpose == "vault":
                asked = select(func.count()).where(DeliveryRow.key_version == version, _HAS_KEY)
                used += int(connection.scalar(asked) or 0)
            if used:
                words = f"{used} data keys are still wrapped under {purpose} v{version}"
                step = f"`khlang keys rotate {purpose}` rewraps them; then retire it"
                raise PrivacyError("key.used", words, "ยังมีข้อมูลที่ใช้กุญแจนี้อยู่", f"{purpose} v{version}", step)
            place = (KeyVersionRow.purpose == purpose, KeyVersionRow.version == version)
            fresh = update(KeyVersionRow).where(*place, KeyVersionRow.retired_at.is_(None))
            connection.execute(fresh.values(retired_at=func.now()))

    def is_retired(self, purpose: str, version: int) -> bool:
        """Whether a version was retired."""
        place = (KeyVersionRow.purpose == purpose, KeyVersionRow.version == version)
        with self.engine.connect() as connection:
            return connection.scalar(select(KeyVersionRow.retired_at).where(*place)) is not None
