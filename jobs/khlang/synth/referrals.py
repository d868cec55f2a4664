"""Referrals: who is sent where, what went along, and the answer of the hospital that took them in."""

from __future__ import annotations

import numpy as np
import polars as pl

from khlang.synth import identity
from khlang.synth.draw import choose, either, midnight, minutes, one_of, some
from khlang.synth.registers import Tables
from khlang.synth.visits import complaints
from khlang.synth.words import diagnoses, drugs, tables
from khlang.synth.world import World

SENT = {"ill": 0.12, "accident": 0.4, "dm": 0.12, "ht": 0.08, "anc": 0.12, "dental": 0.1, "child": 0.1}
"""Share of visits of a kind that end in a referral, of people whom the hospital above knows."""
KINDS = {"accident": "2", "ill": "1"}


def referred(world: World, visits: pl.DataFrame) -> pl.DataFrame:
    """Visits that end in a referral to the hospital above.

    Columns: v, r, f, day, kind, care, seq, dx, second, above (position), there (registration above).
    """
    rng = world.draws("referrals")
    chance = visits["kind"].replace_strict(SENT, default=0.0, return_dtype=pl.Float64).to_numpy()
    there = world.people["up"].gather(visits["r"])
    asked = visits.select("v", "r", "f", "day", "kind", "care", "seq", "dx", "second").with_columns(
        above=world.facilities["above"].gather(visits["f"]), there=there
    )
    asked = some(rng, asked, chance).filter(pl.col("there").is_not_null())
    known_there = world.people["from_day"].gather(asked["there"])
    return asked.filter(known_there <= pl.col("day"))


def arrivals(sent: pl.DataFrame) -> pl.DataFrame:
    """Visits at the hospital above that referrals bring, on the day itself: `r`, `day`, `kind`."""
    return sent.select(r="there", day="day", kind=pl.lit("admit"))


def rebooked(sent: pl.DataFrame, visits: pl.DataFrame) -> pl.DataFrame:
    """Referrals with the visit numbers of the final booking, one a visit, none of a visit that was sent in."""
    came = sent.select(r="there", day="day").unique()
    final = visits.select("v", "r", "day", "kind", "care", "seq", "dx", "second").join(
        came, on=["r", "day"], how="anti"
    )
    kept = sent.select("r", "f", "day", "above", "there")
    joined = kept.join(final, on=["r", "day"], how="inner", maintain_order="left")
    return joined.filter(pl.col("kind").is_in(list(SENT))).unique("v", keep="first", maintain_order=True)


def letters(world: World, sent: pl.DataFrame, stays: pl.DataFrame) -> Tables:
    """The seven files of a referral."""
    rng = world.draws("letters")
    running = sent.select(pl.int_range(1, pl.len() + 1).over("f")).to_series().to_numpy()
    served = midnight("day") + pl.duration(seconds=pl.col("second"))
    sent = sent.with_columns(
        REFERID=sent["day"].dt.strftime("%y") + identity.digits(running, 6), served=served
    )
    sent = sent.with_columns(when=pl.col("served") + minutes(rng.integers(30, 180, sent.height)))
    letter = {"REFER_HISTORY": _history(world, sent), "REFER_RESULT": _answers(world, sent, stays)}
    return letter | _details(world, sent)


def _history(world: World, sent: pl.DataFrame) -> pl.DataFrame:
    """REFER_HISTORY: the letter itself."""
    rng, count, said = world.draws("history"), sent.height, tables("letters")
    names = dict(diagnoses().select("code", "name_th").iter_rows())
    named = sent["dx"].replace_strict(names, default="", return_dtype=pl.String)
    return sent.select(
        "r", "f", "day", "REFERID", SEQ="seq", DATETIME_SERV="served", DATETIME_REFER="when"
    ).with_columns(
        HOSP_DESTINATION=world.codes(sent["above"]), CLINIC_REFER=pl.lit("00100"), DIAGFIRST=named,
        DIAGLAST=named + " (" + sent["dx"] + ")", CHIEFCOMP=complaints(world, sent),
        PHYSICALEXAM=one_of(rng, said["examined"], count), PSTATUS=one_of(rng, said["state"], count),
        REQUEST=one_of(rng, said["request"], count),
        PTYPE=sent["kind"].replace_strict(KINDS, default="3", return_dtype=pl.String),
    )  # fmt: skip


def _answers(world: World, sent: pl.DataFrame, stays: pl.DataFrame) -> pl.DataFrame:
    """REFER_RESULT: sent by the destination, with its own PID and AN."""
    rng, answered = world.draws("answers"), some(world.draws("answered"), sent, 0.9)
    there = stays.select(there="r", day="served", AN_IN="AN")
    there = there.unique(["there", "day"], keep="first", maintain_order=True)
    stayed = answered.join(there, on=["there", "day"], how="left", maintain_order="left")
    result = choose(rng, {"1": 0.93, "2": 0.05, "4": 0.02}, stayed.height)
    arrived = pl.col("when") + minutes(rng.integers(20, 150, stayed.height))
    return stayed.select(
        "day", "AN_IN", REFERID_SOURCE="REFERID", r="there", f="above", source="f", DATETIME_IN=arrived
    ).with_columns(
        HOSP_SOURCE=world.codes(stayed["f"]), PID_IN=world.people["pid"].gather(stayed["there"]),
        REFER_RESULT=result,
        REASON=either(result == "2", one_of(rng, tables("letters")["refused"], stayed.height)),
    )  # fmt: skip


def _part(world: World, sent: pl.DataFrame, topic: str, share: float) -> pl.DataFrame:
    """Some referrals with the columns their details repeat."""
    return some(world.draws(topic), sent, share).select("r", "f", "day", "REFERID", "when")


def _details(world: World, sent: pl.DataFrame) -> Tables:
    """What went along: care on the way, findings, drugs, tests, procedures."""
    rng, said = world.draws("details"), tables("letters")
    found = _part(world, sent, "findings", 0.8)
    drug = _part(world, sent, "drugs on the way", 0.6)
    test = _part(world, sent, "tests on the way", 0.5)
    work = _part(world, sent, "procedures on the way", 0.35)
    taken = drugs()[rng.integers(0, 12, drug.height)]
    oxygen = np.clip(rng.normal(96, 2.4, found.height), 70, 100).round()
    blood = np.clip(rng.normal(37, 5, test.height), 18, 58).round()
    begun = pl.col("when")
    return {
        "CARE_REFER": _part(world, sent, "care on the way", 0.55),
        "CLINICAL_REFER": found.with_columns(
            DATETIME_ASSESS=begun, CLINICALCODE=pl.lit("000101"), CLINICALVAULE=pl.Series(oxygen),
            CLINICALNAME=pl.lit("ความอิ่มตัวของออกซิเจน"),
            CLINICALRESULT=one_of(rng, said["finding"], found.height),
        ),
        "DRUG_REFER": drug.with_columns(
            DATETIME_DSTART=begun, DIDSTD=taken["didstd"], DNAME=taken["name_th"],
            DDESCRIPTION=one_of(rng, said["dose"], drug.height),
        ),
        "INVESTIGATION_REFER": test.with_columns(
            DATETIME_INVEST=begun, INVESTCODE=pl.lit("000201"), INVESTNAME=pl.lit("ความเข้มข้นของเลือด"),
            DATETIME_REPORT=begun + pl.duration(minutes=25), INVESTVALUE=pl.Series(blood),
            INVESTRESULT=one_of(rng, said["tested"], test.height),
        ),
        "PROCEDURE_REFER": work.with_columns(
            TIMESTART=begun, TIMEFINISH=begun + pl.duration(minutes=15), PROCEDCODE=pl.lit("9357"),
            PROCEDURENAME=pl.lit("ทำแผล"), PDESCRIPTION=one_of(rng, said["done"], work.height),
            PROCEDRESULT=pl.lit("เรียบร้อย"),
        ),
    }  # fmt: skip
