"""Invented extracts: facilities -> clusters -> zips and the truth about them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from khlang.model.contract import contracts
from khlang.synth import world as worlds
from khlang.synth.cluster import invented
from khlang.synth.extract import deliveries, encodable
from khlang.synth.facilities import COLUMNS, facilities
from khlang.synth.habits import Habit
from khlang.synth.notes import Noted
from khlang.synth.plan import Plan
from khlang.synth.planting import clean, planted
from khlang.synth.registers import Tables
from khlang.synth.scenario import Arrival, arrivals, specials, stored
from khlang.synth.truth import Truth, action
from khlang.synth.world import World


def run(plan: Plan, out: Path, progress: Callable[[str], None] = lambda _: None) -> dict[str, int]:
    """Write facilities.csv, inbox/ and truth/ under `out`; returns rows by file.

    One cluster at a time is in memory; equal plans write equal bytes.
    """
    every = facilities(plan)
    out.mkdir(parents=True, exist_ok=True)
    every.select(COLUMNS).write_csv(out / "facilities.csv")
    odd, counts, arrived = specials(plan, every), dict.fromkeys(contracts(), 0), []
    first_soul = 0
    with Truth(out) as truth:
        for (number,), chosen in every.group_by("cluster", maintain_order=True):
            world = worlds.build(plan, number, chosen, first_soul)
            first_soul += world.people["at_home"].sum()
            noted = invented(world)
            tables = _sent(world, noted.tables, odd)
            arrived += _written(world, noted, tables, odd, out, truth)
            for file, frame in tables.items():
                counts[file] += frame.height
            progress(f"cluster {number + 1}: {chosen.height} facilities, {world.people.height:,} registrations")
        arrived.sort(key=lambda arrival: (arrival.arrived, arrival.path))
        truth.rows("deliveries", (arrival.row(number) for number, arrival in enumerate(arrived, 1)))
    return counts


def _sent(world: World, tables: Tables, odd: dict[tuple[str, int], str]) -> Tables:
    """Tables with marks of planted faults and `send`: corrected deliveries repeat their month without faults."""
    corrected = [
        (f, month)
        for f, hospcode in enumerate(world.facilities["hospcode"].to_list())
        for month in range(world.plan.months)
        if odd.get((hospcode, month)) == "corrected"
    ]
    again = pl.DataFrame(corrected, schema={"f": pl.Int64, "month": pl.Int64}, orient="row")
    sent = {}
    for file, contract in contracts().items():
        right = clean(_in_layout(world, contract.file, tables[file]))
        second = right.join(again, on=["f", "month"], how="semi").with_columns(send=pl.col("month") * 2 + 1)
        first = encodable(world, contract, planted(world, contract, right).with_columns(send=pl.col("month") * 2))
        stays = first.join(again, on=["f", "month"], how="semi").filter(pl.col("fault") == "parent.missing")
        first = first.with_columns(fault=pl.col("fault")) if stays.is_empty() else first.join(
            stays.select("f", "month", "at", "fault", *contract.key), on=["f", "month", "at", "fault", *contract.key], how="anti"
        )  # fmt: skip
        sent[file] = pl.concat([first, second.select(first.columns)])
    return sent


def _in_layout(world: World, file: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Blank what a facility's old layout does not know."""
    contract = contracts()[file]
    for f, row in enumerate(world.facilities.select("number", "hospcode").iter_rows()):
        known = set(Habit(*row).columns(contract))
        unknown = [column.name for column in contract.current if column.name not in known]
        if unknown:
            mine = pl.col("f") == f
            frame = frame.with_columns(pl.when(mine).then(pl.lit("")).otherwise(pl.col(name)).alias(name) for name in unknown)
    return frame


def _written(
    world: World, noted: Noted, tables: Tables, odd: dict[tuple[str, int], str], out: Path, truth: Truth
) -> list[Arrival]:
    """Store the cluster's zips and note the truth about them; their contents are let go."""
    truth.state(tables)
    truth.people(world, tables, noted)
    arrived: list[Arrival] = []
    for delivery in deliveries(world, tables):
        zips = arrivals(delivery, odd.get((delivery.hospcode, delivery.send // 2), ""))
        truth.delivery(zips[0].path, delivery, noted)
        for arrival in zips:
            stored(out, arrival)
            if arrival.code:
                truth.rows("faults", [(arrival.path, "", "", "", arrival.code, arrival.kind, "", action(arrival.code))])
        arrived += zips
    return arrived
