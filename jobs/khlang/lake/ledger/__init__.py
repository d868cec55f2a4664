"""The ledger: deliveries, members, batches, versions and releases in a SQL database."""

from __future__ import annotations

from typing import Self

from khlang.lake.ledger.again import Rereading
from khlang.lake.ledger.alarms import Alarm, Alarms, Cause, Settled
from khlang.lake.ledger.audit import Audit
from khlang.lake.ledger.batches import Batches
from khlang.lake.ledger.custody import Custody, Deal, Request
from khlang.lake.ledger.decisions import Decisions
from khlang.lake.ledger.door import receipt_number
from khlang.lake.ledger.erasure import Erasing, Erasure, Kept, Met, Subject
from khlang.lake.ledger.passes import Passes
from khlang.lake.ledger.rebuild import Outdated, Rebuilding, Rebuilt
from khlang.lake.ledger.registry import Loaded, Registry, Release
from khlang.lake.ledger.rotation import Rotations
from khlang.lake.ledger.schema import engine, migrate
from khlang.lake.ledger.sent import Sent, SentZip
from khlang.lake.ledger.values import (
    Batch,
    Change,
    Decision,
    DeliveredMember,
    Delivery,
    FileBalance,
    Judged,
    Stage,
)
from khlang.lake.ledger.withheld import Recount, Reread, Withheld, Withholding
from khlang.lake.ledger.wrapped import Wrapped, WrappedKeys
from khlang.settings import Settings

__all__ = [
    "Alarm", "Batch", "Cause", "Change", "Deal", "Decision", "DeliveredMember", "Delivery", "Erasure", "FileBalance",
    "Judged", "Kept", "Ledger", "Loaded", "Met", "Outdated", "Rebuilt", "Recount", "Release", "Request", "Reread",
    "SentZip", "Settled", "Stage", "Subject", "Withheld", "Wrapped", "migrate", "receipt_number",
]  # fmt: skip


class Ledger(
    Batches,
    Registry,
    Audit,
    Withholding,
    Rereading,
    Rebuilding,
    Passes,
    Sent,
    Alarms,
    WrappedKeys,
    Custody,
    Decisions,
    Erasing,
    Rotations,
):
    """The ledger of one lake. Make one per process; it holds a small pool of connections."""

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """The ledger that the settings name; its database must have been migrated."""
        return cls(engine(settings))

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        """The open ledger."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()
