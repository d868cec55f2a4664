"""All 52 files of one cluster of facilities: the order in which its life is invented."""

from __future__ import annotations

import polars as pl

from khlang.model.contract import contracts
from khlang.synth import children, clinic, field, longcare, mothers, referrals, stays
from khlang.synth.changes import changed
from khlang.synth.draw import either
from khlang.synth.notes import Noted, noted
from khlang.synth.places import places
from khlang.synth.registers import Tables, deaths, registers
from khlang.synth.visits import book
from khlang.synth.wire import finished
from khlang.synth.world import World

BY_APPOINTMENT = ("dm", "ht", "anc", "vaccine", "fp", "postnatal", "newborn")


def invented(world: World) -> Noted:
    """File -> wire text of every row, with `f`, `month` and `note`; and the spans of its notes."""
    spoken = noted(world, _recipes(world))
    tables = {file: finished(world, contract, spoken.tables[file]) for file, contract in contracts().items()}
    return Noted(changed(world, tables), spoken.spans)


def _recipes(world: World) -> Tables:
    """File -> typed rows of the recipes: events are planned, booked as visits, then written down."""
    life, doses, long = mothers.motherhood(world), children.vaccinations(world), longcare.planned(world)
    planned = [stays.last_days(world), *life.planned(), doses, long, mothers.contraception(world)]
    sent = referrals.referred(world, book(world, planned))
    visits = book(world, [referrals.arrivals(sent), *planned])
    sent = referrals.rebooked(sent, visits)
    stayed = stays.admitted(world, visits)
    outcomes = _outcomes(world, visits, sent, stayed)
    tables = registers(world) | places(world)
    tables |= clinic.outpatient(world, visits, outcomes)
    tables |= longcare.longcare(world, visits, long)
    tables |= mothers.mothers(world, life, visits)
    tables |= children.children(world, doses, visits)
    tables |= stays.inpatient(world, stayed, outcomes)
    tables |= referrals.letters(world, sent, stayed)
    tables["DEATH"] = deaths(world, stayed)
    return tables | field.field(world, visits, stayed, tables)


def _outcomes(world: World, visits: pl.DataFrame, sent: pl.DataFrame, stayed: pl.DataFrame) -> pl.DataFrame:
    """How visits came about and ended: by appointment, referred in, referred out, admitted."""
    came = sent.select(r="there", day="day", source="f").unique(
        ["r", "day"], keep="first", maintain_order=True
    )
    rows = visits.select("v", "r", "day", "kind").join(
        came, on=["r", "day"], how="left", maintain_order="left"
    )
    rows = rows.join(sent.select("v", "above"), on="v", how="left", maintain_order="left")
    rows = rows.join(stayed.select("v", "AN"), on="v", how="left", maintain_order="left")
    into, out, stays_here = (rows[name].is_not_null() for name in ("source", "above", "AN"))
    out &= ~stays_here
    return rows.select("v").with_columns(
        TYPEIN=either(into, "3", either(rows["kind"].is_in(BY_APPOINTMENT), "2", "1")),
        TYPEOUT=either(stays_here, "2", either(out, "3", "1")),
        CAUSEIN=either(into, "1"), CAUSEOUT=either(out, "1"), REFERINHOSP=world.codes(rows["source"]),
        REFEROUTHOSP=either(out, world.codes(rows["above"])),
    )  # fmt: skip
