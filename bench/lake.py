"""A lake of the benchmark's own: stores and database in a folder, jobs run as Airflow runs them, each measured."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from bench.measure import Cost, cost
from khlang.lake import tables
from khlang.lake.ledger import Ledger
from khlang.lake.stores import boto
from khlang.model.contract import contracts
from khlang.settings import OFFSETS, PROJECT, Settings
from khlang.stack.plan import down, up
from khlang.stack.process import running

FIRST_PORT = 19_500
STAGES = ("landing", "bronze", "silver", "gold", "publish")
SERVICES = ("lake-store", "landing-store", "database")


@dataclass(frozen=True)
class BenchLake:
    """One installation for measuring; `more` are settings of its jobs beyond home and ports."""

    home: Path
    base_port: int
    more: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def settings(self) -> Settings:
        """The settings of its stores and database."""
        return Settings(home=self.home, base_port=self.base_port)  # type: ignore[call-arg]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of its jobs."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KHLANG_")}
        own = {"KHLANG_HOME": str(self.home), "KHLANG_BASE_PORT": str(self.base_port)}
        return {**kept, **own, **self.more, "PYTHONPATH": str(PROJECT / "jobs")}

    def with_settings(self, **more: str) -> BenchLake:
        """The same lake, its jobs under other settings."""
        return BenchLake(self.home, self.base_port, {**self.more, **more})

    def command(self, *arguments: str) -> Cost:
        """`khlang ARGUMENTS`, measured with the services that it makes work."""
        command = [sys.executable, "-m", "khlang", *arguments]
        return cost(command, self.environment, PROJECT, self._services())

    def job(self, name: str) -> tuple[Cost, dict[str, Any]]:
        """`khlang run NAME`: its cost and what it did."""
        spent = self.command("run", name, "--json")
        told = [json.loads(line) for line in spent.output.splitlines() if line.startswith("{")]
        return spent, told[-1]["done"]

    def fill_inbox(self, folder: Path) -> int:
        """Put a folder's zips into the inbox, as facilities do; not part of any figure. How many there were."""
        client, bucket = boto(self.settings, "landing"), self.settings.bucket("inbox")
        paths = sorted(folder.glob("*.zip"))
        for path in paths:
            client.put_object(
                Bucket=bucket, Key=f"{path.name[4:9]}/{folder.name}/{path.name}", Body=path.read_bytes()
            )
        return len(paths)

    def current_rows(self) -> dict[str, int]:
        """Table of silver (without the zone) -> its current rows."""
        names = [f"silver.{contract.table}" for contract in contracts().values()]
        visible = Ledger.open(self.settings).visible()
        return {
            name.partition(".")[2]: tables.frame(self.settings, name, visible[name])
            .select(pl.len())
            .collect()
            .item()
            for name in names
        }

    def _services(self) -> dict[str, int]:
        found = {path.stem: running(self.settings.root / "run", path.stem) for path in self._records()}
        return {name: process.pid for name, process in found.items() if process is not None}

    def _records(self) -> list[Path]:
        return sorted((self.settings.root / "run").glob("*.json"))


def _free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def free_base() -> int:
    """A base port of which every service's port is free, with the stores' gRPC ports."""
    for base in range(FIRST_PORT, 22_600, 100):
        ports = [base + offset for offset in OFFSETS.values()]
        if all(map(_free, [*ports, *(port + 10_000 for port in ports if port < base + 20)])):
            return base
    raise OSError("no free ports")


@contextmanager
def lake(home: Path) -> Iterator[BenchLake]:
    """Stores and database started in an empty folder, stopped at the end."""
    home.mkdir(parents=True, exist_ok=True)
    for folder in (home, *home.parents[:2]):
        folder.chmod(folder.stat().st_mode | 0o011)
    made = BenchLake(home, free_base())
    groups = ("stores", "database")
    up(made.settings, groups, lambda *_: None)
    try:
        yield made
    finally:
        down(made.settings, groups, lambda *_: None)
