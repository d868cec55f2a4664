"""Visits: planned ones and illnesses by age and season, their numbers, diagnoses and complaints."""

from __future__ import annotations

import numpy as np
import polars as pl

from khlang.synth import identity
from khlang.synth.draw import choose, one_of
from khlang.synth.words import diagnoses, season, tables
from khlang.synth.world import World

KINDS = {
    "ill": 0.76, "accident": 0.05, "dental": 0.05, "rehab": 0.03, "home": 0.03, "screen": 0.04, "child": 0.02,
    "admit": 0.03,
}  # fmt: skip
"""Shares of the kinds of unplanned visits."""
FITS = {"rehab": (40, 99), "home": (55, 99), "screen": (15, 99), "child": (0, 6)}
"""Ages at which a kind of visit makes sense; others become an illness."""
HOSPITAL_ONLY = ("admit", "rehab")
LASTING = {"วัน": 0.80, "ชม.": 0.15, "สัปดาห์": 0.05}


def illness(world: World) -> pl.DataFrame:
    """Unplanned visits (`r`, `day`, `kind`), more for the young and the old."""
    rng, plan = world.draws("illness"), world.plan
    age, count = world.people["age"].to_numpy(), world.people.height
    rate = np.select([age < 5, age < 15, age < 50], [0.26, 0.11, 0.10], 0.2) * plan.months
    rows = np.repeat(np.arange(count), rng.poisson(rate))
    span = (plan.end - plan.start).days + 1
    days = np.datetime64(plan.start) + rng.integers(0, span, len(rows))
    kinds = choose(rng, KINDS, len(rows)).to_numpy()
    ages, hospital = age[rows], world.people["hospital"].to_numpy()[rows]
    for kind, (low, high) in FITS.items():
        kinds = np.where((kinds == kind) & ((ages < low) | (ages > high)), "ill", kinds)
    kinds = np.where(np.isin(kinds, HOSPITAL_ONLY) & ~hospital, "ill", kinds)
    return pl.DataFrame({"r": rows, "day": days, "kind": kinds})


def book(world: World, planned: list[pl.DataFrame]) -> pl.DataFrame:
    """Every visit once per person and day, planned ones first, with SEQ, time, diagnosis and care.

    Columns: v (row number), r, f, day, kind, seq, second, dx, care, code506, age.
    """
    frames = [frame.select("r", pl.col("day").cast(pl.Date), "kind") for frame in [*planned, illness(world)]]
    inside = pl.concat(frames, how="vertical_relaxed").filter(pl.col("day") >= world.plan.start)
    once = inside.unique(["r", "day"], keep="first", maintain_order=True)
    visits = world.present(once).sort("f", "day", "r")
    seconds = world.draws("visits").integers(8 * 3600, 16 * 3600, visits.height)
    running = visits.select(pl.int_range(1, pl.len() + 1).over("f")).to_series()
    stamp = visits["day"].dt.strftime("%y%m%d")
    visits = visits.with_columns(
        second=pl.Series(seconds), seq=stamp + identity.digits(running.to_numpy(), 6),
        age=pl.Series(world.age(visits["r"].to_numpy(), visits["day"].to_numpy())),
    )  # fmt: skip
    return _diagnosed(world, visits).with_columns(v=pl.int_range(visits.height))


def _diagnosed(world: World, visits: pl.DataFrame) -> pl.DataFrame:
    """Draw each visit's diagnosis among those of its kind; long illnesses have one code for life."""
    rng, listed = world.draws("diagnoses"), diagnoses().with_row_index("place")
    chosen = np.zeros(visits.height, dtype=np.int64)
    seen = visits.select("age", "kind", month=pl.col("day").dt.month() - 1).with_columns(
        sex=world.people["sex"].gather(visits["r"]).cast(pl.String)
    )
    for (kind,), among in listed.group_by("kind", maintain_order=True):
        mine = np.flatnonzero((seen["kind"] == kind).to_numpy())
        chosen[mine] = among["place"].to_numpy()[_drawn(rng, among, seen[mine])]
    found = visits.hstack(listed.select("care", "code506", dx="code")[chosen])
    life = world.of(visits["r"], "dm_code", "ht_code")
    code = (
        pl.when(pl.col("kind") == "dm")
        .then(life["dm_code"])
        .when(pl.col("kind") == "ht")
        .then(life["ht_code"])
    )
    return found.with_columns(dx=code.otherwise("dx"))


def _drawn(rng: np.random.Generator, among: pl.DataFrame, seen: pl.DataFrame) -> np.ndarray:
    """Positions in `among`, by weight and season, of diagnoses that fit age and sex; any where none fits."""
    seasons = np.stack([season(name) for name in among["season"]], axis=1)
    shares = seasons[seen["month"].to_numpy()] * among["weight"].to_numpy()
    age, sex = seen["age"].to_numpy()[:, None], seen["sex"].to_numpy()[:, None]
    fits = (age >= among["age_low"].to_numpy()) & (age <= among["age_high"].to_numpy())
    fits &= (among["sex"].to_numpy() == "") | (among["sex"].to_numpy() == sex)
    edges = np.cumsum(np.where(fits, shares, shares * 1e-9), axis=1)
    hit = (edges < (rng.random(seen.height) * edges[:, -1])[:, None]).sum(axis=1)
    return np.minimum(hit, among.height - 1)


def complaints(world: World, visits: pl.DataFrame) -> pl.Series:
    """A complaint of the visit's care, many with how long it has lasted."""
    rng, count = world.draws("complaints"), visits.height
    texts = pl.Series([""] * count)
    for name, care in tables("cares").items():
        mine = np.flatnonzero((visits["care"] == name).to_numpy())
        texts = texts.scatter(mine, one_of(rng, care["complaints"], len(mine)))
    number = pl.Series(rng.integers(1, 8, count)).cast(pl.String)
    lasting = " " + number + " " + choose(rng, LASTING, count) + "ก่อนมา"
    return texts + lasting.set(pl.Series(rng.random(count) < 0.4), "")


def spread(
    world: World, topic: str, cares: pl.Series, listed: dict[str, list[str]], mean: float
) -> pl.DataFrame:
    """Items of each care, each with the same chance so that about `mean` come to a row: `row`, `item`."""
    rng = world.draws(topic)
    frames = [pl.DataFrame(schema={"row": pl.Int64, "item": pl.String})]
    for name, among in listed.items():
        mine = np.flatnonzero((cares == name).to_numpy())
        taken = rng.random((len(mine), len(among))) < min(0.95, mean / max(len(among), 1))
        row, item = np.nonzero(taken)
        items = pl.Series(among, dtype=pl.String).gather(item)
        frames.append(pl.DataFrame({"row": mine[row], "item": items}))
    return pl.concat(frames).sort("row", maintain_order=True)


def staff(world: World, topic: str, facility: pl.Series) -> pl.Series:
    """A member of staff of each facility, drawn evenly: the local PROVIDER number."""
    most = world.facilities["staff"].gather(facility).to_numpy()
    number = (world.draws(f"staff of {topic}").random(len(most)) * most).astype(np.int64) + 1
    return identity.digits(number, 3)
