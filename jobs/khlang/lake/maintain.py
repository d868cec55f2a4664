"""Upkeep of the tables: checkpoints of their logs, files that nobody needs any more, facilities gone silent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from khlang.lake import tables
from khlang.lake.ledger import Ledger
from khlang.lake.ledger.models import ACCEPTED, DeliveryRow
from khlang.lake.locks import writer
from khlang.settings import Settings

ZONES = ("bronze", "silver", "gold")
KEPT_DAYS = 30
"""Files that no version names, and files of replaced versions, are kept this long (time travel, readers)."""
SILENT_DAYS = 45
"""A facility sends each month: after so many days without an accepted delivery it counts as silent."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What one run did to one zone."""

    tables: int
    checkpoints: int
    files_removed: int


def run(settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Mapping[str, Any]:
    """Keep every zone in turn, under its writer's lock; returns the counts and the silent facilities."""
    with Ledger.open(settings) as ledger:
        visible = ledger.visible()
        done = {}
        for zone in ZONES:
            with writer(settings, zone):
                done[zone] = _keep(settings, [name for name in visible if name.startswith(f"{zone}.")])
        silent = silent_facilities(ledger, clock() - timedelta(days=SILENT_DAYS))
    zones = {
        zone: {"tables": kept.tables, "checkpoints": kept.checkpoints, "files_removed": kept.files_removed}
        for zone, kept in done.items()
    }
    return {"zones": zones, "silent_facilities": silent}


def _keep(settings: Settings, names: list[str]) -> Upkeep:
    """Checkpoint the logs and remove files past their time."""
    checkpoints = removed = 0
    for name in names:
        table = tables.open_table(settings, name)
        if table.version() > 0:
            table.create_checkpoint()
            checkpoints += 1
        gone = table.vacuum(
            retention_hours=KEPT_DAYS * 24, dry_run=False, enforce_retention_duration=True, full=True
        )
        removed += len(gone)
    return Upkeep(len(names), checkpoints, removed)


def silent_facilities(ledger: Ledger, since: datetime) -> list[dict[str, str]]:
    """Registered facilities without an accepted delivery since then, with the day of their last one."""
    asked = (
        select(DeliveryRow.hospcode, func.max(DeliveryRow.arrived_at))
        .where(DeliveryRow.state.in_(ACCEPTED), DeliveryRow.hospcode.is_not(None))
        .group_by(DeliveryRow.hospcode)
    )
    with Session(ledger.engine) as session:
        last = {row[0]: row[1] for row in session.execute(asked)}
    return [
        {
            "hospcode": facility.hospcode,
            "last": f"{last[facility.hospcode]:%Y-%m-%d}" if facility.hospcode in last else "never",
        }
        for facility in ledger.facilities()
        if facility.closed is None and last.get(facility.hospcode, since) <= since
    ]
