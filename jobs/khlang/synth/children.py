"""Childhood: vaccines on schedule, growth and development, special services, teeth of everyone."""

from __future__ import annotations

import numpy as np
import polars as pl

from khlang.synth.draw import YEAR_DAYS, bounded, either, one_of
from khlang.synth.longcare import with_seq
from khlang.synth.registers import Tables
from khlang.synth.words import rows
from khlang.synth.world import World

BACK_DAYS = 560
"""Vaccinations given so long before the plan's start are still sent with the first zip."""


def vaccinations(world: World) -> pl.DataFrame:
    """Planned doses (`r`, `day`, `kind`, VACCINETYPE) by age; each child is as punctual as its house."""
    rng, plan = world.draws("vaccinations"), world.plan
    young = world.people.filter(pl.col("at_home") & (pl.col("age") < 14))
    birth, loyal = young["birth"].to_numpy().astype("datetime64[D]"), rng.random(young.height)
    tardy = rng.exponential(9, young.height).astype(np.int64)
    begin, end = np.datetime64(plan.start) - np.timedelta64(BACK_DAYS, "D"), np.datetime64(plan.end)
    frames = []
    for dose in rows("vaccines"):
        age = int(dose["age_days"])
        late = (
            tardy + rng.integers(0, 12, young.height) if age > 2 else np.zeros(young.height, dtype=np.int64)
        )
        days = birth + (age + late).astype("timedelta64[D]")
        taken = (loyal < float(dose["share"])) & (days >= begin) & (days <= end)
        given = young.select("r", day=pl.Series(days), VACCINETYPE=pl.lit(dose["vaccine"]))
        frames.append(given.filter(pl.Series(taken)))
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
    count, birth = came.height, world.people["birth"].gather(came["r"]).cast(pl.Date)
    months = np.maximum((came["day"] - birth).dt.total_days().to_numpy() / (YEAR_DAYS / 12), 0)
    first, second, later = np.minimum(months, 12), np.clip(months - 12, 0, 12), np.maximum(months - 24, 0)
    height = 50 + (25 * first + 11 * second + 7 * later) / 12 + rng.normal(0, 2, count)
    weight = (3.2 + (6 * first + 2.4 * (second + later)) / 12) * rng.normal(1, 0.09, count)
    milk = one_of(rng, ["1", "2", "3", "4"], count)
    return came.select("r", "f", "day", SEQ="seq", DATE_SERV="day").with_columns(
        WEIGHT=bounded(weight, 1.5, 40), HEIGHT=bounded(height, 40, 130),
        FOOD=either(months < 6, milk, either(months < 24, "5", "0")),
        HEADCIRCUM=bounded(34 + 12 * np.minimum(months, 24) / 24, 30, 52),
        NUTRITIONPLACE=world.codes(came["f"]),
    )  # fmt: skip


def _special(world: World, visits: pl.DataFrame) -> pl.DataFrame:
    """SPECIALPP: development of children and screening of grown-ups and of the old at home."""
    old_at_home = (pl.col("kind") == "home") & (pl.col("age") >= 60)
    came = visits.filter(pl.col("kind").is_in(["child", "screen"]) | old_at_home)
    return came.select("r", "f", "day", SEQ="seq", DATE_SERV="day").with_columns(
        SERVPLACE=pl.lit("1"), PPSPLACE=world.codes(came["f"]),
        PPSPECIAL=either(came["kind"] == "child", "1B260", either(came["kind"] == "screen", "1B0282", "1B1280")),
    )  # fmt: skip


def _dental(world: World, visits: pl.DataFrame) -> pl.DataFrame:
    """DENTAL: teeth by age; school and class of children."""
    rng, came = world.draws("teeth"), visits.filter(pl.col("kind") == "dental")
    age = came["age"].to_numpy()
    adult = np.select([age < 6, age < 13, age < 60], [0, 14, 28], 20)
    adult = adult + np.where(age >= 6, rng.integers(-3, 3, len(age)), 0)
    milk = np.select([age < 1, age < 6, age < 12], [4, 20, 8], 0)
    pupil, form = (age >= 6) & (age < 12), pl.Series(np.clip(age - 5, 1, 6)).cast(pl.String)
    group = np.select([age < 6, age < 13, age >= 60], ["2", "3", "4"], "5")
    return came.select("r", "f", "day", SEQ="seq", DATE_SERV="day").with_columns(
        PTEETH=pl.Series(adult), DTEETH=pl.Series(milk), DENTTYPE=pl.Series(group), SERVPLACE=pl.lit("1"),
        SCHOOLTYPE=either(pupil, "2"), CLASS=either(pupil, form),
    )  # fmt: skip
