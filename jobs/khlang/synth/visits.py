"""Visits: planned ones and illnesses by age and season, their numbers, diagnoses and complaints."""

from __future__ import annotations

import numpy as np
import polars as pl

from khlang.synth import identity
from khlang.synth.words import diagnoses, indices, season, tables
from khlang.synth.world import World

KINDS = ("ill", "accident", "dental", "rehab", "home", "screen", "child", "admit")
SHARES = np.array([0.76, 0.05, 0.05, 0.03, 0.03, 0.04, 0.02, 0.02])
FITS = {"rehab": (40, 99), "home": (55, 99), "screen": (15, 99), "child": (0, 6)}
"""Ages at which a kind of visit makes sense; others become an illness."""
HOSPITAL_ONLY = ("admit", "rehab")


def illness(world: World) -> pl.DataFrame:
    """Unplanned visits (`r`, `day`, `kind`), more for the young and the old."""
    rng, plan = world.draws("illness"), world.plan
    age, count = world.people["age"].to_numpy(), world.people.height
    rate = np.select([age < 5, age < 15, age < 50], [0.26, 0.11, 0.10], 0.2) * plan.months
    times = rng.poisson(rate)
    rows = np.repeat(np.arange(count), times)
    span = (plan.end - plan.start).days + 1
    days = np.datetime64(plan.start) + rng.integers(0, span, len(rows))
    kinds = np.array(KINDS)[indices(rng, SHARES, len(rows))]
    ages, hospital = age[rows], world.people["hospital"].to_numpy()[rows]
    for kind, (low, high) in FITS.items():
        kinds = np.where((kinds == kind) & ((ages < low) | (ages > high)), "ill", kinds)
    kinds = np.where(np.isin(kinds, HOSPITAL_ONLY) & ~hospital, "ill", kinds)
    return pl.DataFrame({"r": rows, "day": days, "kind": kinds})


def book(world: World, planned: list[pl.DataFrame]) -> pl.DataFrame:
    """Every visit once per person and day, planned ones first, with SEQ, time, diagnosis and care.

    Columns: v (row number), r, f, day, kind, seq, second, dx, care, code506, age.
    """
    events = pl.concat([frame.select("r", pl.col("day").cast(pl.Date), "kind") for frame in [*planned, illness(world)]])
    inside = events.filter(pl.col("day") >= world.plan.start).unique(["r", "day"], keep="first", maintain_order=True)
    visits = world.present(inside).sort("f", "day", "r")
    rng = world.draws("visits")
    seconds = pl.Series(rng.integers(8 * 3600, 16 * 3600, visits.height))
    running = visits.select(pl.int_range(1, pl.len() + 1).over("f")).to_series()
    stamp = visits["day"].dt.strftime("%y%m%d")
    visits = visits.with_columns(
        second=seconds, seq=stamp + identity.digits(running.to_numpy(), 6),
        age=pl.Series(world.age(visits["r"].to_numpy(), visits["day"].to_numpy())),
    )  # fmt: skip
    return diagnosed(world, visits).with_columns(v=pl.int_range(visits.height))


def diagnosed(world: World, visits: pl.DataFrame) -> pl.DataFrame:
    """Draw each visit's diagnosis among those of its kind that fit age, sex and season."""
    rng, listed = world.draws("diagnoses"), diagnoses()
    sex = world.people["sex"].to_numpy()[visits["r"].to_numpy()]
    age, month = visits["age"].to_numpy(), visits["day"].dt.month().to_numpy() - 1
    chosen = np.zeros(visits.height, dtype=np.int64)
    kinds = visits["kind"].to_numpy()
    position = np.arange(listed.height)
    for kind in listed["kind"].unique(maintain_order=True):
        mine = np.flatnonzero(kinds == kind)
        among = listed.filter(pl.col("kind") == kind)
        shares = np.stack([season(name) for name in among["season"]], axis=1)[month[mine]] * among["weight"].to_numpy()
        fits = (age[mine, None] >= among["age_low"].to_numpy()) & (age[mine, None] <= among["age_high"].to_numpy())
        fits &= (among["sex"].to_numpy() == "") | (among["sex"].to_numpy() == sex[mine, None].astype(str))
        edges = np.cumsum(np.where(fits, shares, shares * 1e-9), axis=1)
        hit = (edges < (rng.random(len(mine)) * edges[:, -1])[:, None]).sum(axis=1)
        chosen[mine] = position[(listed["kind"] == kind).to_numpy()][np.minimum(hit, among.height - 1)]
    return visits.hstack(listed.select("care", "code506", dx="code")[chosen])


def complaints(world: World, visits: pl.DataFrame) -> pl.Series:
    """A complaint of the visit's care, most with how long it has lasted."""
    rng, cares = world.draws("complaints"), tables("cares")
    texts = pl.Series([""] * visits.height)
    for name, care in cares.items():
        mine = pl.Series(np.flatnonzero((visits["care"] == name).to_numpy()))
        said = pl.Series(care["complaints"]).gather(rng.integers(0, len(care["complaints"]), len(mine)))
        texts = texts.scatter(mine, said)
    number, unit = rng.integers(1, 8, visits.height), pl.Series(["วัน", "ชม.", "สัปดาห์"]).gather(rng.choice(3, visits.height, p=[0.8, 0.15, 0.05]))
    lasting = " " + pl.Series(number).cast(pl.String) + " " + unit + "ก่อนมา"
    return texts + lasting.set(pl.Series(rng.random(visits.height) < 0.4), "")


def spread(world: World, topic: str, cares: pl.Series, listed: dict[str, list[str]], mean: float) -> pl.DataFrame:
    """Items of each care, each with the same chance so that about `mean` come to a row: columns `row`, `item`."""
    rng, rows, items = world.draws(topic), [], []
    for name, among in listed.items():
        if not among:
            continue
        mine = np.flatnonzero((cares == name).to_numpy())
        taken = rng.random((len(mine), len(among))) < min(0.95, mean / len(among))
        row, item = np.nonzero(taken)
        rows.append(mine[row])
        items.append(pl.Series(among, dtype=pl.String).gather(item))
    frame = pl.DataFrame({"row": np.concatenate(rows), "item": pl.concat(items)})
    return frame.sort("row", maintain_order=True)


def staff(world: World, topic: str, facility: pl.Series) -> pl.Series:
    """A member of staff of each facility, drawn evenly: the local PROVIDER number."""
    most = world.facilities["staff"].gather(facility).to_numpy()
    number = (world.draws(f"staff of {topic}").random(len(most)) * most).astype(np.int64) + 1
    return identity.digits(number, 3)
