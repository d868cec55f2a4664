"""Special records of visits and of the field: notifiable diseases, accidents, rehabilitation, community, policy."""

from __future__ import annotations

import json

import numpy as np
import polars as pl

from khlang.synth.draw import days, midnight, minutes, some
from khlang.synth.places import house_numbers, place_of
from khlang.synth.registers import Tables
from khlang.synth.world import World


def field(world: World, visits: pl.DataFrame, stays: pl.DataFrame, tables: Tables) -> Tables:
    """The files that hang on some visits or on the facility itself."""
    rehab = _linked(visits, "rehab")
    return {
        "SURVEILLANCE": _notified(world, visits, stays), "ACCIDENT": _accidents(world, visits),
        "REHABILITATION": rehab.with_columns(REHABPLACE=world.codes(rehab["f"])), "ICF": rehab,
        "FUNCTIONAL": _functional(world, visits), "COMMUNITY_SERVICE": _linked(visits, "home"),
        "COMMUNITY_ACTIVITY": _activities(world, tables["VILLAGE"]),
        "POLICY": _policy(world, tables["NEWBORN"]), "DATA_CORRECT": _corrections(world, tables["SERVICE"]),
    }  # fmt: skip


def _linked(visits: pl.DataFrame, *kinds: str) -> pl.DataFrame:
    """Visits of these kinds as rows of a detail file."""
    chosen = visits.filter(pl.col("kind").is_in(kinds))
    return chosen.select("r", "f", "day", SEQ="seq", DATE_SERV="day")


def _notified(world: World, visits: pl.DataFrame, stays: pl.DataFrame) -> pl.DataFrame:
    """SURVEILLANCE: visits whose diagnosis has a code of report 506, ill since some days."""
    rng = world.draws("surveillance")
    sick = some(rng, visits.filter(pl.col("code506") != ""), 0.9)
    home, house = world.people["s"].gather(sick["r"]), world.people["house"].gather(sick["r"])
    where = place_of(world, world.people["f"].gather(home), house)
    sick = sick.join(stays.select("v", "AN", "DATETIME_ADMIT"), on="v", how="left", maintain_order="left")
    return sick.select(
        "r", "f", "day", "AN", "DATETIME_ADMIT", SEQ="seq", DATE_SERV="day", DIAGCODE="dx", CODE506="code506",
        DIAGCODELAST="dx", CODE506LAST="code506", ILLDATE=pl.col("day") - days(rng.integers(0, 6, sick.height)),
        ILLHOUSE=house_numbers(house), **{f"ILL{name}": place for name, place in where.items()},
    )  # fmt: skip


def _accidents(world: World, visits: pl.DataFrame) -> pl.DataFrame:
    """ACCIDENT: an hour or so after it happened."""
    hurt = visits.filter(pl.col("kind") == "accident")
    served = midnight("day") + pl.duration(seconds=pl.col("second"))
    before = minutes(world.draws("accidents").integers(10, 240, hurt.height))
    return hurt.select("r", "f", "day", SEQ="seq", DATETIME_SERV=served, DATETIME_AE=served - before)


def _functional(world: World, visits: pl.DataFrame) -> pl.DataFrame:
    """FUNCTIONAL: Barthel index of the old who come for rehabilitation or are visited at home."""
    rows = _linked(visits.filter(pl.col("age") >= 60), "rehab", "home")
    score = world.draws("functional").integers(2, 21, rows.height)
    depends = np.select([score < 5, score < 12], ["3", "2"], "1")
    return rows.with_columns(TESTRESULT=pl.Series(score), DEPENDENT=pl.Series(depends))


def _activities(world: World, villages: pl.DataFrame) -> pl.DataFrame:
    """COMMUNITY_ACTIVITY: now and then in each village."""
    rng, plan = world.draws("activities"), world.plan
    row, month = np.nonzero(rng.random((villages.height, plan.months)) < 0.4)
    first = np.array([np.datetime64(plan.month_start(number)) for number in range(plan.months)])[month]
    chosen = villages.select("f", "VID")[row].with_columns(
        day=pl.Series(first + rng.integers(0, 27, len(row)))
    )
    return chosen.with_columns(DATE_START=pl.col("day"), DATE_FINISH=pl.col("day"))


def _policy(world: World, newborns: pl.DataFrame) -> pl.DataFrame:
    """POLICY: 001, head circumference of newborns, as JSON; names nobody."""
    inside = newborns.filter(pl.col("day") >= world.plan.start)
    texts = [json.dumps({"headcircum": round(value, 1)}) for value in inside["HEADCIRCUM"].to_list()]
    rows = inside.select("f", "day", POLICY_ID=pl.lit("001"), POLICY_YEAR=pl.col("day").dt.year())
    rows = rows.with_columns(POLICY_DATA=pl.Series(texts, dtype=pl.String))
    return rows.unique(["f", "day"], keep="first", maintain_order=True)


def _corrections(world: World, service: pl.DataFrame) -> pl.DataFrame:
    """DATA_CORRECT: a visit here and there whose price was wrong, as JSON with its keys."""
    wrong = some(world.draws("corrections"), service, 0.003)
    wrong = wrong.unique(["f", "day"], keep="first", maintain_order=True)
    pid = world.people["pid"].gather(wrong["r"])
    rows = zip(pid.to_list(), wrong["SEQ"].to_list(), wrong["PRICE"].to_list(), strict=True)
    texts = [json.dumps({"PID": person, "SEQ": seq, "PRICE": f"{price:.2f}"}) for person, seq, price in rows]
    return wrong.select("r", "f", "day", TABLENAME=pl.lit("SERVICE")).with_columns(
        DATA_CORRECT=pl.Series(texts, dtype=pl.String)
    )
