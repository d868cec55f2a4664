"""The pilot through the whole chain: months in turn, a killed driver, all zips again under other names."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from khlang.bronze.work import members_of
from khlang.conform.conform import Rules, conform
from khlang.conform.member import Member
from khlang.conform.text.names import Names
from khlang.lake.fingerprint import fingerprint
from khlang.lake.keys import KeyStore
from khlang.lake.ledger import Ledger
from khlang.lake.passes import FIRST
from khlang.lake.reader import table
from khlang.lake.stores import boto, credentials, endpoint
from khlang.model.contract import contracts
from khlang.model.policy import policy
from khlang.receipts.lake import receipt_of
from lakes import Lake
from pilot import truth

KILL_AFTER_FILES = 5
"""Files of bronze that must be there before the driver is killed: the batch is half written, not committed."""


@dataclass
class Journey:
    """What the chain did: receipt -> path of its zip, seconds per step, facts to test."""

    lake: Lake
    places: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    killed_in_the_middle: bool = False

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step."""
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

    def deliver(self, sent: Sequence[truth.Sent]) -> None:
        """Hand zips to the front door in their order."""
        with self.step("deliver"):
            told = self.lake.json_lines("deliver", *[str(one.file) for one in sent], expect=(0, 5))
        self.places |= {row["receipt"]: one.path for row, one in zip(told, sent, strict=True)}

    def run(self, job: str, expect: Sequence[int] = (0,)) -> None:
        """Run one job as Airflow does."""
        with self.step(job):
            self.lake.run("run", job, expect=expect)

    def receipts(self) -> dict[str, dict[str, Any]]:
        """Receipt -> what `khlang receipt --json` says of it, read in this process."""
        settings = self.lake.settings
        with Ledger.open(settings) as ledger:
            found = {number: (ledger.delivery(number), ledger.members([number])) for number in self.places}
        return {number: receipt_of(settings, *parts).as_json() for number, parts in found.items()}


def _bronze_objects(lake: Lake) -> int:
    """Parquet objects in bronze."""
    client = boto(lake.settings, "lake")
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=lake.settings.bucket("bronze"))
    return sum(entry["Key"].endswith(".parquet") for page in pages for entry in page.get("Contents", []))


def kill_bronze(journey: Journey) -> None:
    """Start the bronze job and kill its driver (SIGKILL) while its workers write."""
    lake = journey.lake
    driver = lake.start("run", "bronze")
    while driver.poll() is None and _bronze_objects(lake) < KILL_AFTER_FILES:
        time.sleep(0.05)
    journey.killed_in_the_middle = driver.poll() is None
    os.kill(driver.pid, signal.SIGKILL)
    driver.communicate(timeout=60)


def renamed(sent: Sequence[truth.Sent], folder: Path, seed: int = 7) -> list[Path]:
    """Copies of the accepted zips under later times in their names, in another order."""
    copies = []
    shuffled = [one for one in sent if one.verdict == "accepted"]
    random.Random(seed).shuffle(shuffled)
    for number, one in enumerate(shuffled):
        facility = one.file.name.split("_")[1]
        copy = folder / f"F43_{facility}_2026112{number % 10}{number // 60:02}{number % 60:02}07.zip"
        shutil.copyfile(one.file, copy)
        copies.append(copy)
    return copies


def silver_hashes(journey: Journey) -> dict[str, str]:
    """Silver table -> hash of its rows: contract columns and person_key (exact rules, 15)."""
    hashes = {}
    for contract in contracts().values():
        rows = table(f"silver.{contract.table}", settings=journey.lake.settings).polars()
        columns = [name for name in rows.columns if not name.startswith("_")]
        hashes[contract.table] = fingerprint(rows, columns)
    return hashes


def travel(lake: Lake) -> Journey:
    """Month one on Spark's workers with a killed bronze driver, the other months as they come, gold and publish."""
    journey = Journey(lake)
    sent = truth.deliveries()
    lake.run("facilities", "load", str(truth.FOLDER / "facilities.csv"))
    journey.deliver([one for one in sent if one.month == "1"])
    journey.lake = replace(lake, more=(("KHLANG_SMALL_ROWS", "0"),))
    kill_bronze(journey)
    journey.run("bronze")
    journey.run("silver")
    journey.lake = lake
    journey.deliver([one for one in sent if one.month != "1"])
    for job in ("bronze", "silver", "gold", "publish"):
        journey.run(job)
    return journey


def print_table(title: str, lines: Sequence[str], seconds: Mapping[str, float] = {}) -> None:
    """Print a table of the suite; pytest shows it with -s or in its report."""
    print(f"\n{title}")
    for line in lines:
        print(f"  {line}")
    for name, took in seconds.items():
        print(f"  {name:<20} {took:>7.1f} s")


def duckdb_secret(settings: Any) -> str:
    """DuckDB's way to the lake store."""
    access, secret = credentials(settings, "lake")
    host = endpoint(settings, "lake").removeprefix("http://")
    return (
        f"CREATE SECRET (TYPE s3, KEY_ID '{access}', SECRET '{secret}', ENDPOINT '{host}', "
        "URL_STYLE 'path', USE_SSL false)"
    )


SAMPLED = ("PERSON", "DIAGNOSIS_OPD", "CARD", "CHARGE_OPD")
"""Large tables without free text: names that came with later months do not change them."""


def conformed_again(journey: Journey) -> dict[str, tuple[str, str]]:
    """Table -> (hash of conform run here over month one's zips, hash of what bronze stores of them).

    The same keys, no Spark, no kill: what an undisturbed run loads.
    """
    settings = journey.lake.settings
    month_one = {one.path for one in truth.deliveries() if one.month == "1"}
    receipts = [receipt for receipt, path in journey.places.items() if path in month_one]
    with Ledger.open(settings) as ledger:
        loaded = [d for d in ledger.deliveries(receipts) if d.state == "current"]
        members = [
            [m.receipt, m.position, m.file, d.hospcode, d.sent_at.isoformat(), d.arrival, d.place, m.bytes]
            for d in loaded
            for m in ledger.members([d.receipt])
            if m.file in SAMPLED and d.sent_at is not None
        ]
    bodies: dict[str, list[Member]] = defaultdict(list)
    for file, member in members_of(settings, members):
        assert member.read is None, "the pilot has no large member"
        bodies[file].append(member)
    keys, nobody = KeyStore.open(settings).pseudonymiser("lake"), Names.merge([])
    hashes = {}
    for file in SAMPLED:
        again = conform(bodies[file], Rules(contracts()[file], policy("lake"), keys, nobody)).rows
        stored = table(f"bronze.{file.lower()}", settings=settings).lazy()
        mine = stored.filter(pl.col("_receipt").is_in(receipts) & (pl.col("_pass") == FIRST)).collect()
        hashes[file] = (fingerprint(again, again.columns), fingerprint(mine, again.columns))
    return hashes
