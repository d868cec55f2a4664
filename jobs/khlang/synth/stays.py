"""Stays in hospital: admissions with grouping, their diagnoses, drugs, procedures and charges."""

from __future__ import annotations

import numpy as np
import polars as pl

from khlang.synth import identity
from khlang.synth.registers import Tables
from khlang.synth.visits import spread
from khlang.synth.words import drugs, tables
from khlang.synth.world import World


def admitted(world: World, visits: pl.DataFrame) -> pl.DataFrame:
    """Stays (`r`, `f`, `v`, AN, times, days): visits of kind admit and births, in hospitals."""
    rng = world.draws("stays")
    hospital = world.facilities["hospital"].gather(visits["f"])
    came = visits.filter(pl.col("kind").is_in(["admit", "birth"]) & hospital)
    count = came.height
    length = np.maximum(1, rng.gamma(2.0, 1.9, count).round()).astype(int)
    admit = came["day"].cast(pl.Datetime("us")) + pl.duration(seconds=pl.Series(rng.integers(9 * 3600, 20 * 3600, count)))
    running = came.select(pl.int_range(1, pl.len() + 1).over("f")).to_series().to_numpy()
    number = came["day"].dt.strftime("%y") + identity.digits(running, 7)
    stays = came.select("r", "f", "v", "care", "dx", "age", SEQ="seq", served="day").with_columns(
        AN=number, DATETIME_ADMIT=pl.select(admit).to_series(), days=pl.Series(length), leave=pl.Series(rng.integers(9 * 3600, 15 * 3600, count))
    )
    out = pl.col("served").cast(pl.Datetime("us")) + pl.duration(days=pl.col("days"), seconds=pl.col("leave"))
    return stays.with_columns(DATETIME_DISCH=out).with_columns(day=pl.col("DATETIME_DISCH").dt.date())


def inpatient(world: World, stays: pl.DataFrame) -> Tables:
    """ADMISSION and its four detail files, of stays that ended in the time of the plan."""
    over = world.present(stays)
    given, done = _drugs(world, over), _procedures(world, over)
    charges = _charges(world, over, given, done)
    return {
        "ADMISSION": _admission(world, over, charges), "DIAGNOSIS_IPD": _diagnoses(world, over),
        "DRUG_IPD": given, "PROCEDURE_IPD": done, "CHARGE_IPD": charges,
    }  # fmt: skip


def _keys(stays: pl.DataFrame, rows: np.ndarray | pl.Series) -> pl.DataFrame:
    """What every detail of a stay repeats."""
    return stays.select("r", "f", "day", "AN", "DATETIME_ADMIT")[rows].with_columns(
        WARDSTAY=pl.lit("10100"), WARDDIAG=pl.lit("10100")
    )


def _admission(world: World, stays: pl.DataFrame, charges: pl.DataFrame) -> pl.DataFrame:
    """ADMISSION: how the patient came and left, what it cost, the related group."""
    rng, count = world.draws("admission"), stays.height
    paid = charges.group_by("AN", "f").agg(pl.col("PRICE", "COST").sum())
    body = world.of(stays["r"], "weight", "height", "instype", "to_day")
    died = (body["to_day"] <= stays["day"]).to_numpy() | (rng.random(count) < np.where(stays["age"].to_numpy() > 60, 0.03, 0.003))
    birth = (stays["care"] == "birth").to_numpy()
    status = np.where(died, "9", np.where(birth, "4", rng.choice(["1", "2", "3"], count, p=[0.4, 0.57, 0.03])))
    weight = np.clip(rng.lognormal(-0.3, 0.5, count), 0.1, 12)
    return stays.select("r", "f", "day", "SEQ", "AN", "DATETIME_ADMIT", "DATETIME_DISCH", ACTLOS="days").with_columns(
        INSTYPE=body["instype"], TYPEIN=pl.Series(rng.choice(["1", "2", "4"], count, p=[0.75, 0.1, 0.15])),
        ADMITWEIGHT=body["weight"], ADMITHEIGHT=body["height"].clip(45, 210), WARDDISCH=pl.lit("10100"),
        DISCHSTATUS=pl.Series(status), DISCHTYPE=pl.Series(np.where(died, "9", rng.choice(["1", "2", "4"], count, p=[0.95, 0.02, 0.03]))),
        PAYPRICE=pl.lit(0.0), ACTUALPAY=pl.lit(0.0), RW=pl.Series(weight), ADJRW=pl.Series(weight * rng.uniform(0.9, 1.1, count)),
        DRG=identity.digits(rng.integers(1, 26, count) * 1000 + rng.integers(1, 60, count) * 10 + rng.integers(0, 5, count), 5),
    ).join(paid, on=["AN", "f"], how="left", maintain_order="left")  # fmt: skip


def _diagnoses(world: World, stays: pl.DataFrame) -> pl.DataFrame:
    """DIAGNOSIS_IPD: the principal one, then long illnesses as comorbidity."""
    every = np.arange(stays.height)
    frames = [_keys(stays, every).with_columns(DIAGTYPE=pl.lit("1"), DIAGCODE=stays["dx"])]
    ill = world.of(stays["r"], "dm", "ht", "N183")
    for column, code in (("dm", "E119"), ("ht", "I10"), ("N183", "N183")):
        has = ill[column].is_not_null() & (ill[column] <= stays["served"])
        frames.append(_keys(stays, np.flatnonzero(has.to_numpy())).with_columns(DIAGTYPE=pl.lit("2"), DIAGCODE=pl.lit(code)))
    return pl.concat(frames)


def _drugs(world: World, stays: pl.DataFrame) -> pl.DataFrame:
    """DRUG_IPD: drugs of the stay's care, given in it or taken home."""
    cares = {name: care["drugs"] for name, care in tables("cares").items() if name in ("admit", "birth")}
    given = spread(world, "stay drugs", stays["care"], cares, 3.2)
    listed = given.join(drugs(), left_on="item", right_on="drug", how="left", maintain_order="left")
    at_home = world.draws("stay drug kinds").random(given.height) < 0.3
    return _keys(stays, given["row"]).with_columns(
        TYPEDRUG=pl.Series(np.where(at_home, "2", "1")), DIDSTD=listed["didstd"], DNAME=listed["name_th"],
        DATESTART=pl.col("DATETIME_ADMIT").dt.date(), DATEFINISH=pl.col("day"), AMOUNT=listed["amount"],
        UNIT=listed["unit"], DRUGPRICE=listed["price"], DRUGCOST=listed["price"] * 0.6,
    )  # fmt: skip


def _procedures(world: World, stays: pl.DataFrame) -> pl.DataFrame:
    """PROCEDURE_IPD: some hours after admission."""
    listed = {"admit": tables("cares")["admit"]["procedures"], "birth": ["7359", "741"]}
    done = spread(world, "stay procedures", stays["care"], listed, 0.7)
    rng = world.draws("stay procedure times")
    start = pl.col("DATETIME_ADMIT") + pl.duration(minutes=pl.Series(rng.integers(20, 600, done.height)))
    return _keys(stays, done["row"]).with_columns(
        PROCEDCODE=done["item"], TIMESTART=start, SERVICEPRICE=pl.Series(rng.integers(5, 90, done.height) * 100.0)
    ).with_columns(TIMEFINISH=pl.col("TIMESTART") + pl.duration(minutes=40))  # fmt: skip


def _charges(world: World, stays: pl.DataFrame, given: pl.DataFrame, done: pl.DataFrame) -> pl.DataFrame:
    """CHARGE_IPD: room and nursing by the day, drugs, procedures."""
    every, keys = np.arange(stays.height), ["r", "f", "day", "AN", "DATETIME_ADMIT", "WARDSTAY"]
    room = _keys(stays, every).with_columns(CHARGEITEM=pl.lit("01"), QUANTITY=stays["days"], PRICE=stays["days"] * 400.0)
    nursing = _keys(stays, every).with_columns(CHARGEITEM=pl.lit("12"), QUANTITY=stays["days"], PRICE=stays["days"] * 300.0)
    drug = given.group_by(keys, maintain_order=True).agg(PRICE=(pl.col("AMOUNT") * pl.col("DRUGPRICE")).sum())
    work = done.group_by(keys, maintain_order=True).agg(PRICE=pl.col("SERVICEPRICE").sum())
    columns = [*keys, "CHARGEITEM", "QUANTITY", "PRICE"]
    parts = [room, nursing, drug.with_columns(CHARGEITEM=pl.lit("03"), QUANTITY=pl.lit(1, pl.Int64)), work.with_columns(CHARGEITEM=pl.lit("11"), QUANTITY=pl.lit(1, pl.Int64))]
    charges = pl.concat([part.select(columns) for part in parts], how="vertical_relaxed")
    return charges.with_columns(
        CHARGELIST=pl.col("CHARGEITEM") + "0001", INSTYPE=world.people["instype"].gather(charges["r"]),
        COST=pl.col("PRICE") * 0.8, PAYPRICE=pl.lit(0.0),
    )  # fmt: skip
