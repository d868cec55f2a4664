"""Stays in hospital: admissions with grouping, their diagnoses, drugs, procedures and charges."""

from __future__ import annotations

import numpy as np
import polars as pl

from khlang.synth import identity
from khlang.synth.draw import choose, either, midnight, minutes, one_of, seconds
from khlang.synth.registers import Tables
from khlang.synth.visits import spread
from khlang.synth.words import drugs, tables
from khlang.synth.world import World

WARD = "10100"
LAST_DAYS = 9
"""Whoever is admitted so many days before their last one dies in the stay."""
BIRTH_WORK = ["7359", "741"]


def last_days(world: World) -> pl.DataFrame:
    """Planned admissions of about half of those who die, some days before, where a hospital knows them."""
    rng = world.draws("last days")
    dying = world.people.filter(pl.col("dies") & pl.col("hospital")).unique(
        "s", keep="first", maintain_order=True
    )
    before = pl.col("to_day").cast(pl.Date) - pl.duration(
        days=pl.lit(pl.Series(rng.integers(1, LAST_DAYS, dying.height)))
    )
    come = dying.select("r", day=before, kind=pl.lit("admit"))
    return come.filter(pl.Series(rng.random(dying.height) < 0.6))


def admitted(world: World, visits: pl.DataFrame) -> pl.DataFrame:
    """Stays: visits of kind admit and births, in hospitals; `day` is the day of leaving, `died` the end."""
    rng, hospital = world.draws("stays"), world.facilities["hospital"].gather(visits["f"])
    came = visits.filter(pl.col("kind").is_in(["admit", "birth"]) & hospital)
    count, person = came.height, world.of(came["r"], "s", "to_day")
    left = (person["to_day"].cast(pl.Date) - came["day"]).dt.total_days().to_numpy()
    died = left < LAST_DAYS
    length = np.where(died, left, np.maximum(1, rng.gamma(2.0, 1.9, count).round())).astype(np.int64)
    running = came.select(pl.int_range(1, pl.len() + 1).over("f")).to_series().to_numpy()
    admit = midnight("served") + seconds(rng.integers(9 * 3600, 11 * 3600, count))
    leave = (
        midnight("served")
        + pl.duration(days=pl.col("days"))
        + seconds(rng.integers(12 * 3600, 15 * 3600, count))
    )
    stays = came.select("r", "f", "v", "care", "dx", "age", SEQ="seq", served="day").with_columns(
        s=person["s"], AN=came["day"].dt.strftime("%y") + identity.digits(running, 7), days=pl.Series(length),
        died=pl.Series(died), DATETIME_ADMIT=admit,
    )  # fmt: skip
    return stays.with_columns(DATETIME_DISCH=leave).with_columns(day=pl.col("DATETIME_DISCH").dt.date())


def inpatient(world: World, stays: pl.DataFrame, outcomes: pl.DataFrame) -> Tables:
    """ADMISSION and its four detail files, of stays that ended in the time of the plan."""
    over = world.present(stays)
    given, done = _drugs(world, over), _procedures(world, over)
    charges = _charges(world, over, given, done)
    return {
        "ADMISSION": _admission(world, over, charges, outcomes), "DIAGNOSIS_IPD": _diagnoses(world, over),
        "DRUG_IPD": given, "PROCEDURE_IPD": done, "CHARGE_IPD": charges,
    }  # fmt: skip


def _keys(stays: pl.DataFrame, rows: np.ndarray | pl.Series) -> pl.DataFrame:
    """What every detail of a stay repeats."""
    repeated = stays.select("r", "f", "day", "AN", "DATETIME_ADMIT")[rows]
    return repeated.with_columns(WARDSTAY=pl.lit(WARD), WARDDIAG=pl.lit(WARD))


def _admission(
    world: World, stays: pl.DataFrame, charges: pl.DataFrame, outcomes: pl.DataFrame
) -> pl.DataFrame:
    """ADMISSION: how the patient came and left, what it cost, the related group."""
    rng, count = world.draws("admission"), stays.height
    paid = charges.group_by("AN", "f").agg(pl.col("PRICE", "COST").sum())
    body = world.of(stays["r"], "weight", "height", "instype")
    better = choose(rng, {"1": 0.4, "2": 0.57, "3": 0.03}, count)
    alive = either(stays["care"] == "birth", "4", better)
    above = world.codes(world.facilities["above"].gather(stays["f"]))
    moved = ~stays["died"] & (above != "") & pl.Series(rng.random(count) < 0.03)
    weight = np.clip(rng.lognormal(-0.3, 0.5, count), 0.1, 12)
    group = rng.integers(1, 26, count) * 1000 + rng.integers(1, 60, count) * 10 + rng.integers(0, 5, count)
    came = outcomes.select("v", "TYPEIN", "REFERINHOSP", "CAUSEIN")
    rows = stays.select("r", "f", "day", "v", "SEQ", "AN", "DATETIME_ADMIT", "DATETIME_DISCH", ACTLOS="days")
    return rows.with_columns(
        INSTYPE=body["instype"], ADMITWEIGHT=body["weight"], ADMITHEIGHT=body["height"].clip(45, 210),
        WARDDISCH=pl.lit(WARD), DISCHSTATUS=either(stays["died"], "9", alive),
        DISCHTYPE=either(stays["died"], "9", either(moved, "4", choose(rng, {"1": 0.97, "2": 0.03}, count))),
        REFEROUTHOSP=either(moved, above), CAUSEOUT=either(moved, "1"), PAYPRICE=pl.lit(0.0),
        ACTUALPAY=pl.lit(0.0), RW=pl.Series(weight), ADJRW=pl.Series(weight * rng.uniform(0.9, 1.1, count)),
        DRG=identity.digits(group, 5),
    ).join(paid, on=["AN", "f"], how="left", maintain_order="left").join(
        came, on="v", how="left", maintain_order="left"
    ).drop("v")  # fmt: skip


def _diagnoses(world: World, stays: pl.DataFrame) -> pl.DataFrame:
    """DIAGNOSIS_IPD: the principal one, then long illnesses as comorbidity."""
    first = _keys(stays, np.arange(stays.height)).with_columns(DIAGTYPE=pl.lit("1"), DIAGCODE=stays["dx"])
    ill, frames = world.of(stays["r"], "dm", "ht", "N183", "dm_code", "ht_code"), [first]
    for column in ("dm", "ht", "N183"):
        code = (
            ill[f"{column}_code"] if column != "N183" else pl.Series(["N183"] * stays.height, dtype=pl.String)
        )
        has = (ill[column] <= stays["served"]).fill_null(False) & (code != stays["dx"])
        rows = np.flatnonzero(has.to_numpy())
        frames.append(_keys(stays, rows).with_columns(DIAGTYPE=pl.lit("2"), DIAGCODE=code.gather(rows)))
    return pl.concat(frames)


def _drugs(world: World, stays: pl.DataFrame) -> pl.DataFrame:
    """DRUG_IPD: drugs of the stay's care, given in it or taken home."""
    cares = {name: tables("cares")[name]["drugs"] for name in ("admit", "birth")}
    given = spread(world, "stay drugs", stays["care"], cares, 3.2)
    listed = given.join(drugs(), left_on="item", right_on="drug", how="left", maintain_order="left")
    kind = one_of(world.draws("stay drug kinds"), ["1", "1", "2"], given.height)
    return _keys(stays, given["row"]).with_columns(
        TYPEDRUG=kind, DIDSTD=listed["didstd"], DNAME=listed["name_th"], DATEFINISH=pl.col("day"),
        DATESTART=pl.col("DATETIME_ADMIT").dt.date(), AMOUNT=listed["amount"], UNIT=listed["unit"],
        DRUGPRICE=listed["price"], DRUGCOST=listed["price"] * 0.6,
    )  # fmt: skip


def _procedures(world: World, stays: pl.DataFrame) -> pl.DataFrame:
    """PROCEDURE_IPD: some hours after admission."""
    cares = {"admit": tables("cares")["admit"]["procedures"], "birth": BIRTH_WORK}
    done = spread(world, "stay procedures", stays["care"], cares, 0.7)
    rng = world.draws("stay procedure times")
    start = pl.col("DATETIME_ADMIT") + minutes(rng.integers(20, 90, done.height))
    price = pl.Series(rng.integers(5, 90, done.height) * 100.0)
    rows = _keys(stays, done["row"]).with_columns(
        PROCEDCODE=done["item"], TIMESTART=start, SERVICEPRICE=price
    )
    return rows.with_columns(TIMEFINISH=pl.col("TIMESTART") + pl.duration(minutes=40))


def _charges(world: World, stays: pl.DataFrame, given: pl.DataFrame, done: pl.DataFrame) -> pl.DataFrame:
    """CHARGE_IPD: room and nursing by the day, drugs, procedures."""
    keys = ["r", "f", "day", "AN", "DATETIME_ADMIT", "WARDSTAY"]
    daily = _keys(stays, np.arange(stays.height)).with_columns(QUANTITY=stays["days"].clip(1))
    rooms = [
        daily.with_columns(item=pl.lit(code), PRICE=pl.col("QUANTITY") * price)
        for code, price in (("01", 400.0), ("12", 300.0))
    ]
    cost = given.with_columns(item=pl.lit("03"), PRICE=pl.col("AMOUNT") * pl.col("DRUGPRICE"))
    work = done.with_columns(item=pl.lit("11"), PRICE=pl.col("SERVICEPRICE"))
    once = [part.with_columns(QUANTITY=pl.lit(0, pl.Int64)) for part in (cost, work)]
    parts = [
        part.group_by([*keys, "item"], maintain_order=True).agg(
            pl.col("QUANTITY").max(), pl.col("PRICE").sum()
        )
        for part in (*rooms, *once)
    ]
    charges = pl.concat(parts).rename({"item": "CHARGEITEM"})
    return charges.with_columns(
        QUANTITY=pl.col("QUANTITY").clip(1), CHARGELIST=pl.col("CHARGEITEM") + "0001",
        INSTYPE=world.people["instype"].gather(charges["r"]), COST=pl.col("PRICE") * 0.8, PAYPRICE=pl.lit(0.0),
    )  # fmt: skip
