"""The peers of the benchmark do Khlang's work: the same rows refused, the same rows current, on two days."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from bench.country import Country, deliver
from bench.peers import duckdb as duckdb_peer
from bench.peers import polars as polars_peer
from bench.peers.shared_work import done
from bench.units import units
from khlang.conform.conform import Rules, conform
from khlang.conform.member import Member
from khlang.conform.naming import file_of, zip_name
from khlang.conform.text.names import Names
from khlang.model.contract import contracts
from khlang.model.policy import policy
from khlang.settings import PROJECT
from members import KEYS

FILES = ("SERVICE", "DIAGNOSIS_OPD", "CHRONIC", "PERSON", "LABFU")
"""Enough files for the sums; every kind of column; the whole standard takes Spark minutes."""

TOLD = ("raw_rows", "refused", "current_rows", "aggregates")


def two_days(folder: Path) -> list[Path]:
    """Two days of three facilities' zips, with planted faults, cut to few files; day 0 has one line too short."""
    country = Country(3, copies=2)
    templates = units(folder / "units", persons=28, facilities=4, months=2, seed=3)
    days = [folder / "day0", folder / "day1"]
    for day, path in enumerate(days):
        deliver(country, day, path, templates)
        for zipped in sorted(path.glob("*.zip")):
            _cut(zipped)
    return days


SHORT = b"short\n"
"""A line of another width than any header."""


def _cut(path: Path) -> None:
    with zipfile.ZipFile(path) as whole:
        kept = {name: whole.read(name) for name in whole.namelist() if file_of(name) in FILES}
    kept["CHRONIC.txt"] = kept.get("CHRONIC.txt", b"HOSPCODE|PID|DATE_DIAG|CHRONIC|D_UPDATE\n") + SHORT
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as cut:
        for name, body in kept.items():
            cut.writestr(name, body)


def khlangs_own(days: list[Path]) -> list[dict[str, Any]]:
    """What conform makes of the same zips: rows, refused lines, the latest row of every key."""
    current: dict[str, pl.DataFrame] = {}
    told = []
    for day, folder in enumerate(days):
        members: dict[str, list[Member]] = defaultdict(list)
        for path in sorted(folder.glob("*.zip")):
            named = zip_name(path.name)
            assert named is not None
            with zipfile.ZipFile(path) as zipped:
                for position, name in enumerate(zipped.namelist(), 1):
                    body = zipped.read(name)
                    members[str(file_of(name))].append(
                        Member(path.stem, position, named.hospcode, named.sent_at, day, body)
                    )
        raw = refused = 0
        for file, bodies in members.items():
            conformed = conform(bodies, Rules(contracts()[file], policy("lake"), KEYS, Names.merge([])))
            raw += conformed.rows.height
            refused += sum(result.refused for result in conformed.members)
            rows = conformed.rows.filter("_accepted").select("_key", "_sent_at", "_member", "_line")
            rows = pl.concat([current.get(file, rows.clear()), rows]).sort("_sent_at", "_member", "_line")
            current[file] = rows.unique("_key", keep="last")
        counts = {contracts()[file].table: rows.height for file, rows in current.items()}
        told.append({"raw_rows": raw, "refused": refused, "current_rows": counts})
    return told


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return two_days(tmp_path_factory.mktemp("country"))


Loads = tuple[Path, list[dict[str, Any]]]
"""A state folder and what its two loads told."""


@pytest.fixture(scope="module")
def by_polars(days: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Loads:
    state = tmp_path_factory.mktemp("polars")
    return state, [done(polars_peer.load, day, state) for day in days]


@pytest.fixture(scope="module")
def by_duckdb(days: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Loads:
    state = tmp_path_factory.mktemp("duckdb")
    return state, [done(duckdb_peer.load, day, state) for day in days]


def command(name: str, days: list[Path], state: Path) -> list[dict[str, Any]]:
    """Two loads as `make bench` starts them."""
    environment = {**os.environ, "PYTHONPATH": "jobs:.", "JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1"}
    found = []
    for day in days:
        call = [sys.executable, "-m", f"bench.peers.{name}", str(day), str(state)]
        ended = subprocess.run(
            call, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr[-2000:]
        found.append(json.loads(ended.stdout.splitlines()[-1]))
    return found


def outcome(loads: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What must be equal whoever did the work."""
    return [{name: load[name] for name in TOLD} for load in loads]


def test_polars_refuses_and_keeps_the_rows_that_khlang_refuses_and_keeps(
    days: list[Path], by_polars: Loads
) -> None:
    own = khlangs_own(days)
    assert own[0]["refused"] >= 3
    assert [{name: load[name] for name in own[0]} for load in by_polars[1]] == own


def test_duckdb_does_what_polars_does(by_duckdb: Loads, by_polars: Loads) -> None:
    assert outcome(by_duckdb[1]) == outcome(by_polars[1])


def test_duckdb_and_polars_name_the_same_faults_and_keep_the_same_versions(
    by_duckdb: Loads, by_polars: Loads
) -> None:
    place = ["_receipt", "_member", "_line"]
    seen = 0
    with duckdb.connect(str(by_duckdb[0] / "lake.duckdb"), read_only=True) as base:
        for table in (contracts()[file].table for file in FILES):
            theirs = base.execute(f"SELECT {', '.join(place)}, _faults FROM raw.{table}").pl()
            ours = pl.read_delta(str(by_polars[0] / "raw" / table)).select(*place, "_faults")
            assert faults(theirs) == faults(ours), table
            seen += len(faults(ours))
            fields = [
                column.field for column in contracts()[FILES[0]].current if column.type in ("date", "int")
            ]
            if table == "service":
                stored = base.execute(f"SELECT {', '.join(fields)} FROM now.service").pl()
                assert stored.sort(fields).equals(
                    pl.read_delta(str(by_polars[0] / "current" / table)).select(fields).sort(fields)
                )
    assert seen > 10


def faults(rows: pl.DataFrame) -> dict[tuple[Any, ...], frozenset[str]]:
    """Place -> its faults, whatever their order."""
    named = rows.drop_nulls("_faults").iter_rows()
    return {(receipt, member, line): frozenset(text.split(",")) for receipt, member, line, text in named}


@pytest.mark.long
def test_postgresql_does_what_polars_does(days: list[Path], by_polars: Loads, tmp_path: Path) -> None:
    assert outcome(command("postgres", days, tmp_path / "state")) == outcome(by_polars[1])
