"""What is written down about every visit: SERVICE, diagnoses, drugs, procedures, charges, appointments."""

from __future__ import annotations

import numpy as np
import polars as pl

from khlang.synth.draw import bounded, choose, days, either, same
from khlang.synth.registers import Tables
from khlang.synth.visits import complaints, spread
from khlang.synth.words import drugs, tables
from khlang.synth.world import World

EXTERNAL = pl.Series(["V299", "W010", "W199", "W269", "W540", "X599"])
"""Causes of injuries."""
NO_DRUGS = ("screen", "child", "home")
OUTSIDE = {"home": "2", "screen": "2"}
FEVER = ("resp", "fever", "admit", "gut")
WORK_ITEMS = {"dental": "13", "rehab": "14"}
"""Charge item of procedures by care; 11 for all others."""


def outpatient(world: World, visits: pl.DataFrame, outcomes: pl.DataFrame) -> Tables:
    """The six files of every visit; `outcomes` gives TYPEIN, TYPEOUT and referral columns by visit `v`."""
    given, done = _drugs(world, visits), _procedures(world, visits)
    charges = _charges(world, visits, given, done)
    return {
        "SERVICE": _service(world, visits, charges, outcomes), "DIAGNOSIS_OPD": _diagnoses(world, visits),
        "DRUG_OPD": given, "PROCEDURE_OPD": done, "CHARGE_OPD": charges,
        "APPOINTMENT": _appointments(world, visits),
    }  # fmt: skip


def _linked(visits: pl.DataFrame, rows: pl.Series | np.ndarray) -> pl.DataFrame:
    """Registration, facility, day, SEQ, DATE_SERV and CLINIC of visits with these row numbers."""
    clinics = {name: care["clinic"] for name, care in tables("cares").items()}
    clinic = pl.col("care").replace_strict(clinics, return_dtype=pl.String)
    return visits.select("r", "f", "day", SEQ="seq", DATE_SERV="day", CLINIC=clinic)[rows]


def _service(
    world: World, visits: pl.DataFrame, charges: pl.DataFrame, outcomes: pl.DataFrame
) -> pl.DataFrame:
    """SERVICE: one row per visit with vital signs, what it cost and how it ended."""
    paid = charges.group_by("SEQ", "f").agg(pl.col("PRICE", "COST").sum())
    patient = world.of(visits["r"], "hn", "instype", "cid", "typearea")
    second = pl.col("second")
    parts = [second // 3600, second // 60 % 60, second % 60]
    time = pl.concat_str([part.cast(pl.String).str.zfill(2) for part in parts])
    rows = visits.select("r", "f", "day", "v", SEQ="seq", DATE_SERV="day", TIME_SERV=time).with_columns(
        HN=patient["hn"], INSTYPE=patient["instype"], INSID=patient["cid"], CHIEFCOMP=complaints(world, visits),
        LOCATION=either(patient["typearea"].is_in(["1", "3"]), "1", "2"), HSUB=world.codes(visits["f"]),
        MAIN=world.main(visits["f"]), PAYPRICE=pl.lit(0.0), ACTUALPAY=pl.lit(0.0), **_vitals(world, visits),
        SERVPLACE=visits["kind"].replace_strict(OUTSIDE, default="1", return_dtype=pl.String),
    )  # fmt: skip
    with_price = rows.join(paid, on=["SEQ", "f"], how="left", maintain_order="left")
    return with_price.join(outcomes, on="v", how="left", maintain_order="left").drop("v")


def _vitals(world: World, visits: pl.DataFrame) -> dict[str, pl.Series]:
    """Temperature by illness; pressure of grown-ups, higher with hypertension."""
    rng, count = world.draws("vitals"), visits.height
    ill = world.people["ht"].gather(visits["r"]).is_not_null().to_numpy()
    measured = (visits["age"].to_numpy() >= 15) & (rng.random(count) < 0.85)
    upper = rng.normal(np.where(ill, 139, 121), 14)
    lower = upper * 0.42 + rng.normal(25, 7, count)
    hot = visits["care"].is_in(FEVER).to_numpy()
    warmth = np.where(hot, rng.normal(37.7, 0.7, count), rng.normal(36.7, 0.25, count))
    unseen = pl.Series(~measured)
    return {
        "BTEMP": bounded(warmth, 35.5, 40.8), "SBP": bounded(upper, 80, 230).set(unseen, None),
        "DBP": bounded(lower, 45, 130).set(unseen, None),
    }  # fmt: skip


def _diagnoses(world: World, visits: pl.DataFrame) -> pl.DataFrame:
    """DIAGNOSIS_OPD: the principal one, long illnesses beside it, the cause of an injury."""
    rng = world.draws("second diagnoses")
    ill = world.of(visits["r"], "dm", "ht", "E785", "dm_code", "ht_code")
    long_care = visits["kind"].is_in(["dm", "ht", "admit"]).to_numpy()
    found = [(np.arange(visits.height), visits["dx"], "1")]
    for column in ("dm", "ht", "E785"):
        code = ill[f"{column}_code"] if column != "E785" else same(column, visits.height)
        since = (ill[column] <= visits["day"]).fill_null(False).to_numpy()
        rows = np.flatnonzero(long_care & since & (code != visits["dx"]).to_numpy())
        found.append((rows, code.gather(rows), "4"))
    hurt = np.flatnonzero(visits["dx"].str.contains("^[ST]").to_numpy())
    found.append((hurt, EXTERNAL.gather(rng.integers(0, len(EXTERNAL), len(hurt))), "5"))
    return pl.concat(
        [
            _linked(visits, rows).with_columns(DIAGTYPE=pl.lit(kind), DIAGCODE=code)
            for rows, code, kind in found
        ]
    )


def _drugs(world: World, visits: pl.DataFrame) -> pl.DataFrame:
    """DRUG_OPD: some of the drugs of the visit's care."""
    cares = {name: care["drugs"] for name, care in tables("cares").items() if name not in NO_DRUGS}
    given = spread(world, "drugs given", visits["care"], cares, 1.9)
    listed = given.join(drugs(), left_on="item", right_on="drug", how="left", maintain_order="left")
    return _linked(visits, given["row"]).with_columns(
        DIDSTD=listed["didstd"], DNAME=listed["name_th"], UNIT=listed["unit"], AMOUNT=listed["amount"],
        DRUGPRICE=listed["price"], DRUGCOST=listed["price"] * 0.6,
    )  # fmt: skip


def _procedures(world: World, visits: pl.DataFrame) -> pl.DataFrame:
    """PROCEDURE_OPD: some of the procedures of the visit's care."""
    cares = {name: care["procedures"] for name, care in tables("cares").items()}
    done = spread(world, "procedures done", visits["care"], cares, 0.35)
    price = world.draws("procedure prices").integers(3, 30, done.height) * 10.0
    item = visits["care"].gather(done["row"]).replace_strict(WORK_ITEMS, default="11", return_dtype=pl.String)
    rows = _linked(visits, done["row"])
    return rows.with_columns(PROCEDCODE=done["item"], SERVICEPRICE=pl.Series(price), item=item)


def _charges(world: World, visits: pl.DataFrame, given: pl.DataFrame, done: pl.DataFrame) -> pl.DataFrame:
    """CHARGE_OPD: nursing for every visit, drugs and procedures where there were any."""
    keys = ["r", "f", "day", "SEQ", "DATE_SERV", "CLINIC", "item"]
    nursing = _linked(visits, np.arange(visits.height)).with_columns(item=pl.lit("12"), PRICE=pl.lit(50.0))
    cost = given.with_columns(item=pl.lit("03"), PRICE=pl.col("AMOUNT") * pl.col("DRUGPRICE"))
    work = done.with_columns(PRICE=pl.col("SERVICEPRICE"))
    parts = [
        part.group_by(keys, maintain_order=True).agg(pl.col("PRICE").sum()) for part in (nursing, cost, work)
    ]
    charges = pl.concat(parts).rename({"item": "CHARGEITEM"})
    return charges.with_columns(
        CHARGELIST=pl.col("CHARGEITEM") + "0001", INSTYPE=world.people["instype"].gather(charges["r"]),
        QUANTITY=pl.lit(1), COST=pl.col("PRICE") * 0.8, PAYPRICE=pl.lit(0.0),
    )  # fmt: skip


def _appointments(world: World, visits: pl.DataFrame) -> pl.DataFrame:
    """APPOINTMENT: after visits for long illnesses and pregnancies, some others."""
    rng = world.draws("appointments")
    share = np.where(visits["kind"].is_in(["dm", "ht", "anc"]).to_numpy(), 0.9, 0.06)
    rows = np.flatnonzero(rng.random(visits.height) < share)
    gaps = {"7": 0.1, "14": 0.15, "28": 0.4, "56": 0.25, "84": 0.1}
    ahead = choose(rng, gaps, len(rows)).cast(pl.Int64)
    return _linked(visits, rows).with_columns(
        APDATE=pl.col("day") + days(ahead), APDIAG=visits["dx"].gather(rows)
    )
