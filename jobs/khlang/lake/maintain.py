"""Upkeep of the tables: checkpoints of their logs, files that nobody needs any more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from khlang.lake import purge, tables
from khlang.lake.ledger import Ledger
from khlang.lake.locks import writer
from khlang.settings import Settings

ZONES = ("bronze", "silver", "gold")
KEPT_DAYS = 30
"""Files that no version names, and files of replaced versions, are kept this long (time travel, readers)."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What one run did to one zone."""

    tables: int
    checkpoints: int
    files_removed: int


def run(settings: Settings) -> Mapping[str, Any]:
    """Keep every zone in turn, under its writer's lock; returns the counts.

    After a rebuild that gold has followed, what tables held before it goes at once.
    """
    with Ledger.open(settings) as ledger:
        if ledger.purge_due() and ledger.all_followed():
            purge.run(settings)
        visible = ledger.visible()
        done = {}
        for zone in ZONES:
            with writer(settings, zone):
                done[zone] = _keep(settings, [name for name in visible if name.startswith(f"{zone}.")])
    zones = {
        zone: {"tables": kept.tables, "checkpoints": kept.checkpoints, "files_removed": kept.files_removed}
        for zone, kept in done.items()
    }
    return {"zones": zones}


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
