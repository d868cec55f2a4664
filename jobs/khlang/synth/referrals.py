"""Referrals: who is sent where, what went along, and the answer of the hospital that took them in."""

from __future__ import annotations

import numpy as np
import polars as pl

from khlang.synth import identity
from khlang.synth.registers import Tables
from khlang.synth.words import drugs
from khlang.synth.world import World

SENT = {"ill": 0.02, "accident": 0.08, "dm": 0.03, "ht": 0.02, "admit": 0.05, "anc": 0.03, "dental": 0.02}
"""Share of visits of a kind that end in a referral."""
STATES = ["รู้สึกตัวดี สัญญาณชีพคงที่", "อ่อนเพลีย หายใจเร็ว", "ซึมลง ได้รับออกซิเจน", "ปวดมาก ให้ยาแก้ปวดแล้ว"]
REQUESTS = ["ตรวจวินิจฉัยเพิ่มเติม", "รักษาต่อ", "พบแพทย์เฉพาะทาง", "ตรวจคลื่นไฟฟ้าหัวใจ"]


def referred(world: World, visits: pl.DataFrame) -> pl.DataFrame:
    """Visits that end in a referral to the hospital above, by people who are registered there.

    Columns: v, r, f, day, seq, dx, above (position), there (registration at the destination).
    """
    rng = world.draws("referrals")
    chance = visits["kind"].replace_strict(SENT, default=0.0, return_dtype=pl.Float64)
    above = world.facilities["above"].gather(visits["f"])
    soul = world.people["soul"].gather(visits["r"])
    asked = visits.select("v", "r", "f", "day", "seq", "dx", "second").with_columns(above=above, soul=soul)
    asked = asked.filter(pl.Series(rng.random(visits.height)) < chance)
    there = world.people.select("soul", above="f", there="r", there_from="from_day")
    return asked.join(there, on=["soul", "above"], how="inner", maintain_order="left").filter(pl.col("there_from") <= pl.col("day"))


def arrivals(sent: pl.DataFrame) -> pl.DataFrame:
    """Visits at the hospital above that referrals bring, on the day itself: `r`, `day`, `kind`."""
    return sent.select(r="there", day="day", kind=pl.lit("admit"))


def letters(world: World, visits: pl.DataFrame, sent: pl.DataFrame, stays: pl.DataFrame) -> Tables:
    """The seven files of a referral."""
    rng = world.draws("letters")
    running = sent.select(pl.int_range(1, pl.len() + 1).over("f")).to_series().to_numpy()
    sent = sent.with_columns(
        REFERID=sent["day"].dt.strftime("%y") + identity.digits(running, 6),
        served=pl.col("day").cast(pl.Datetime("us")) + pl.duration(seconds=pl.col("second")),
    ).with_columns(when=pl.col("served") + pl.duration(minutes=pl.Series(rng.integers(30, 180, sent.height))))
    return {"REFER_HISTORY": _history(world, sent, visits), "REFER_RESULT": _answers(world, sent, stays), **_details(world, sent)}


def _history(world: World, sent: pl.DataFrame, visits: pl.DataFrame) -> pl.DataFrame:
    """REFER_HISTORY: the letter itself."""
    rng, count = world.draws("history"), sent.height
    return sent.select("r", "f", "day", "REFERID", SEQ="seq", DATETIME_SERV="served", DATETIME_REFER="when", DIAGLAST="dx", DIAGFIRST="dx").with_columns(
        HOSP_DESTINATION=world.codes(sent["above"]), CLINIC_REFER=pl.lit("00100"), PHYSICALEXAM=pl.lit("สัญญาณชีพตามบันทึก"),
        CHIEFCOMP=pl.lit("ส่งรักษาต่อ"), PSTATUS=pl.Series(STATES).gather(rng.integers(0, len(STATES), count)),
        REQUEST=pl.Series(REQUESTS).gather(rng.integers(0, len(REQUESTS), count)),
    )  # fmt: skip


def _answers(world: World, sent: pl.DataFrame, stays: pl.DataFrame) -> pl.DataFrame:
    """REFER_RESULT: sent by the destination, with its own PID and AN."""
    rng = world.draws("answers")
    answered = sent.filter(pl.Series(rng.random(sent.height) < 0.9))
    there = stays.select(there="r", day="served", AN_IN="AN").unique(["there", "day"], keep="first", maintain_order=True)
    stayed = answered.join(there, on=["there", "day"], how="left", maintain_order="left")
    arrived = pl.col("when") + pl.duration(minutes=pl.Series(rng.integers(20, 150, answered.height)))
    result = pl.Series(rng.choice(["1", "2", "4"], answered.height, p=[0.93, 0.05, 0.02]))
    return stayed.select("day", "REFERID", "AN_IN", "when", r="there", f="above").with_columns(
        REFERID_SOURCE=pl.col("REFERID"), HOSP_SOURCE=world.codes(stayed["f"]), DATETIME_IN=arrived,
        PID_IN=world.people["pid"].gather(stayed["there"]), REFER_RESULT=result,
        REASON=pl.select(pl.when(result == "2").then(pl.lit("เตียงเต็ม")).otherwise(pl.lit(""))).to_series(),
    ).drop("REFERID")  # fmt: skip


def _some(world: World, sent: pl.DataFrame, topic: str, share: float) -> pl.DataFrame:
    """Some referrals with the columns their details repeat."""
    chosen = sent.filter(pl.Series(world.draws(topic).random(sent.height) < share))
    return chosen.select("r", "f", "day", "REFERID", "when")


def _details(world: World, sent: pl.DataFrame) -> Tables:
    """What went along: care on the way, findings, drugs, tests, procedures."""
    rng = world.draws("details")
    care = _some(world, sent, "care on the way", 0.55)
    found = _some(world, sent, "findings", 0.8)
    drug = _some(world, sent, "drugs on the way", 0.6)
    test = _some(world, sent, "tests on the way", 0.5)
    work = _some(world, sent, "procedures on the way", 0.35)
    taken = drugs()[rng.integers(0, 12, drug.height)]
    oxygen = np.round(rng.normal(96, 2.4, found.height).clip(70, 100), 0)
    blood = np.round(rng.normal(37, 5, test.height).clip(18, 58), 0)
    return {
        "CARE_REFER": care,
        "CLINICAL_REFER": found.with_columns(
            DATETIME_ASSESS=pl.col("when"), CLINICALCODE=pl.lit("000101"), CLINICALNAME=pl.lit("ความอิ่มตัวของออกซิเจน"),
            CLINICALVAULE=pl.Series(oxygen), CLINICALRESULT=pl.lit("ปกติ"),
        ),
        "DRUG_REFER": drug.with_columns(
            DATETIME_DSTART=pl.col("when"), DIDSTD=taken["didstd"], DNAME=taken["name_th"], DDESCRIPTION=pl.lit("ให้ก่อนส่งต่อ"),
        ),
        "INVESTIGATION_REFER": test.with_columns(
            DATETIME_INVEST=pl.col("when"), INVESTCODE=pl.lit("000201"), INVESTNAME=pl.lit("ความเข้มข้นของเลือด"),
            DATETIME_REPORT=pl.col("when") + pl.duration(minutes=25), INVESTVALUE=pl.Series(blood), INVESTRESULT=pl.lit("แนบผล"),
        ),
        "PROCEDURE_REFER": work.with_columns(
            TIMESTART=pl.col("when"), TIMEFINISH=pl.col("when") + pl.duration(minutes=15), PROCEDURENAME=pl.lit("ทำแผล"),
            PROCEDCODE=pl.lit("9357"), PDESCRIPTION=pl.lit("ทำแผลก่อนส่งต่อ"), PROCEDRESULT=pl.lit("เรียบร้อย"),
        ),
    }  # fmt: skip
