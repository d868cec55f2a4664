"""From pregnancy to the first weeks: PRENATAL, ANC, LABOR, POSTNATAL, NEWBORN, NEWBORNCARE, FP."""

from __future__ import annotations

import numpy as np
import polars as pl

from khlang.synth.longcare import with_seq
from khlang.synth.registers import Tables
from khlang.synth.world import World

TERM = 279
"""Days from the last period to birth."""
CALLS = (9, 17, 23, 29, 33, 36, 38)
"""Weeks in which mothers are called for antenatal care."""
PERIODS = (12, 19, 25, 31)


def pregnancies(world: World) -> pl.DataFrame:
    """One row per pregnancy: mother `r`, child `baby` (or null), LMP, BDATE (or null), GRAVIDA, first call."""
    rng, plan, people = world.draws("pregnancies"), world.plan, world.people
    first_birth = np.datetime64(plan.start) - np.timedelta64(420, "D")
    born = people.filter(pl.col("at_home") & (pl.col("mother_row") >= 0) & (pl.col("birth") >= pl.lit(first_birth)))
    born = born.filter((world.people["age"].gather(born["mother_row"]) < 48) & (pl.col("from_day") >= pl.col("birth"))).unique("mother_row", keep="first", maintain_order=True)
    early = np.where(rng.random(born.height) < 0.1, rng.integers(14, 35, born.height), rng.integers(-10, 8, born.height))
    birth = born["birth"].cast(pl.Date).to_numpy()
    ended = pl.DataFrame({"r": born["mother_row"], "baby": born["r"], "BDATE": birth, "LMP": birth - (TERM - early).astype("timedelta64[D]")})
    fertile = people.filter(
        (pl.col("sex") == 2) & pl.col("age").is_between(17, 42) & pl.col("at_home") & (pl.col("couple_row") >= 0)
        & ~pl.col("r").is_in(born["mother_row"].implode())
    )  # fmt: skip
    waiting = fertile.filter(pl.Series(rng.random(fertile.height) < 0.07))
    lmp = np.datetime64(plan.end) - rng.integers(30, TERM - 12, waiting.height)
    going = pl.DataFrame({"r": waiting["r"], "LMP": lmp}).with_columns(baby=pl.lit(None, pl.Int64), BDATE=pl.lit(None, pl.Date))
    every = pl.concat([ended.with_columns(pl.col("LMP").cast(pl.Date)), going.select(ended.columns)], how="vertical_relaxed")
    late = np.where(rng.random(every.height) < 0.2, rng.integers(8, 20, every.height), 0)
    return every.with_columns(
        GRAVIDA=pl.Series(rng.choice(["1", "2", "3", "4"], every.height, p=[0.38, 0.38, 0.18, 0.06])),
        late=pl.Series(late), EDC=pl.col("LMP") + pl.duration(days=280), preg=pl.int_range(every.height),
    )  # fmt: skip


def calls(world: World, carried: pl.DataFrame) -> pl.DataFrame:
    """Antenatal visits of pregnancies: `r`, `day`, `kind`, GA in weeks, GRAVIDA."""
    rng, count = world.draws("antenatal calls"), carried.height
    weeks = np.array(CALLS)[None, :] + rng.integers(-2, 3, (count, len(CALLS)))
    row, call = np.nonzero((weeks > carried["late"].to_numpy()[:, None]) & (rng.random(weeks.shape) < 0.9))
    week = weeks[row, call]
    shift = week * 7 + rng.integers(0, 7, len(week))
    chosen = carried[row]
    frame = chosen.select("r", "GRAVIDA", "BDATE", "LMP").with_columns(
        kind=pl.lit("anc"), GA=pl.Series(week), day=pl.col("LMP") + pl.duration(days=pl.Series(shift))
    )
    return frame.filter(pl.col("BDATE").is_null() | (pl.col("day") < pl.col("BDATE")))


def planned(carried: pl.DataFrame, antenatal: pl.DataFrame, after: pl.DataFrame) -> list[pl.DataFrame]:
    """Visits that pregnancies bring: antenatal care, birth, care of mother and child afterwards."""
    birth = carried.filter(pl.col("BDATE").is_not_null()).select("r", day="BDATE", kind=pl.lit("birth"))
    return [birth, antenatal.select("r", "day", "kind"), after.select("r", "day", "kind")]


def aftercare(world: World, carried: pl.DataFrame) -> pl.DataFrame:
    """Care of mother and child about 5, 12 and 35 days after birth: `r`, `day`, `kind`, BDATE, GRAVIDA."""
    rng, born = world.draws("aftercare"), carried.filter(pl.col("BDATE").is_not_null())
    frames = []
    for who, kind in (("r", "postnatal"), ("baby", "newborn")):
        for around in (5, 12, 33):
            some = born.filter(pl.Series(rng.random(born.height) < 0.88))
            shift = pl.Series(around + rng.integers(-2, 4, some.height))
            frames.append(some.select("BDATE", "GRAVIDA", r=who, kind=pl.lit(kind), day=pl.col("BDATE") + pl.duration(days=shift)))
    return pl.concat(frames)


def mothers(world: World, carried: pl.DataFrame, antenatal: pl.DataFrame, after: pl.DataFrame, visits: pl.DataFrame) -> Tables:
    """The files of pregnancies, births and family planning."""
    own = world.codes(world.people["f"])
    born = carried.filter(pl.col("BDATE").is_not_null())
    return {
        "PRENATAL": _prenatal(world, carried), "ANC": _anc(world, antenatal, visits, own),
        "LABOR": _labor(world, born, own), "NEWBORN": _newborn(world, born, own),
        "POSTNATAL": _after(world, after, "postnatal", visits).rename({"DATE_SERV": "PPCARE"}),
        "NEWBORNCARE": _after(world, after, "newborn", visits).rename({"DATE_SERV": "BCARE"}),
        "FP": _planning(world, visits),
    }  # fmt: skip


def _prenatal(world: World, carried: pl.DataFrame) -> pl.DataFrame:
    """PRENATAL: known from about the eighth week."""
    start = carried.select("r", "GRAVIDA", "LMP", "EDC", day=pl.col("LMP") + pl.duration(days=60 + pl.col("late") * 7))
    known = world.present(start)
    height = world.people["height"].gather(known["r"]).clip(130, 185)
    return known.with_columns(HEIGHT=height, DATE_HCT=pl.col("day"))


def _anc(world: World, antenatal: pl.DataFrame, visits: pl.DataFrame, own: pl.Series) -> pl.DataFrame:
    """ANC: gestational week, its period, and a mother who grows heavier."""
    rng = world.draws("anc")
    seen = with_seq(world, antenatal, visits).join(
        antenatal.select("r", "day", "GA", "GRAVIDA").unique(["r", "day"], keep="first", maintain_order=True),
        on=["r", "day"], how="left", maintain_order="left",
    )  # fmt: skip
    period = 1 + sum((seen["GA"] > limit).cast(pl.Int64) for limit in PERIODS)
    weight = world.people["weight"].gather(seen["r"]).to_numpy() + np.maximum(seen["GA"].to_numpy() - 12, 0) * 0.42
    return seen.drop("kind").with_columns(
        ANCNO=period, ANCPLACE=own.gather(seen["r"]), WEIGHT=pl.Series(weight + rng.normal(0, 0.6, seen.height))
    )


def _ways(world: World, born: pl.DataFrame) -> pl.DataFrame:
    """How each birth went: place, way, attendant; the same for mother and child."""
    rng = world.draws("ways of birth")
    rates = [0.64, 0.31, 0.02, 0.01, 0.02]
    return pl.DataFrame({
        "BPLACE": rng.choice(["1", "2", "3", "4"], born.height, p=[0.96, 0.02, 0.01, 0.01]),
        "BTYPE": rng.choice(["1", "2", "3", "4", "5"], born.height, p=rates),
        "BDOCTOR": rng.choice(["1", "2", "3"], born.height, p=[0.6, 0.38, 0.02]),
    })  # fmt: skip


def _labor(world: World, born: pl.DataFrame, own: pl.Series) -> pl.DataFrame:
    """LABOR: one end of each pregnancy that is over."""
    result = pl.Series({"1": "O800", "2": "O820", "3": "O814", "4": "O810", "5": "O830"}[way] for way in _ways(world, born)["BTYPE"])
    rows = born.select("r", "GRAVIDA", "LMP", "EDC", "BDATE", day="BDATE").hstack(_ways(world, born)).with_columns(
        BRESULT=result, BHOSP=own.gather(born["r"]), LBORN=pl.lit(1), SBORN=pl.lit(0)
    )
    return world.present(rows)


def _newborn(world: World, born: pl.DataFrame, own: pl.Series) -> pl.DataFrame:
    """NEWBORN: weight by week of birth, one in eleven below 2500 g."""
    rng, count = world.draws("newborn"), born.height
    weeks = (born["BDATE"] - born["LMP"]).dt.total_days().to_numpy() // 7
    weight = np.clip(3080 + (weeks - 39) * 130 + rng.normal(0, 340, count), 900, 4800).round()
    second = rng.integers(0, 86_400, count)
    clock = [f"{s // 3600:02d}{s // 60 % 60:02d}{s % 60:02d}" for s in second.tolist()]
    tested = rng.random(count) < 0.96
    rows = born.select("GRAVIDA", "BDATE", r="baby", day="BDATE").hstack(_ways(world, born)).with_columns(
        MPID=world.people["pid"].gather(born["r"]), GA=pl.Series(weeks), BTIME=pl.Series(clock, dtype=pl.String), BHOSP=own.gather(born["r"]),
        BIRTHNO=pl.lit("1"), BWEIGHT=pl.Series(weight), ASPHYXIA=pl.Series(rng.choice(["10", "9", "8", "6"], count, p=[0.5, 0.4, 0.08, 0.02])),
        TSH=pl.Series(np.where(tested, "1", "2")), LENGTH=pl.Series(np.clip(rng.normal(50, 2, count), 38, 58)),
        HEADCIRCUM=pl.Series(np.clip(rng.normal(33.2, 1.2, count), 26, 38)),
    )  # fmt: skip
    return world.present(rows)


def _after(world: World, after: pl.DataFrame, kind: str, visits: pl.DataFrame) -> pl.DataFrame:
    """POSTNATAL or NEWBORNCARE: one row per call."""
    mine = after.filter(pl.col("kind") == kind).unique(["r", "day"], keep="first", maintain_order=True)
    seen = with_seq(world, mine, visits).join(mine.select("r", "day", "BDATE", "GRAVIDA"), on=["r", "day"], how="left", maintain_order="left")
    own = world.codes(seen["f"])
    return seen.drop("kind").with_columns(PPPLACE=own, BCPLACE=own)


def _planning(world: World, visits: pl.DataFrame) -> pl.DataFrame:
    """FP: pills and injections of women who come for them, from visits of that kind."""
    came = visits.filter(pl.col("kind") == "fp")
    return came.select("r", "f", "day", SEQ="seq", DATE_SERV="day").with_columns(FPPLACE=world.codes(came["f"]))


def contraception(world: World) -> pl.DataFrame:
    """Planned visits for family planning: every three months."""
    rng, plan = world.draws("contraception"), world.plan
    some = world.people.filter((pl.col("sex") == 2) & pl.col("age").is_between(17, 45) & pl.col("at_home") & (pl.col("couple_row") >= 0))
    users = some.filter(pl.Series(rng.random(some.height) < 0.18))["r"]
    span = (plan.end - plan.start).days + 1
    times = max(1, round(span / 90))
    rows = np.repeat(users.to_numpy(), times)
    days = np.datetime64(plan.start) + rng.integers(0, span, len(rows))
    return pl.DataFrame({"r": rows, "day": days, "kind": pl.repeat("fp", len(rows), dtype=pl.String, eager=True)})
