"""Special records of visits and of the field: notifiable diseases, accidents, rehabilitation, community, policy."""

from __future__ import annotations

import json

import numpy as np
import polars as pl

from khlang.synth.registers import Tables
from khlang.synth.words import indices
from khlang.synth.world import World


def field(world: World, visits: pl.DataFrame, stays: pl.DataFrame, tables: Tables) -> Tables:
    """The files that hang on some visits or on the facility itself."""
    return {
        "SURVEILLANCE": _notified(world, visits, stays), "ACCIDENT": _accidents(world, visits),
        "REHABILITATION": _linked(visits, "rehab").with_columns(REHABPLACE=world.codes(visits.filter(pl.col("kind") == "rehab")["f"])),
        "FUNCTIONAL": _functional(world, visits), "ICF": _linked(visits, "rehab"),
        "COMMUNITY_SERVICE": _linked(visits, "home"), "COMMUNITY_ACTIVITY": _activities(world, tables["VILLAGE"]),
        "POLICY": _policy(world, tables["NEWBORN"]), "DATA_CORRECT": _corrections(world, tables["SERVICE"]),
    }  # fmt: skip


def _linked(visits: pl.DataFrame, *kinds: str) -> pl.DataFrame:
    """Visits of these kinds as rows of a detail file."""
    return visits.filter(pl.col("kind").is_in(kinds)).select("r", "f", "day", SEQ="seq", DATE_SERV="day")


def _notified(world: World, visits: pl.DataFrame, stays: pl.DataFrame) -> pl.DataFrame:
    """SURVEILLANCE: visits whose diagnosis has a code of report 506, ill since some days."""
    rng = world.draws("surveillance")
    sick = visits.filter((pl.col("code506") != "") & pl.Series(rng.random(visits.height) < 0.9))
    where = world.facilities.select("province", "ampur", "tambon")[world.people["f"].gather(world.people["s"].gather(sick["r"]))]
    number = world.people["house"].gather(sick["r"])
    sick = sick.join(stays.select("v", "AN", "DATETIME_ADMIT"), on="v", how="left", maintain_order="left")
    ago = pl.Series(rng.integers(0, 6, sick.height))
    return sick.select(
        "r", "f", "day", "AN", "DATETIME_ADMIT", SEQ="seq", DATE_SERV="day", DIAGCODE="dx", CODE506="code506",
        DIAGCODELAST="dx", CODE506LAST="code506", ILLDATE=pl.col("day") - pl.duration(days=ago),
    ).with_columns(
        ILLHOUSE=(number // 6 + 1).cast(pl.String) + "/" + (number % 9 + 1).cast(pl.String),
        ILLVILLAGE="0" + (number % 6 + 1).cast(pl.String), ILLTAMBON=where["tambon"], ILLAMPUR=where["ampur"], ILLCHANGWAT=where["province"],
    )  # fmt: skip


def _accidents(world: World, visits: pl.DataFrame) -> pl.DataFrame:
    """ACCIDENT: an hour or so after it happened."""
    rng = world.draws("accidents")
    hurt = visits.filter(pl.col("kind") == "accident")
    served = pl.col("day").cast(pl.Datetime("us")) + pl.duration(seconds=pl.col("second"))
    before = pl.duration(minutes=pl.Series(rng.integers(10, 240, hurt.height)))
    return hurt.select("r", "f", "day", SEQ="seq", DATETIME_SERV=served, DATETIME_AE=served - before)


def _functional(world: World, visits: pl.DataFrame) -> pl.DataFrame:
    """FUNCTIONAL: Barthel index of the old who come for rehabilitation or are visited at home."""
    rng = world.draws("functional")
    rows = _linked(visits.filter(pl.col("age") >= 60), "rehab", "home")
    score = rng.integers(2, 21, rows.height)
    return rows.with_columns(TESTRESULT=pl.Series(score), DEPENDENT=pl.Series(np.select([score < 5, score < 12], ["3", "2"], "1")))


def _activities(world: World, villages: pl.DataFrame) -> pl.DataFrame:
    """COMMUNITY_ACTIVITY: now and then in each village."""
    rng, plan = world.draws("activities"), world.plan
    row, month = np.nonzero(rng.random((villages.height, plan.months)) < 0.4)
    first = np.array([np.datetime64(plan.month_start(number)) for number in range(plan.months)])[month]
    day = first + indices(rng, np.ones(27), len(row))
    chosen = villages.select("f", "VID")[row].with_columns(day=pl.Series(day))
    return chosen.with_columns(DATE_START=pl.col("day"), DATE_FINISH=pl.col("day"))


def _policy(world: World, newborns: pl.DataFrame) -> pl.DataFrame:
    """POLICY: 001, head circumference of newborns, as JSON; names nobody."""
    inside = newborns.filter(pl.col("day") >= world.plan.start)
    text = [json.dumps({"headcircum": round(value, 1)}) for value in inside["HEADCIRCUM"].to_list()]
    rows = inside.select("f", "day").with_columns(POLICY_ID=pl.lit("001"), POLICY_YEAR=pl.col("day").dt.year(), POLICY_DATA=pl.Series(text, dtype=pl.String))
    return rows.unique(["f", "day"], keep="first", maintain_order=True)


def _corrections(world: World, service: pl.DataFrame) -> pl.DataFrame:
    """DATA_CORRECT: a visit here and there whose price was wrong, as JSON with its keys."""
    rng = world.draws("corrections")
    some = service.filter(pl.Series(rng.random(service.height) < 0.003)).unique(["f", "day"], keep="first", maintain_order=True)
    pid = world.people["pid"].gather(some["r"]).to_list()
    text = [
        json.dumps({"PID": person, "SEQ": seq, "PRICE": f"{price:.2f}"})
        for person, seq, price in zip(pid, some["SEQ"].to_list(), some["PRICE"].to_list(), strict=True)
    ]
    return some.select("r", "f", "day").with_columns(TABLENAME=pl.lit("SERVICE"), DATA_CORRECT=pl.Series(text, dtype=pl.String))
