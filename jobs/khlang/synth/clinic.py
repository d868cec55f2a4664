"""What is written down about every visit: SERVICE, diagnoses, drugs, procedures, charges, appointments."""

from __future__ import annotations

import numpy as np
import polars as pl

from khlang.synth.registers import Tables
from khlang.synth.visits import complaints, spread
from khlang.synth.words import drugs, tables
from khlang.synth.world import World

EXTERNAL = pl.Series(["V299", "W010", "W199", "W269", "W540", "X599"])
NO_DRUGS = ("screen", "child", "home")
PLACE = {"home": "2", "screen": "2"}


def outpatient(world: World, visits: pl.DataFrame, outcomes: pl.DataFrame) -> Tables:
    """The six files of every visit; `outcomes` gives TYPEIN, TYPEOUT and referral columns by visit `v`."""
    given, done = _drugs(world, visits), _procedures(world, visits)
    charges = _charges(world, visits, given, done)
    return {
        "SERVICE": _service(world, visits, charges, outcomes), "DIAGNOSIS_OPD": _diagnoses(world, visits),
        "DRUG_OPD": given, "PROCEDURE_OPD": done, "CHARGE_OPD": charges, "APPOINTMENT": _appointments(world, visits),
    }  # fmt: skip


def clinics(visits: pl.DataFrame) -> pl.Series:
    """Department of each visit, by its care."""
    return visits["care"].replace_strict({name: care["clinic"] for name, care in tables("cares").items()}, return_dtype=pl.String)


def _linked(visits: pl.DataFrame, rows: pl.Series) -> pl.DataFrame:
    """Registration, facility, day, SEQ, DATE_SERV and CLINIC of visits with these row numbers."""
    keyed = visits.select("r", "f", "day", SEQ="seq", DATE_SERV="day").with_columns(CLINIC=clinics(visits))
    return keyed[rows]


def _service(world: World, visits: pl.DataFrame, charges: pl.DataFrame, outcomes: pl.DataFrame) -> pl.DataFrame:
    """SERVICE: one row per visit with vital signs, what it cost and how it ended."""
    rng, count = world.draws("service"), visits.height
    paid = charges.group_by("SEQ", "f").agg(pl.col("PRICE", "COST").sum())
    patient = world.of(visits["r"], "hn", "instype", "cid_true", "cid", "ht", "typearea")
    ill = patient["ht"].is_not_null().to_numpy()
    measured = (visits["age"].to_numpy() >= 15) & (rng.random(count) < 0.85)
    upper = np.clip(rng.normal(np.where(ill, 139, 121), 14).round(), 80, 230)
    lower = np.clip((upper * 0.42 + rng.normal(25, 7, count)).round(), 45, 130)
    own, main = world.codes(visits["f"]), world.codes(world.facilities["above"].gather(visits["f"]))
    hour = visits["second"]
    clock = pl.DataFrame({"h": hour // 3600, "m": hour // 60 % 60, "s": hour % 60}).select(
        pl.concat_str(pl.all().cast(pl.String).str.zfill(2))
    ).to_series()  # fmt: skip
    lives = patient["typearea"].is_in(["1", "3"])
    return visits.select("r", "f", "day", "v", SEQ="seq", DATE_SERV="day").with_columns(
        HN=patient["hn"], TIME_SERV=clock, INSTYPE=patient["instype"], CHIEFCOMP=complaints(world, visits),
        INSID=patient["cid"], LOCATION=pl.select(pl.when(lives).then(pl.lit("1")).otherwise(pl.lit("2"))).to_series(),
        MAIN=pl.select(pl.when(main == "").then(own).otherwise(main)).to_series(), HSUB=own,
        SERVPLACE=visits["kind"].replace_strict(PLACE, default="1", return_dtype=pl.String),
        SBP=pl.Series(upper).set(pl.Series(~measured), None), DBP=pl.Series(lower).set(pl.Series(~measured), None),
        PAYPRICE=pl.lit(0.0), ACTUALPAY=pl.lit(0.0),
    ).join(paid, on=["SEQ", "f"], how="left", maintain_order="left").join(outcomes, on="v", how="left", maintain_order="left").drop("v")  # fmt: skip


def _diagnoses(world: World, visits: pl.DataFrame) -> pl.DataFrame:
    """DIAGNOSIS_OPD: the principal one, long illnesses beside it, the cause of an injury."""
    rng = world.draws("second diagnoses")
    ill = world.of(visits["r"], "dm", "ht", "E785")
    frames = [(pl.Series(np.arange(visits.height)), visits["dx"], "1")]
    for column, code in (("dm", "E119"), ("ht", "I10"), ("E785", "E785")):
        with_it = (ill[column].is_not_null() & (visits["dx"] != code) & visits["kind"].is_in(["dm", "ht", "admit"])).to_numpy()
        rows = np.flatnonzero(with_it & (ill[column].to_numpy() <= visits["day"].to_numpy()))
        frames.append((pl.Series(rows), pl.repeat(code, len(rows), dtype=pl.String, eager=True), "4"))
    hurt = np.flatnonzero((visits["dx"].str.starts_with("S") | visits["dx"].str.starts_with("T")).to_numpy())
    frames.append((pl.Series(hurt), EXTERNAL.gather(rng.integers(0, len(EXTERNAL), len(hurt))), "5"))
    parts = [
        _linked(visits, rows).with_columns(DIAGTYPE=pl.lit(kind), DIAGCODE=codes) for rows, codes, kind in frames
    ]
    return pl.concat(parts)


def _drugs(world: World, visits: pl.DataFrame) -> pl.DataFrame:
    """DRUG_OPD: some of the drugs of the visit's care."""
    cares = {name: care["drugs"] for name, care in tables("cares").items() if name not in NO_DRUGS}
    given = spread(world, "drugs given", visits["care"], cares, 2.0)
    listed = given.join(drugs(), left_on="item", right_on="drug", how="left", maintain_order="left")
    return _linked(visits, given["row"]).with_columns(
        DIDSTD=listed["didstd"], DNAME=listed["name_th"], UNIT=listed["unit"], AMOUNT=listed["amount"],
        DRUGPRICE=listed["price"], DRUGCOST=listed["price"] * 0.6,
    )  # fmt: skip


def _procedures(world: World, visits: pl.DataFrame) -> pl.DataFrame:
    """PROCEDURE_OPD: some of the procedures of the visit's care."""
    done = spread(world, "procedures done", visits["care"], {k: c["procedures"] for k, c in tables("cares").items()}, 0.35)
    price = world.draws("procedure prices").integers(3, 30, done.height) * 10.0
    return _linked(visits, done["row"]).with_columns(PROCEDCODE=done["item"], SERVICEPRICE=pl.Series(price))


def _charges(world: World, visits: pl.DataFrame, given: pl.DataFrame, done: pl.DataFrame) -> pl.DataFrame:
    """CHARGE_OPD: nursing for every visit, drugs and procedures where there were any."""
    instype = world.people["instype"]
    nursing = _linked(visits, pl.Series(np.arange(visits.height))).with_columns(
        CHARGEITEM=pl.lit("12"), CHARGELIST=pl.lit("120010"), PRICE=pl.lit(50.0)
    )
    keys = ["r", "f", "day", "SEQ", "DATE_SERV", "CLINIC"]
    medicine = given.group_by(keys, maintain_order=True).agg(PRICE=(pl.col("AMOUNT") * pl.col("DRUGPRICE")).sum())
    work = done.group_by(keys, maintain_order=True).agg(PRICE=pl.col("SERVICEPRICE").sum())
    parts = [
        medicine.with_columns(CHARGEITEM=pl.lit("03"), CHARGELIST=pl.lit("030001")),
        work.with_columns(CHARGEITEM=pl.lit("11"), CHARGELIST=pl.lit("110001")),
    ]
    charges = pl.concat([nursing, *(part.select(nursing.columns) for part in parts)])
    return charges.with_columns(
        INSTYPE=instype.gather(charges["r"]), QUANTITY=pl.lit(1), COST=pl.col("PRICE") * 0.8, PAYPRICE=pl.lit(0.0)
    )


def _appointments(world: World, visits: pl.DataFrame) -> pl.DataFrame:
    """APPOINTMENT: after visits for long illnesses and pregnancies, some others."""
    rng = world.draws("appointments")
    share = np.where(visits["kind"].is_in(["dm", "ht", "anc"]).to_numpy(), 0.9, 0.06)
    rows = np.flatnonzero(rng.random(visits.height) < share)
    ahead = pl.Series(rng.choice([7, 14, 28, 56, 84], len(rows), p=[0.1, 0.15, 0.4, 0.25, 0.1]))
    return _linked(visits, pl.Series(rows)).with_columns(
        APDATE=pl.col("day") + pl.duration(days=ahead), APDIAG=visits["dx"].gather(rows)
    )
