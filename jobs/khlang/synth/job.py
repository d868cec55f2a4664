"""Invented extracts: facilities -> clusters -> zips and the truth about them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl

from khlang.errors import SettingsError
from khlang.model.contract import contracts
from khlang.synth import world as worlds
from khlang.synth.cluster import invented
from khlang.synth.extract import deliveries, encodable, habits, in_layout
from khlang.synth.facilities import COLUMNS, facilities
from khlang.synth.notes import Noted
from khlang.synth.plan import Plan
from khlang.synth.planting import HIDDEN, Sheet, damaged, marked
from khlang.synth.registers import Tables
from khlang.synth.scenario import Arrival, arrivals, specials, stored
from khlang.synth.truth import Truth
from khlang.synth.world import World


def run(plan: Plan, out: Path, progress: Callable[[str], None] = lambda _: None) -> dict[str, int]:
    """Write facilities.csv, inbox/ and truth/ under `out`; returns rows by file.

    One cluster at a time is in memory; equal plans write equal bytes.
    """
    every = facilities(plan)
    _cleared(out)
    every.select(COLUMNS).write_csv(out / "facilities.csv")
    odd, counts, arrived = specials(plan, every), dict.fromkeys(contracts(), 0), []
    first_soul = 0
    with Truth(out) as truth:
        for (number,), chosen in every.group_by("cluster", maintain_order=True):
            world = worlds.build(plan, number, chosen, first_soul)
            first_soul += world.people.filter("at_home").height
            noted = invented(world)
            sheets = _sheets(world, noted.tables, odd)
            arrived += _written(world, noted, sheets, odd, out, truth)
            for file, sheet in sheets.items():
                counts[file] += sheet.rows.height
            progress(
                f"cluster {number + 1}: {chosen.height} facilities, {world.people.height:,} registrations"
            )
        arrived.sort(key=lambda arrival: (arrival.arrived, arrival.path))
        truth.rows("deliveries", (arrival.row(number) for number, arrival in enumerate(arrived, 1)))
    return counts


def _cleared(out: Path) -> None:
    """Make the folder ready: an earlier set goes, anything else in the way is left alone and refused."""
    if (out / "truth" / "deliveries.csv").is_file():
        shutil.rmtree(out / "inbox", ignore_errors=True)
        shutil.rmtree(out / "truth")
    out.mkdir(parents=True, exist_ok=True)
    if (out / "inbox").exists() or (out / "truth").exists():
        raise SettingsError(
            "synth.folder", "the folder holds an inbox or a truth that is no earlier invented set",
            "โฟลเดอร์นี้มีข้อมูลอื่นอยู่แล้ว", place=str(out), next_step="name an empty folder",
        )  # fmt: skip


Odd = dict[tuple[str, int], str]
"""(Facility, month) -> what happens to that zip out of the ordinary."""


def _sheets(world: World, tables: Tables, odd: Odd) -> dict[str, Sheet]:
    """Tables with planted faults and `send`: corrected deliveries repeat their month without faults."""
    hospcodes = world.facilities["hospcode"].to_list()
    corrected = [
        pl.col("f").eq(hospcodes.index(hospcode)) & pl.col("month").eq(month)
        for (hospcode, month), kind in odd.items()
        if kind == "corrected" and hospcode in hospcodes
    ]
    sheets = {}
    for file, contract in contracts().items():
        right = in_layout(contract, tables[file], habits(world))
        first = marked(world, contract, right).with_columns(send=pl.col("month") * 2)
        sheet = damaged(world, contract, encodable(world, contract, first))
        if corrected:
            again = right.filter(pl.any_horizontal(corrected)).with_columns(
                *(pl.lit("").alias(mark) for mark in HIDDEN), send=pl.col("month") * 2 + 1
            )
            sheet = Sheet(pl.concat([sheet.rows, again.select(sheet.rows.columns)]), sheet.wrong)
        sheets[file] = sheet
    return sheets


def _written(
    world: World, noted: Noted, sheets: dict[str, Sheet], odd: Odd, out: Path, truth: Truth
) -> list[Arrival]:
    """Store the cluster's zips and note the truth about them."""
    tables = {file: sheet.rows for file, sheet in sheets.items()}
    truth.state(tables)
    truth.people(world, tables, noted)
    arrived: list[Arrival] = []
    for delivery in deliveries(world, sheets):
        zips = arrivals(delivery, odd.get((delivery.hospcode, delivery.send // 2), ""))
        truth.delivery(zips[0].path, delivery, noted)
        for arrival in zips:
            stored(out, arrival)
            if arrival.code:
                truth.refusal(arrival.path, arrival.code, arrival.kind)
        arrived += [arrival.without_content() for arrival in zips]
    return arrived
