"""Persons full of identifiers through the whole chain, then every byte outside landing searched for each of them."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

from khlang.lake.ledger import Ledger
from khlang.lake.scan.canaries import Canaries as Searched
from khlang.lake.scan.everything import Say, scan_everything
from khlang.lake.scan.report import Report
from khlang.lake.stores import boto
from khlang.prove.ground import Ground, ground
from khlang.prove.places import Found, grouped
from khlang.synth import job
from khlang.synth.canary_zips import FACILITIES, Canaries, invent
from khlang.synth.plan import Plan

MEAN = 520
"""Persons of a facility's catchment, on average."""
PLANTED = 5
"""Of so many persons, one belongs to the facilities whose rows are full of identifiers."""
JOBS = ("landing", "bronze", "silver", "gold", "publish", "alarms", "maintain")
SPARK = {"KHLANG_SMALL_ROWS": "0"}
"""So that rows pass through the JVM, its spills and its event logs too."""
EXPORTED = ("bronze.person", "silver.person", "silver.service", "silver.drug_opd", "gold.indicator_published")
Tell = Callable[[str], None]


@dataclass(slots=True, frozen=True)
class Proof:
    """What was searched for, where, and how long each step took."""

    report: Report
    found: tuple[Found, ...]
    kinds: dict[str, int]
    persons: int
    zips: int
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Steps:
    """Says what is done and remembers how long it took."""

    tell: Tell
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        begun = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - begun
        self.tell(f"  {name:<22}{self.seconds[name]:7.1f} s")


def prove(persons: int, seed: int, airflow: bool, keep: Path | None, tell: Tell, say: Say) -> Proof:
    """The whole proof on a stack of its own; the stack ends with it."""
    step = _Steps(tell)
    groups = "stores,database,airflow" if airflow else "stores,database"
    with step("stack and proof"), ground(keep, groups) as own:
        with step("invent"):
            canaries, values, people, zips = _invented(own, persons, seed)
        with step("deliver"):
            _deliver(own, canaries)
        with step("jobs"):
            _by_airflow(own, zips, tell) if airflow else _by_jobs(own, step)
        with step("ask and fail"):
            _ask(own)
        with step("search"):
            report = scan_everything(own.settings, Searched.of(values), say=say)
        found = tuple(grouped(report.hits(), own.settings.root))
    kinds = dict(values["kind"].str.split(",").list.first().value_counts().sort("kind").iter_rows())
    return Proof(report, found, kinds, people, zips, step.seconds)


def _invented(own: Ground, persons: int, seed: int) -> tuple[Canaries, pl.DataFrame, int, int]:
    """A usual set with faults, and zips full of identifiers; the values of both, persons and zips."""
    facilities = max(4, -(-persons // MEAN))
    plan = Plan(facilities, 1, persons // facilities, date(2026, 9, 1), seed, "many")
    job.run(plan, own.outside / "set")
    canaries = invent(seed, max(persons // PLANTED, 40))
    for number, sent in enumerate(canaries.sent):
        path = own.outside / "canaries" / f"{number:03}" / sent.name
        if not sent.key:
            path.parent.mkdir(parents=True)
            path.write_bytes(sent.content)
    truth = pl.read_csv(own.outside / "set" / "truth" / "identifiers.csv", infer_schema=False)
    known = truth.filter(pl.col("scan") == "true").with_columns(pl.lit(True).alias("scan"))
    values = pl.concat([known, canaries.mint.frame()]).unique("value", keep="last", maintain_order=True)
    invented = pl.read_csv(own.outside / "set" / "truth" / "persons.csv", infer_schema=False)
    people = (
        invented["person"].n_unique() + sum(way == "person" for _, way in canaries.mint.made.values()) // 6
    )
    zips = len(list((own.outside / "set" / "inbox").rglob("*.zip"))) + len(canaries.sent)
    return canaries, values, people, zips


def _registry(own: Ground) -> Path:
    """The set's facilities and ours."""
    rows = list(csv.DictReader(io.StringIO((own.outside / "set" / "facilities.csv").read_text("utf-8"))))
    ours = [
        rows[0] | {"hospcode": code, "hospcode9": f"ZZ{code:>07}", "name": f"รพ.สต.สมมุติ {code}"}
        for code in FACILITIES
    ]
    path = own.outside / "facilities.csv"
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, rows[0])
        writer.writeheader()
        writer.writerows([*rows, *ours])
    return path


def _deliver(own: Ground, canaries: Canaries) -> None:
    """Through the command, and as objects of the inbox."""
    own.run("facilities", "load", str(_registry(own)))
    client, bucket = boto(own.settings, "landing"), own.settings.bucket("inbox")
    for folder in ("canaries", "set/inbox"):
        own.run("deliver", str(own.outside / folder), expect=(0, 5))
    for sent in canaries.sent:
        if sent.key:
            client.put_object(
                Bucket=bucket, Key=sent.key, Body=sent.content, Metadata=dict(sent.told), ContentType=sent.media
            )  # fmt: skip


def _by_jobs(own: Ground, step: _Steps) -> None:
    """The jobs in their order; bronze and silver on Spark."""
    for name in JOBS:
        with step(name):
            through = Ground(own.settings, own.outside, SPARK if name in ("bronze", "silver") else {})
            through.run("run", name, expect=(0, 5, 99))


def _by_airflow(own: Ground, zips: int, tell: Tell) -> None:
    """Airflow's scheduler carries them: its logs and its database are searched too."""
    from rich.console import Console

    from khlang.demo.scheduler import Scheduler
    from khlang.demo.watch import DAGS, Watch

    scheduler = Scheduler(own.settings)
    scheduler.await_dags(DAGS, seconds=180)
    with Ledger.open(own.settings) as ledger:
        began = datetime.now(UTC).replace(microsecond=0)
        watch = Watch(scheduler, ledger, began, 0, Console(stderr=True))
        for dag in DAGS:
            scheduler.unpause(dag)
        scheduler.trigger("ingest")
        watch.until_published(1200)
    tell(f"  published by Airflow after {zips} zips")


def _ask(own: Ground) -> None:
    """Receipts, lists and exports of every form into the home, where they are searched; a few forced failures."""
    shown = own.settings.root / "tmp" / "exports"
    shown.mkdir(exist_ok=True)
    with Ledger.open(own.settings) as ledger:
        numbers = [
            d.receipt for d in ledger.deliveries() if d.hospcode in FACILITIES or d.state == "rejected"
        ]
    for number in numbers[:8]:
        own.run("receipt", number, "--html", str(shown / f"{number}.html"))
        own.run("receipt", number, "--json")
    for code in FACILITIES:
        own.run("receipts", code)
    for table in EXPORTED:
        kind = "parquet" if table.startswith("bronze") else "csv"
        own.run("table", table, "--export", str(shown / f"{table}.{kind}"))
    own.run("withdraw", numbers[0], "--cause", "wrong month")
    nothing = Ground(own.settings, own.outside, {"KHLANG_KEY_STORE": f"file:{own.outside}/none.json"})
    nothing.run("run", "bronze", expect=(4, 3, 2, 1, 99))
    nowhere = "postgresql+psycopg://khlang:wrong@127.0.0.1:9/khlang"
    unreachable = Ground(own.settings, own.outside, {"KHLANG_DATABASE_URL": nowhere})
    unreachable.run("run", "silver", expect=tuple(range(1, 99)))
