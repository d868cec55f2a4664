"""What a delivery costs, counted by the stores and by Spark itself: requests, bytes, jobs, tasks. No clock."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
import requests

from bench.country import Country, Made, deliver, registry
from bench.lake import BenchLake, lake
from bench.units import units
from khlang.lake.reader import table
from khlang.model.contract import contracts
from khlang.model.mart import marts, selects

pytestmark = [pytest.mark.stack, pytest.mark.long]

ZIPS = 6
NAMES_BYTES = 6 << 10
"""Most bytes of one zip's sealed names, of the few persons here."""

PER_TABLE = {
    ("bronze", "bronze", "GET", 0): 20, ("bronze", "bronze", "LIST", 0): 9, ("bronze", "bronze", "PUT", 0): 4,
    ("bronze", "bronze", "GET", 1): 16, ("bronze", "bronze", "LIST", 1): 5, ("bronze", "bronze", "PUT", 1): 3,
    ("silver", "bronze", "GET", 1): 8, ("silver", "silver", "GET", 1): 25, ("silver", "silver", "LIST", 1): 5,
    ("silver", "silver", "PUT", 1): 3, ("gold", "silver", "GET", 1): 6, ("gold", "gold", "PUT", 1): 1,
}  # fmt: skip
"""(stage, bucket, verb, day) -> requests for each table of the standard; the first day also makes the tables."""

MADE = sorted(set(marts()) - set(selects()))
"""Marts that gold makes from the ledger."""

STAGES = ("landing", "bronze", "silver", "gold")
_SAMPLE = re.compile(r"^SeaweedFS_s3_(request_total|bucket_traffic_\w+)\{(.*)\} ([0-9.e+]+)$", re.M)
_LABEL = re.compile(r'(\w+)="([^"]*)"')

Counts = Counter[tuple[str, str]]


@dataclass(frozen=True)
class Spent:
    """Requests by (bucket, verb), bytes by (bucket, received or sent), Spark's jobs and tasks."""

    requests: Counts
    bytes: Counts
    jobs: int
    tasks: int

    def of(self, bucket: str) -> int:
        """Requests of all kinds to one bucket."""
        return sum(number for (name, _), number in self.requests.items() if name == bucket)


def _counted(own: BenchLake) -> tuple[Counts, Counts]:
    asked: Counts = Counter()
    moved: Counts = Counter()
    for which in ("lake", "landing"):
        with requests.Session() as session:
            session.trust_env = False
            address = f"http://127.0.0.1:{own.settings.port(f'{which}_metrics')}/metrics"
            page = session.get(address, timeout=30).text
        for name, labels, number in _SAMPLE.findall(page):
            of = dict(_LABEL.findall(labels))
            if name == "request_total":
                asked[of["bucket"], of["type"]] += int(float(number))
            else:
                moved[of["bucket"], name.split("_")[2]] += int(float(number))
    return asked, moved


def _run(own: BenchLake, stage: str) -> Spent:
    """One stage, with the counters read before and after, and Spark's own log of events."""
    events = own.settings.root / "spark" / "events"
    before, seen = _counted(own), set(events.rglob("*"))
    own.command("run", stage)
    logs = [path for path in set(events.rglob("*")) - seen if path.is_file()]
    lines = [line for path in logs for line in path.read_text("utf-8").splitlines() if line.startswith("{")]
    told = Counter(json.loads(line)["Event"] for line in lines)
    asked, moved = (new - old for old, new in zip(before, _counted(own), strict=True))
    return Spent(asked, moved, told["SparkListenerJobStart"], told["SparkListenerTaskEnd"])


@dataclass(frozen=True)
class Days:
    """Two days of six small facilities: what was sent and what each stage cost; the second day repeats most."""

    made: list[Made]
    spent: Mapping[tuple[str, int], Spent]
    cards: Mapping[str, int]


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Days]:
    """A lake of its own, every job in a Spark session."""
    folder = tmp_path_factory.mktemp("counts")
    templates = units(folder / "units", persons=28, facilities=6, months=1, seed=3)
    country = Country(ZIPS, copies=2)
    registry(country, folder / "facilities.csv")
    spent, made = {}, []
    with lake(folder / "lake") as own:
        watched = own.with_settings(KHLANG_SPARK_EVENTS="true", KHLANG_SMALL_ROWS="0")
        own.command("facilities", "load", str(folder / "facilities.csv"))
        for day in (0, 1):
            made.append(deliver(country, day, folder / f"day{day}", templates))
            own.fill_inbox(folder / f"day{day}")
            spent |= {(stage, day): _run(watched, stage) for stage in STAGES}
        cards = {name: table(f"gold.{name}", settings=own.settings).polars().height for name in MADE}
    for (stage, day), one in spent.items():
        print(
            f"\n  {stage}, day {day}: {one.jobs} jobs, {one.tasks} tasks", dict(one.requests), dict(one.bytes)
        )
    yield Days(made, spent, cards)


def test_a_zip_is_read_once_at_the_door_and_costs_four_requests(days: Days) -> None:
    first, second = (days.spent["landing", day] for day in (0, 1))
    told = {("inbox", "LIST"): 1, ("inbox", "GET"): ZIPS, ("inbox", "DELETE"): 1, ("landing", "GET"): ZIPS}
    assert first.requests == {**told, ("landing", "PUT"): 2 * ZIPS}, (
        "a zip, its names, one look at what lies there"
    )
    assert {**second.requests, ("landing", "PUT"): 0} == {**told, ("landing", "PUT"): 0}
    assert ZIPS <= second.requests["landing", "PUT"] <= 2 * ZIPS, (
        "the names of a known content are not kept twice"
    )
    for made, spent in zip(days.made, (first, second), strict=True):
        assert spent.bytes["inbox", "sent"] == made.zipped
        assert made.zipped <= spent.bytes["landing", "received"] <= made.zipped + ZIPS * NAMES_BYTES
        assert made.zipped <= spent.bytes["landing", "sent"] <= made.zipped + ZIPS * 1024


def test_bronze_is_one_job_over_bundles_and_reads_a_zip_and_its_names_once(days: Days) -> None:
    cores = os.cpu_count() or 1
    first, second = (days.spent["bronze", day] for day in (0, 1))
    assert (first.jobs, first.tasks <= max(2, cores)) == (1, True)
    assert (second.jobs <= 2, second.tasks <= 2 * max(2, cores)) == (True, True), (
        "the second job reads withheld texts"
    )
    for made, spent in zip(days.made, (first, second), strict=True):
        assert spent.of("landing") <= 3 * ZIPS
        assert spent.bytes["landing", "sent"] <= 2 * made.zipped


@pytest.mark.parametrize(("stage", "bucket", "verb", "day"), list(PER_TABLE))
def test_a_table_costs_no_more_requests_than_it_did(
    days: Days, stage: str, bucket: str, verb: str, day: int
) -> None:
    spent = days.spent[stage, day].requests[bucket, verb]
    assert 0 < spent <= PER_TABLE[stage, bucket, verb, day] * len(contracts())


def test_silver_is_a_few_jobs_whatever_the_number_of_tables(days: Days) -> None:
    assert days.spent["silver", 0].jobs <= 3
    assert days.spent["silver", 1].jobs <= 5
    assert max(days.spent["silver", day].tasks for day in (0, 1)) <= 2 * len(contracts())


def test_gold_reads_no_more_of_silver_than_silver_wrote(days: Days) -> None:
    for day in (0, 1):
        assert days.spent["gold", day].jobs <= 10 * len(selects()), (
            "marts made from the ledger cost Spark nothing"
        )
        wrote = sum(days.spent["silver", before].bytes["silver", "received"] for before in range(day + 1))
        assert days.spent["gold", day].bytes["silver", "sent"] <= wrote


def test_every_facility_that_sent_has_its_scorecard_and_the_volumes_of_its_files(days: Days) -> None:
    assert MADE == ["facility_file_volume", "facility_scorecard"]
    assert days.cards["facility_scorecard"] >= ZIPS
    assert days.cards["facility_file_volume"] > days.cards["facility_scorecard"]
