"""One writer per zone: a lock in the database, held by the process that commits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from khlang.errors import BusyError, StoreError
from khlang.lake.stores import ledger_url
from khlang.settings import Settings

_WAITED_TOO_LONG = "55P03"  # PostgreSQL: lock_not_available


@dataclass(frozen=True, slots=True)
class Held:
    """A lock that this process holds; `check` right before a commit."""

    zone: str
    connection: Connection
    number: int

    def check(self) -> None:
        """Raise StoreError when the lock is gone: the database restarted, another writer may be at work."""
        asked = text(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted"
            " AND (classid::bigint << 32 | objid::bigint) = :number"
        )
        try:
            held = self.connection.execute(asked, {"number": self.number}).scalar_one()
        except DBAPIError:
            held = 0
        if not held:
            raise StoreError(
                "lock.lost", f"the writer's lock of {self.zone} was lost", place=self.zone,
                next_step="run the job again: it resumes its batch",
            )  # fmt: skip


def number_of(settings: Settings, zone: str) -> int:
    """A zone's advisory lock: a positive 63-bit number, the same in every process of one lake."""
    named = f"khlang/{settings.bucket_prefix}/{zone}".encode()
    return int.from_bytes(hashlib.sha256(named).digest()[:8], "big") >> 1


@contextmanager
def writer(settings: Settings, zone: str) -> Iterator[Held]:
    """Hold the zone's lock on a connection of its own; the database frees it when the process dies.

    Waits settings.lock_wait_seconds for another writer, then raises BusyError.
    """
    wait = settings.lock_wait_seconds
    # A connection outside any pool, with keep-alive: a lock must not outlive its holder's machine for long.
    alive = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
    own = create_engine(
        ledger_url(settings), poolclass=NullPool, connect_args={"application_name": f"khlang {zone}", **alive}
    )
    number = number_of(settings, zone)
    with own.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        try:
            connection.execute(text(f"SET lock_timeout = {max(1, int(wait * 1000))}"))
            connection.execute(text("SELECT pg_advisory_lock(:number)"), {"number": number})
        except OperationalError as refused:
            if getattr(refused.orig, "sqlstate", None) != _WAITED_TOO_LONG:
                raise
            raise BusyError(
                "busy", f"another process has been writing {zone} for more than {wait} s",
                f"มีงานอื่นกำลังเขียนชั้นข้อมูล {zone} อยู่เกิน {wait} วินาที", zone, "wait for it, then run again",
            ) from None  # fmt: skip
        yield Held(zone, connection, number)
