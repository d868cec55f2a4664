"""All 52 files of one cluster of facilities: the order in which its life is invented."""

from __future__ import annotations

import polars as pl

from khlang.model.contract import contracts
from khlang.synth import children, clinic, field, longcare, mothers, referrals, stays
from khlang.synth.changes import changed
from khlang.synth.notes import Noted, noted
from khlang.synth.registers import Tables, registers
from khlang.synth.visits import book
from khlang.synth.wire import finished
from khlang.synth.world import World


def invented(world: World) -> Noted:
    """File -> wire text of every row, with `f`, `month` and `note`; and the spans of its notes."""
    spoken = noted(world, _recipes(world))
    tables = {file: finished(world, contract, spoken.tables[file]) for file, contract in contracts().items()}
    return Noted(changed(world, tables), spoken.spans)


def _recipes(world: World) -> Tables:
    """File -> typed rows of the recipes: events are planned, booked as visits, then written down."""
    carried = mothers.pregnancies(world)
    antenatal, after = mothers.calls(world, carried), mothers.aftercare(world, carried)
    doses, long = children.vaccinations(world), longcare.planned(world)
    planned = [*mothers.planned(carried, antenatal, after), doses, long, mothers.contraception(world)]
    sent = referrals.referred(world, book(world, planned))
    visits = book(world, [referrals.arrivals(sent), *planned])
    sent = _rebooked(sent, visits)
    stayed = stays.admitted(world, visits)
    tables = registers(world)
    tables |= clinic.outpatient(world, visits, _outcomes(world, visits, sent, stayed))
    tables |= longcare.longcare(world, visits, long)
    tables |= mothers.mothers(world, carried, antenatal, after, visits)
    tables |= children.children(world, doses, visits)
    tables |= stays.inpatient(world, stayed)
    tables |= referrals.letters(world, visits, sent, stayed)
    return tables | field.field(world, visits, stayed, tables)


def _rebooked(sent: pl.DataFrame, visits: pl.DataFrame) -> pl.DataFrame:
    """Referrals with the visit numbers of the final booking, one a visit."""
    final = visits.select("v", "r", "day", "seq", "dx", "second")
    joined = sent.drop("v", "seq", "dx", "second").join(final, on=["r", "day"], how="inner", maintain_order="left")
    return joined.unique("v", keep="first", maintain_order=True)


def _outcomes(world: World, visits: pl.DataFrame, sent: pl.DataFrame, stayed: pl.DataFrame) -> pl.DataFrame:
    """How visits came about and ended: by appointment, referred in, referred out, admitted."""
    came = sent.select(r="there", day="day", from_f="f").unique(["r", "day"], keep="first", maintain_order=True)
    rows = visits.select("v", "r", "day", "kind").join(came, on=["r", "day"], how="left", maintain_order="left")
    rows = rows.join(sent.select("v", "above"), on="v", how="left", maintain_order="left")
    rows = rows.join(stayed.select("v", "AN"), on="v", how="left", maintain_order="left")
    into, out, appointed = pl.col("from_f").is_not_null(), pl.col("above").is_not_null(), pl.col("kind").is_in(["dm", "ht", "anc", "vaccine", "fp"])
    stays_here = pl.col("AN").is_not_null()
    return rows.select(
        "v",
        TYPEIN=pl.when(into).then(pl.lit("3")).when(appointed).then(pl.lit("2")).otherwise(pl.lit("1")),
        TYPEOUT=pl.when(stays_here).then(pl.lit("2")).when(out).then(pl.lit("3")).otherwise(pl.lit("1")),
        CAUSEIN=pl.when(into).then(pl.lit("1")).otherwise(pl.lit("")), CAUSEOUT=pl.when(out & ~stays_here).then(pl.lit("1")).otherwise(pl.lit("")),
        REFERINHOSP=world.codes(rows["from_f"]),
        REFEROUTHOSP=pl.when(stays_here).then(pl.lit("")).otherwise(world.codes(rows["above"])),
    )  # fmt: skip
