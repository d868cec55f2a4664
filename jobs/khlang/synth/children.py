"""Childhood: vaccines on schedule, growth and development, special services, teeth of everyone."""

from __future__ import annotations

import numpy as np
import polars as pl

from khlang.synth.longcare import with_seq
from khlang.synth.registers import Tables
from khlang.synth.words import rows
from khlang.synth.world import World

BACK_DAYS = 900
"""Vaccinations given so long before the plan's start are still sent with the first zip."""


def vaccinations(world: World) -> pl.DataFrame:
    """Planned doses (`r`, `day`, `kind`, VACCINETYPE) by age; each child is as punctual as its house."""
    rng, plan, people = world.draws("vaccinations"), world.plan, world.people
    young = people.filter(pl.col("at_home") & (pl.col("age") < 14))
    loyal = rng.random(young.height)
    begin, frames = np.datetime64(plan.start) - np.timedelta64(BACK_DAYS, "D"), []
    days_late = rng.exponential(9, young.height).astype(int)
    for dose in rows("vaccines"):
        age = int(dose["age_days"])
        late = np.where(age > 2, days_late + rng.integers(0, 12, young.height), 0)
        days = young["birth"].to_numpy().astype("datetime64[D]") + (age + late).astype("timedelta64[D]")
        taken = (loyal < float(dose["share"])) & (days >= begin) & (days <= np.datetime64(plan.end))
        frames.append(pl.DataFrame({"r": young["r"], "day": days}).with_columns(VACCINETYPE=pl.lit(dose["vaccine"])).filter(pl.Series(taken)))
    return pl.concat(frames).with_columns(kind=pl.lit("vaccine"))


def children(world: World, doses: pl.DataFrame, visits: pl.DataFrame) -> Tables:
    """EPI, NUTRITION, SPECIALPP of children and DENTAL of all who came for their teeth."""
    return {
        "EPI": _epi(world, doses, visits), "NUTRITION": _growth(world, visits),
        "SPECIALPP": _special(world, visits), "DENTAL": _dental(world, visits),
    }  # fmt: skip


def _epi(world: World, doses: pl.DataFrame, visits: pl.DataFrame) -> pl.DataFrame:
    """EPI: the doses given; with SEQ where a visit stands behind."""
    seen = with_seq(world, doses, visits).drop("kind")
    dated = doses.select("r", pl.col("day").cast(pl.Date), "VACCINETYPE")
    given = seen.join(dated, on=["r", "day"], how="left", maintain_order="left_right")
    return given.with_columns(VACCINEPLACE=world.codes(given["f"]))


def _growth(world: World, visits: pl.DataFrame) -> pl.DataFrame:
    """NUTRITION: of children under six at visits for vaccines and growth."""
    rng = world.draws("growth")
    came = visits.filter(pl.col("kind").is_in(["vaccine", "child"]) & (pl.col("age") < 6))
    birth = world.people["birth"].gather(came["r"]).to_numpy().astype("datetime64[D]")
    months = np.maximum((came["day"].to_numpy().astype("datetime64[D]") - birth).astype(int) / 30.44, 0)
    height = 50 + 25 * np.minimum(months, 12) / 12 + 11 * np.clip((months - 12) / 12, 0, 1) + 7 * np.maximum(months - 24, 0) / 12
    weight = 3.2 + 6 * np.minimum(months, 12) / 12 + 2.4 * np.maximum(months - 12, 0) / 12
    weight, height = weight * rng.normal(1, 0.09, came.height), height + rng.normal(0, 2, came.height)
    food = np.where(months < 6, rng.choice(["1", "2", "3", "4"], came.height), np.where(months < 24, "5", "0"))
    return came.select("r", "f", "day", SEQ="seq", DATE_SERV="day").with_columns(
        WEIGHT=pl.Series(weight.clip(1.5, 40)), HEIGHT=pl.Series(height.clip(40, 130)), FOOD=pl.Series(food),
        HEADCIRCUM=pl.Series(np.clip(34 + 12 * np.minimum(months, 24) / 24, 30, 52)), NUTRITIONPLACE=world.codes(came["f"]),
    )  # fmt: skip


def _special(world: World, visits: pl.DataFrame) -> pl.DataFrame:
    """SPECIALPP: development of children and screening of the old."""
    came = visits.filter(pl.col("kind").is_in(["child", "screen"]) | ((pl.col("kind") == "home") & (pl.col("age") >= 60)))
    return came.select("r", "f", "day", SEQ="seq", DATE_SERV="day").with_columns(
        SERVPLACE=pl.lit("1"), PPSPLACE=world.codes(came["f"])
    )


def _dental(world: World, visits: pl.DataFrame) -> pl.DataFrame:
    """DENTAL: teeth by age; school and class of children."""
    rng = world.draws("teeth")
    came = visits.filter(pl.col("kind") == "dental")
    age, count = came["age"].to_numpy(), came.height
    adult = np.select([age < 6, age < 13, age < 60], [0, 14, 28], 20) + np.where(age >= 6, rng.integers(-3, 3, count), 0)
    milk = np.select([age < 1, age < 6, age < 12], [4, 20, 8], 0)
    pupil, group = (age >= 6) & (age < 13), np.select([age < 6, age < 13, age >= 60], ["2", "3", "4"], "5")
    return came.select("r", "f", "day", SEQ="seq", DATE_SERV="day").with_columns(
        PTEETH=pl.Series(adult), DTEETH=pl.Series(milk), DENTTYPE=pl.Series(group), SERVPLACE=pl.lit("1"),
        SCHOOLTYPE=pl.Series(np.where(pupil, "2", "")), CLASS=pl.Series(np.where(pupil, np.clip(age - 5, 1, 6).astype(str), "")),
    )  # fmt: skip
