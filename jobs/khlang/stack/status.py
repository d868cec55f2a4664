"""Health, addresses, folders and freshness: what `khlang status` shows and tests of others read."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from sqlalchemy import func, select

from khlang.lake.evidence import digests
from khlang.lake.ledger import Alarm, Ledger
from khlang.lake.ledger.models import BatchRow, DeliveryRow, ReleaseRow
from khlang.model.bangkok import in_bangkok
from khlang.settings import Settings
from khlang.stack import process
from khlang.stack.catalogue import services
from khlang.stack.service import Service

CLOSED = ("landing", "keys", "secrets.json")
"""Parts of the home that hold identifiers or keys; a scan of "all but landing" takes everything else."""

SHOWN = 5
"""Alarms that the status names; the others it counts."""


@dataclass(frozen=True, slots=True)
class ServiceState:
    """One service as seen now."""

    name: str
    pid: int | None
    port: int
    healthy: bool
    url: str


@dataclass(frozen=True, slots=True)
class Report:
    """The stack as seen now."""

    services: tuple[ServiceState, ...]
    home: str
    scan_paths: tuple[str, ...]
    landing_paths: tuple[str, ...]
    freshness: dict[str, str | None]
    alarms: dict[str, Any] = field(default_factory=dict)
    rules: dict[str, Any] = field(default_factory=dict)

    @property
    def healthy(self) -> bool:
        """Is every service well?"""
        return all(service.healthy for service in self.services)


def report(settings: Settings) -> Report:
    """Look at every service, side by side."""
    home = settings.root
    with ThreadPoolExecutor(16) as pool:
        states = tuple(pool.map(lambda service: _state(home / "run", service), services(settings)))
    known = _is_well(states, "database")
    return Report(
        services=states,
        home=str(home),
        scan_paths=tuple(sorted(str(path) for path in _parts(home) if path.name not in CLOSED)),
        landing_paths=tuple(str(home / name) for name in CLOSED),
        freshness=freshness(settings) if known else {},
        alarms=open_alarms(settings) if known else {},
        rules=outdated_rules(settings) if known else {},
    )


def show(found: Report, as_json: bool) -> None:
    """Print the report as a table or as one JSON object."""
    if as_json:
        print(json.dumps(asdict(found), ensure_ascii=False))
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"home {found.home}")
    for service in found.services:
        health = "[green]well[/]" if service.healthy else "[red]down[/]"
        console.print(f"  {service.name:<23}{health}  {service.pid or '-':>8}  {service.url}")
    for name, value in found.freshness.items():
        moment = in_bangkok(datetime.fromisoformat(value)) if value else "-"
        console.print(f"  {name.replace('_', ' '):<23}{moment}")
    for kind, count in found.alarms.get("open", {}).items():
        console.print(f"  [red]alarm[/] {kind:<17}{count}  (khlang alarms --kind {kind})")
    for alarm in found.alarms.get("newest", ()):
        console.print(f"    {alarm['hospcode']}  {alarm['what']}")
    _show_rules(console, found.rules)


def _show_rules(console: Console, rules: dict[str, Any]) -> None:
    """What of bronze was loaded under other rules of de-identification, and how to mend it."""
    for batch in rules.get("outdated", ()):
        told = f"{batch['deliveries']} deliveries, {sum(batch['tables'].values())} rows, rules {batch['digest'] or '-'}"
        console.print(f"  [red]outdated[/] {batch['batch']}: {told}, {len(batch['tables'])} tables")
    if rules.get("outdated"):
        console.print(f"    rules in force: {rules['digest']}; `khlang run bronze --rebuild` makes them anew")
    if rules.get("waiting"):
        console.print(
            f"  [red]rebuild[/] {rules['waiting']} deliveries wait: `khlang run bronze --rebuild` goes on"
        )
    if rules.get("purge_due"):
        console.print(
            "  [red]purge[/] files of before the rebuild are there: gold, then `khlang run maintain`"
        )


def _state(run: Path, service: Service) -> ServiceState:
    leader = process.running(run, service.name)
    healthy = leader is not None and service.healthy()
    return ServiceState(service.name, leader.pid if leader else None, service.port, healthy, service.url)


def freshness(settings: Settings) -> dict[str, str | None]:
    """When the newest delivery came, each stage last finished, and the newest release was made (UTC)."""
    with Ledger.open(settings) as ledger, ledger.engine.connect() as connection:
        return {name: _moment(connection.scalar(query)) for name, query in _NEWEST.items()}


def open_alarms(settings: Settings) -> dict[str, Any]:
    """Open alarms: how many of each kind, and the newest few."""
    with Ledger.open(settings) as ledger:
        return {
            "open": ledger.alarm_counts(),
            "newest": [told(alarm) for alarm in ledger.alarms(newest=SHOWN)],
        }


def outdated_rules(settings: Settings) -> dict[str, Any]:
    """The digest of de-identification in force, batches of bronze under another one, what a rebuild has left to do."""
    with Ledger.open(settings) as ledger:
        digest = digests()[2]
        batches = [asdict(one) for one in ledger.outdated(digest)]
        for one in batches:
            one["committed_at"] = one["committed_at"].isoformat(timespec="seconds")
        waiting, due = len(ledger.rebuild_waiting()), ledger.purge_due()
    return {"digest": digest, "outdated": batches, "waiting": waiting, "purge_due": due}


def told(alarm: Alarm) -> dict[str, str]:
    """An alarm in plain values: what machines read."""
    plain = {
        name: getattr(alarm, name) for name in ("kind", "hospcode", "file", "month", "direction", "what")
    }
    return plain | {"raised_at": alarm.raised_at.isoformat(timespec="seconds")}


_NEWEST = {"delivery": select(func.max(DeliveryRow.arrived_at))} | {
    stage: select(func.max(BatchRow.committed_at)).where(BatchRow.stage == stage)
    for stage in ("bronze", "silver", "gold")
}
_NEWEST["release"] = select(func.max(ReleaseRow.released_at))


def _moment(found: datetime | None) -> str | None:
    return None if found is None else found.isoformat(timespec="seconds")


def _is_well(states: tuple[ServiceState, ...], name: str) -> bool:
    return any(state.name == name and state.healthy for state in states)


def _parts(home: Path) -> list[Path]:
    return sorted(home.iterdir()) if home.is_dir() else []
