"""Khlang and its peers on the same two days of deliveries, taking turns, several rounds: medians and ratios."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.country import Country, Made, deliver, registry
from bench.day import run_day
from bench.lake import lake
from bench.measure import Cost, cost
from bench.units import Unit
from khlang.settings import PROJECT

PEERS = ("polars", "duckdb", "postgres", "spark")
KHLANG = "khlang"
WORK = ("bronze", "silver")
"""Khlang's stages that do what the peers do."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Run:
    """One contender's two days in one round: seconds and CPU seconds of each, highest memory, rows it ended with."""

    contender: str
    round: int
    seconds: tuple[float, float]
    cpu: tuple[float, float]
    tree_mib: float
    current_rows: Mapping[str, int]
    stages: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Contest:
    """The deliveries of both days, ready on disk, and where the contenders keep their states."""

    folder: Path
    country: Country
    days: tuple[Made, Made]

    def zips(self, day: int) -> Path:
        """Folder of a day's zips."""
        return self.folder / f"day{day}"


def prepare(country: Country, folder: Path, templates: Sequence[Unit]) -> Contest:
    """Write the deliveries of two days and the registry."""
    days = tuple(deliver(country, day, folder / f"day{day}", templates) for day in (0, 1))
    registry(country, folder / "facilities.csv")
    return Contest(folder, country, (days[0], days[1]))


def compete(contest: Contest, contenders: Sequence[str], rounds: int, say: Say) -> list[Run]:
    """Every contender in every round, each round beginning with the next one; states are thrown away."""
    runs = []
    for number in range(rounds):
        turn = number % len(contenders)
        for name in [*contenders[turn:], *contenders[:turn]]:
            state = contest.folder / "state" / name
            shutil.rmtree(state, ignore_errors=True)
            done = _khlang(contest, state, number) if name == KHLANG else _peer(contest, name, state, number)
            shutil.rmtree(state, ignore_errors=True)
            runs.append(done)
            say(f"  round {number + 1} {name}: {done.seconds[0]:.1f} s, {done.seconds[1]:.1f} s")
    return runs


def _khlang(contest: Contest, state: Path, number: int) -> Run:
    """Inbox to gold, twice; the lake is started before the clock runs, as the peers' servers are."""
    with lake(state) as own:
        own.command("facilities", "load", str(contest.folder / "facilities.csv"))
        stages = ("landing", "bronze", "silver", "gold")
        days = [run_day(own, contest.days[day], contest.zips(day), lambda _: None, stages) for day in (0, 1)]
        rows = own.current_rows()
    spent = [day.costs for day in days]
    return Run(
        KHLANG, number,
        (days[0].seconds(), days[1].seconds()),
        (_cpu(spent[0].values()), _cpu(spent[1].values())),
        max(one.tree_mib for day in spent for one in day.values()),
        rows,
        {f"{stage} {day}": round(one.seconds, 2) for day, costs in enumerate(spent) for stage, one in costs.items()},
    )  # fmt: skip


def _peer(contest: Contest, name: str, state: Path, number: int) -> Run:
    """A peer's two days, each in a process of its own over one state."""
    environment = {**os.environ, "PYTHONPATH": f"{PROJECT / 'jobs'}:{PROJECT}"}
    costs, told = [], {}
    for day in (0, 1):
        command = [sys.executable, "-m", f"bench.peers.{name}", str(contest.zips(day)), str(state)]
        costs.append(cost(command, environment, PROJECT))
        told = json.loads(costs[-1].output.strip().splitlines()[-1])
    return Run(
        name, number,
        (costs[0].seconds, costs[1].seconds),
        (costs[0].cpu, costs[1].cpu),
        max(one.tree_mib for one in costs),
        told["current_rows"],
        told["seconds"],
    )  # fmt: skip


def _cpu(costs: Sequence[Cost] | Any) -> float:
    """CPU seconds of jobs and of the services that worked for them."""
    return sum(one.cpu + sum(one.services.values()) for one in costs)


def table(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """One row per contender: medians over the rounds, and how many times as long as Khlang it took.

    `work_ratio` compares with Khlang's bronze and silver alone, both days together: parse to upsert, which is what
    the peers do. None of them seals zips in landing or builds marts.
    """
    own = {day: median(r.seconds[day] for r in runs if r.contender == KHLANG) for day in (0, 1)}
    work = median(
        sum(seconds for stage, seconds in r.stages.items() if stage.split()[0] in WORK)
        for r in runs
        if r.contender == KHLANG
    )
    rows = []
    for name in dict.fromkeys(run.contender for run in runs):
        mine = [run for run in runs if run.contender == name]
        first, second = (median(run.seconds[day] for run in mine) for day in (0, 1))
        rows.append(
            {
                "contender": name,
                "first_day_s": round(first, 1),
                "second_day_s": round(second, 1),
                "cpu_s": round(median(sum(run.cpu) for run in mine), 1),
                "mib": round(max(run.tree_mib for run in mine)),
                "first_day_ratio": round(first / own[0], 2),
                "second_day_ratio": round(second / own[1], 2),
                "work_ratio": round((first + second) / work, 2),
            }
        )
    return rows


def differences(runs: Sequence[Run]) -> list[str]:
    """Contenders whose current rows are not Khlang's, with the tables: the work must be the same."""
    own = next(run.current_rows for run in runs if run.contender == KHLANG)
    found = []
    for name, told in {run.contender: run.current_rows for run in runs}.items():
        other = [
            f"{t} {told.get(t, 0)} for {own.get(t, 0)}"
            for t in sorted({*own, *told})
            if told.get(t, 0) != own.get(t, 0)
        ]
        if other:
            found.append(f"{name}: {', '.join(other)}")
    return found
