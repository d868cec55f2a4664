"""Invented extracts: facilities -> clusters -> zips and the truth about them."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import polars as pl

from khlang.model.contract import contracts
from khlang.synth import world as worlds
from khlang.synth.cluster import invented
from khlang.synth.extract import deliveries, stored
from khlang.synth.facilities import COLUMNS, facilities
from khlang.synth.plan import Plan


def run(plan: Plan, out: Path, progress: Callable[[str], None] = lambda _: None) -> dict[str, int]:
    """Write facilities.csv, inbox/ and truth/ under `out`; returns rows by file.

    One cluster at a time is in memory; equal plans write equal bytes.
    """
    every = facilities(plan)
    truth = out / "truth"
    truth.mkdir(parents=True, exist_ok=True)
    every.select(COLUMNS).write_csv(out / "facilities.csv")
    counts: dict[str, int] = dict.fromkeys(contracts(), 0)
    files: list[tuple[str, str, str, int, int]] = []
    states: list[tuple[str, str, int]] = []
    first_soul = 0
    for number in range(every["cluster"].max() + 1):  # type: ignore[operator]
        chosen = every.filter(pl.col("cluster") == number)
        world = worlds.build(plan, number, chosen, first_soul)
        first_soul += world.people["at_home"].sum()
        tables = invented(world)
        for file, frame in tables.items():
            counts[file] += frame.height
            keyed = frame.group_by("HOSPCODE").agg(rows=pl.struct(list(contracts()[file].key)).n_unique()).sort("HOSPCODE")
            states += [(file, *row) for row in keyed.iter_rows()]
        for delivery in deliveries(world, tables):
            stored(out, delivery)
            files += [(delivery.path, name, _file(name), content.count(b"\n") - 1, 0) for name, content in delivery.members.items()]
        progress(f"cluster {number}: {chosen.height} facilities, {world.people.height} registrations")
    _write(truth / "files.csv", ["zip", "member", "table", "lines", "refused"], files)
    _write(truth / "state_counts.csv", ["table", "hospcode", "rows"], states)
    return counts


def _file(name: str) -> str:
    """File of the standard behind a member's name."""
    stem = name.rsplit("/", 1)[-1].upper()
    return max((file for file in contracts() if stem.startswith((file + ".", file + "_"))), key=len)


def _write(path: Path, header: list[str], rows: list[tuple[object, ...]]) -> None:
    """One CSV of the truth."""
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
