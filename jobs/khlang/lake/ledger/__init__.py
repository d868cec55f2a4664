"""The ledger: deliveries, members, batches, versions and releases in a SQL database."""

from __future__ import annotations

from typing import Self

from khlang.lake.ledger.again import Rereading
from khlang.lake.ledger.alarms import Alarm, Alarms, Cause, Settled
from khlang.lake.ledger.audit import Audit
from khlang.lake.ledger.batches import Batches
from khlang.lake.ledger.decisions import Decisions
from khlang.lake.ledger.door import receipt_number
from khlang.lake.ledger.passes import Passes
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
from khlang.settings import Settings

__all__ = [
    "Alarm", "Batch", "Cause", "Change", "Decision", "DeliveredMember", "Delivery", "FileBalance", "Judged", "Ledger",
    "Loaded", "Recount", "Release", "Reread", "SentZip", "Settled", "Stage", "Withheld", "migrate", "receipt_number",
]  # fmt: skip


class Ledger(Batches, Registry, Audit, Withholding, Rereading, Passes, Sent, Alarms, Decisions, Rotations):
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
