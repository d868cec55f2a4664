"""From pregnancy to the first weeks: PRENATAL, ANC, LABOR, POSTNATAL, NEWBORN, NEWBORNCARE, FP."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from khlang.synth.draw import bounded, choose, days, either, same, some
from khlang.synth.longcare import with_seq
from khlang.synth.registers import Tables
from khlang.synth.world import World

TERM = 279
"""Days from the last period to birth."""
CALLS = (9, 17, 23, 29, 33, 36, 38)
"""Weeks in which mothers are called for antenatal care."""
PERIODS = (12, 19, 25, 31)
"""Last weeks of the first four periods of antenatal care."""
WAYS = {"1": 0.64, "2": 0.31, "3": 0.02, "4": 0.01, "5": 0.02}
ABORTION = "6"
RESULTS = {"1": "O800", "2": "O820", "3": "O814", "4": "O810", "5": "O830", ABORTION: "O039"}


@dataclass(frozen=True, slots=True)
class Motherhood:
    """Pregnancies of a cluster with the calls before and the care after birth."""

    carried: pl.DataFrame
    antenatal: pl.DataFrame
    after: pl.DataFrame

    def planned(self) -> list[pl.DataFrame]:
        """Visits that pregnancies bring: birth where it happened, calls, care of mother and child."""
        born = self.carried.filter(pl.col("baby").is_not_null() & pl.col("place_r").is_not_null())
        birth = born.select(r="place_r", day="BDATE", kind=pl.lit("birth"))
        return [birth, self.antenatal.select("r", "day", "kind"), self.after.select("r", "day", "kind")]


def motherhood(world: World) -> Motherhood:
    """Everything that pregnancies plan, before visits are booked."""
    carried = _pregnancies(world)
    return Motherhood(carried, _calls(world, carried), _aftercare(world, carried))


def _ended(world: World) -> pl.DataFrame:
    """Pregnancies of the youngest children: mother `r`, child `baby`, BDATE, LMP."""
    rng, people = world.draws("births"), world.people
    first = pl.lit(np.datetime64(world.plan.start) - np.timedelta64(420, "D"))
    born = people.filter(pl.col("at_home") & (pl.col("mother_row") >= 0) & (pl.col("birth") >= first))
    young = people["age"].gather(born["mother_row"]) < 48
    born = born.filter(young).unique("mother_row", keep="first", maintain_order=True)
    preterm = rng.random(born.height) < 0.1
    early = np.where(preterm, rng.integers(14, 35, born.height), rng.integers(-10, 8, born.height))
    birth = pl.col("birth").cast(pl.Date)
    return born.select(
        r=pl.col("mother_row").cast(pl.Int64), baby=pl.col("r").cast(pl.Int64), BDATE=birth,
        LMP=birth - days(TERM - early), BTYPE=choose(rng, WAYS, born.height),
    )  # fmt: skip


def _going(world: World, mothers: pl.Series) -> pl.DataFrame:
    """Pregnancies of other women: most not yet ended, a few by abortion."""
    rng, plan, people = world.draws("pregnancies"), world.plan, world.people
    fertile = (pl.col("sex") == 2) & pl.col("age").is_between(17, 42) & (pl.col("couple_row") >= 0)
    free = people.filter(fertile & pl.col("at_home") & ~pl.col("r").is_in(mothers.implode()))
    women = some(rng, free, 0.075)
    count = women.height
    lost = rng.random(count) < 0.08
    period = np.datetime64(plan.end) - rng.integers(30, TERM - 12, count)
    lost &= period < np.datetime64(plan.end) - np.timedelta64(110, "D")
    end = pl.Series(period + rng.integers(56, 105, count)).cast(pl.Date).set(pl.Series(~lost), None)
    return women.select(
        r=pl.col("r").cast(pl.Int64), baby=pl.lit(None, pl.Int64), BDATE=end,
        LMP=pl.Series(period).cast(pl.Date), BTYPE=either(lost, ABORTION),
    )  # fmt: skip


def _there(world: World, every: pl.DataFrame) -> pl.Series:
    """Whether each mother is registered and alive when her pregnancy ends; true while it goes on."""
    life = world.of(every["r"], "from_day", "to_day")
    there = (life["from_day"] <= every["BDATE"]) & (every["BDATE"] <= life["to_day"])
    return there.fill_null(True)


def _pregnancies(world: World) -> pl.DataFrame:
    """One row per pregnancy; `place_r` is the registration where the birth happened, `late` weeks to the first call."""
    rng, ended = world.draws("mothers"), _ended(world)
    every = pl.concat([ended, _going(world, ended["r"])])
    every = every.filter(_there(world, every))
    late = np.where(rng.random(every.height) < 0.33, rng.integers(8, 20, every.height), 0)
    place = world.of(every["r"], "hospital", "up")
    own = pl.when(place["hospital"]).then(pl.col("r")).otherwise(place["up"].cast(pl.Int64))
    return every.with_columns(
        GRAVIDA=choose(rng, {"1": 0.38, "2": 0.38, "3": 0.18, "4": 0.06}, every.height),
        late=pl.Series(late), EDC=pl.col("LMP") + pl.duration(days=280), place_r=own,
    )  # fmt: skip


def _calls(world: World, carried: pl.DataFrame) -> pl.DataFrame:
    """Antenatal visits of pregnancies: `r`, `day`, `kind`, GA in weeks, GRAVIDA."""
    rng, count = world.draws("antenatal calls"), carried.height
    weeks = np.array(CALLS)[None, :] + rng.integers(-2, 3, (count, len(CALLS)))
    called = (weeks > carried["late"].to_numpy()[:, None]) & (rng.random(weeks.shape) < 0.9)
    row, call = np.nonzero(called)
    week = weeks[row, call]
    shift = week * 7 + rng.integers(0, 7, len(week))
    frame = carried[row].select("r", "GRAVIDA", "BDATE", "LMP").with_columns(
        kind=pl.lit("anc"), GA=pl.Series(week), day=pl.col("LMP") + days(shift)
    )  # fmt: skip
    return frame.filter(pl.col("BDATE").is_null() | (pl.col("day") < pl.col("BDATE")))


def _aftercare(world: World, carried: pl.DataFrame) -> pl.DataFrame:
    """Care of mother and child about 5, 12 and 33 days after birth: `r`, `day`, `kind`, BDATE, GRAVIDA."""
    rng, born = world.draws("aftercare"), carried.filter(pl.col("baby").is_not_null())
    frames = []
    for who, kind in (("r", "postnatal"), ("baby", "newborn")):
        for around in (5, 12, 33):
            seen = some(rng, born, 0.88)
            day = pl.col("BDATE") + days(around + rng.integers(-2, 4, seen.height))
            frames.append(seen.select("BDATE", "GRAVIDA", r=who, kind=pl.lit(kind), day=day))
    return pl.concat(frames)


def mothers(world: World, life: Motherhood, visits: pl.DataFrame) -> Tables:
    """The files of pregnancies, births and family planning."""
    ended = life.carried.filter(pl.col("BDATE").is_not_null())
    ended = ended.hstack(_places(world, ended))
    return {
        "PRENATAL": _prenatal(world, life.carried), "ANC": _anc(world, life.antenatal, visits),
        "LABOR": _labor(world, ended), "NEWBORN": _newborn(world, ended.filter(pl.col("baby").is_not_null())),
        "POSTNATAL": _after(world, life.after, "postnatal", visits).rename({"DATE_SERV": "PPCARE"}),
        "NEWBORNCARE": _after(world, life.after, "newborn", visits).rename({"DATE_SERV": "BCARE"}),
        "FP": _planning(world, visits),
    }  # fmt: skip


def _places(world: World, ended: pl.DataFrame) -> pl.DataFrame:
    """Place, facility and attendant of each end of a pregnancy; the same for mother and child."""
    rng, count = world.draws("places of birth"), ended.height
    where = world.people["f"].gather(ended["place_r"].fill_null(0)).set(ended["place_r"].is_null(), None)
    inside = where.is_not_null()
    return pl.DataFrame({
        "BPLACE": either(inside, "1", choose(rng, {"2": 0.6, "3": 0.25, "4": 0.15}, count)),
        "BHOSP": world.codes(where), "BDOCTOR": choose(rng, {"1": 0.6, "2": 0.38, "3": 0.02}, count),
    })  # fmt: skip


def _prenatal(world: World, carried: pl.DataFrame) -> pl.DataFrame:
    """PRENATAL: known from about the eighth week."""
    day = pl.col("LMP") + pl.duration(days=60 + pl.col("late") * 7)
    known = world.present(carried.select("r", "GRAVIDA", "LMP", "EDC", day=day))
    height = world.people["height"].gather(known["r"]).clip(130, 185)
    return known.with_columns(HEIGHT=height, DATE_HCT=pl.col("day"))


def _anc(world: World, antenatal: pl.DataFrame, visits: pl.DataFrame) -> pl.DataFrame:
    """ANC: gestational week, its period, and a mother who grows heavier."""
    rng, weeks = world.draws("anc"), antenatal.select("r", "day", "GA", "GRAVIDA")
    once = weeks.unique(["r", "day"], keep="first", maintain_order=True)
    seen = with_seq(world, antenatal, visits).join(once, on=["r", "day"], how="left", maintain_order="left")
    period = 1 + sum((pl.col("GA") > limit).cast(pl.Int64) for limit in PERIODS)
    gained = np.maximum(seen["GA"].to_numpy() - 12, 0) * 0.42 + rng.normal(0, 0.6, seen.height)
    weight = world.people["weight"].gather(seen["r"]).to_numpy() + gained
    return seen.drop("kind").with_columns(
        ANCNO=period, ANCPLACE=world.codes(seen["f"]), WEIGHT=pl.Series(weight)
    )


def _labor(world: World, ended: pl.DataFrame) -> pl.DataFrame:
    """LABOR: the end of each pregnancy that is over."""
    alive = pl.col("baby").is_not_null().cast(pl.Int64)
    return world.present(ended.with_columns(
        day=pl.col("BDATE"), BRESULT=pl.col("BTYPE").replace_strict(RESULTS, return_dtype=pl.String),
        LBORN=alive, SBORN=pl.lit(0),
    ))  # fmt: skip


def _newborn(world: World, born: pl.DataFrame) -> pl.DataFrame:
    """NEWBORN: weight by week of birth, one in eleven below 2500 g."""
    rng, count = world.draws("newborn"), born.height
    weeks = (born["BDATE"] - born["LMP"]).dt.total_days().to_numpy() // 7
    second = pl.Series(rng.integers(0, 86_400, count))
    parts = pl.DataFrame({"h": second // 3600, "m": second // 60 % 60, "s": second % 60})
    clock = parts.select(pl.concat_str(pl.all().cast(pl.String).str.zfill(2))).to_series()
    return world.present(born.with_columns(
        r=pl.col("baby"), day=pl.col("BDATE"), MPID=world.people["pid"].gather(born["r"]), GA=pl.Series(weeks),
        BTIME=clock, BIRTHNO=pl.lit("1"), TSH=either(rng.random(count) < 0.96, "1", "2"),
        BWEIGHT=bounded(3080 + (weeks - 39) * 130 + rng.normal(0, 340, count), 900, 4800),
        ASPHYXIA=choose(rng, {"10": 0.5, "9": 0.4, "8": 0.08, "6": 0.02}, count),
        LENGTH=bounded(rng.normal(50, 2, count), 38, 58),
        HEADCIRCUM=bounded(rng.normal(33.2, 1.2, count), 26, 38),
    ))  # fmt: skip


def _after(world: World, after: pl.DataFrame, kind: str, visits: pl.DataFrame) -> pl.DataFrame:
    """POSTNATAL or NEWBORNCARE: one row per call."""
    mine = after.filter(pl.col("kind") == kind).unique(["r", "day"], keep="first", maintain_order=True)
    births = mine.select("r", "day", "BDATE", "GRAVIDA")
    seen = with_seq(world, mine, visits).join(births, on=["r", "day"], how="left", maintain_order="left")
    own = world.codes(seen["f"])
    return seen.drop("kind").with_columns(PPPLACE=own, BCPLACE=own)


def _planning(world: World, visits: pl.DataFrame) -> pl.DataFrame:
    """FP: pills and injections of women who come for them, from visits of that kind."""
    came = visits.filter(pl.col("kind") == "fp")
    return came.select("r", "f", "day", SEQ="seq", DATE_SERV="day", FPPLACE=world.codes(came["f"]))


def contraception(world: World) -> pl.DataFrame:
    """Planned visits for family planning: every three months."""
    rng, plan = world.draws("contraception"), world.plan
    wives = (pl.col("sex") == 2) & pl.col("age").is_between(17, 45) & (pl.col("couple_row") >= 0)
    users = some(rng, world.people.filter(wives & pl.col("at_home")), 0.18)["r"]
    span = (plan.end - plan.start).days + 1
    rows = np.repeat(users.to_numpy(), max(1, round(span / 90)))
    day = np.datetime64(plan.start) + rng.integers(0, span, len(rows))
    return pl.DataFrame({"r": rows, "day": day, "kind": same("fp", len(rows))})
