"""Persons in their houses: age, sex, parents, names, numbers and diseases of a whole life."""

from __future__ import annotations

import numpy as np
import polars as pl

from khlang.synth import identity
from khlang.synth.plan import Plan
from khlang.synth.words import indices, tables, weighted

HOUSE_SIZES = np.array([0.18, 0.24, 0.23, 0.19, 0.11, 0.05])
YEAR = 365.2425


def souls(plan: Plan, cluster: pl.DataFrame, first: int) -> pl.DataFrame:
    """One row per invented person of the cluster; `soul` numbers run through the whole set from `first`."""
    rng = plan.draws("souls", first)
    homes = _houses(rng, cluster)
    place = homes["place"].to_numpy()
    age = _ages(rng, homes)
    count = len(place)
    sex = np.where(place == 0, 1 + (rng.random(count) < 0.4), 1 + (rng.random(count) < 0.5))
    head_sex = sex[homes["head"].to_numpy()]
    sex = np.where(place == 1, 3 - head_sex, sex)
    birth = np.datetime64(plan.end) - np.maximum(age * YEAR, 0).astype("timedelta64[D]")
    frame = homes.with_columns(
        soul=pl.int_range(first, first + count), sex=pl.Series(sex), birth=pl.Series(birth), age=pl.Series(age)
    )
    return _with_diseases(plan, rng, _with_names(rng, _with_numbers(plan, rng, frame)))


def _houses(rng: np.random.Generator, cluster: pl.DataFrame) -> pl.DataFrame:
    """Facility `f`, house number, place in the house, and the row of the house's head and spouse."""
    wanted = cluster.get_column("persons").to_numpy()
    mean = float((HOUSE_SIZES * np.arange(1, 7)).sum())
    houses = np.maximum(1, (wanted / mean).astype(int))
    facility = np.repeat(np.arange(len(wanted)), houses)
    number = np.concatenate([np.arange(count) for count in houses])
    sizes = 1 + indices(rng, HOUSE_SIZES, len(facility))
    head = np.repeat(np.cumsum(sizes) - sizes, sizes)
    return pl.DataFrame({
        "f": np.repeat(facility, sizes), "house": np.repeat(number, sizes) + 1, "head": head,
        "place": np.arange(len(head)) - head, "size": np.repeat(sizes, sizes),
    })  # fmt: skip


def _ages(rng: np.random.Generator, homes: pl.DataFrame) -> np.ndarray:
    """Age in years at the end of the plan, by place in the house: head, spouse, children, elders."""
    place, head, count = homes["place"].to_numpy(), homes["head"].to_numpy(), homes.height
    lead = np.clip(rng.normal(47, 15, count), 21, 88)[head]
    spouse = np.clip(lead + rng.normal(-1.5, 3.5, count), 19, 88)
    child = lead - rng.uniform(21, 38, count) - (place - 2) * 2
    baby = rng.uniform(0, 2.2, count)
    child = np.where((child < 0) | ((lead < 40) & (place == 2) & (rng.random(count) < 0.35)), baby, child)
    elder = np.clip(lead + rng.uniform(20, 32, count), 50, 97)
    is_elder = (place >= 2) & (lead < 60) & (rng.random(count) < 0.14)
    return np.select([place == 0, place == 1, is_elder], [lead, spouse, elder], child)


def _with_numbers(plan: Plan, rng: np.random.Generator, frame: pl.DataFrame) -> pl.DataFrame:
    """Citizen id (blank for some), nationality, phone, passport; ids of parents and spouse."""
    count, soul, age = frame.height, frame["soul"].to_numpy(), frame["age"].to_numpy()
    foreign = rng.random(count) < 0.03
    foreign = foreign[frame["head"].to_numpy()] & (age > 0)
    kind = np.where(age < 42, np.where(rng.random(count) < 0.93, 1, 2), np.where(rng.random(count) < 0.9, 3, 5))
    kind = np.where(foreign, rng.choice([0, 6, 7], count), kind)
    nation = np.where(foreign, rng.choice(["048", "056", "057"], count, p=[0.6, 0.2, 0.2]), "099")
    frame = frame.with_columns(
        cid_true=identity.citizen_ids(kind, soul, plan.seed), nation=pl.Series(nation), foreign=pl.Series(foreign),
        cid_sent=pl.Series(np.where(foreign, rng.random(count) < 0.5, rng.random(count) < 0.988)),
        phone=identity.phones(soul, plan.seed), has_phone=pl.Series((rng.random(count) < 0.6) & (age > 14)),
        passport=pl.Series("ZZ" + identity.digits(identity.scattered(soul, 7, plan.seed), 7)),
    )  # fmt: skip
    return _with_kin(frame)


def _with_kin(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows and citizen ids of father, mother and spouse, by the places of the house."""
    place, head, size = (frame[name].to_numpy() for name in ("place", "head", "size"))
    sex, age, cid = frame["sex"].to_numpy(), frame["age"].to_numpy(), frame["cid_true"]
    couple = size > 1
    spouse_row = np.where(place == 0, head + 1, head)
    paired = (place < 2) & couple
    is_child = (place >= 2) & (age < age[head] - 12)
    head_is_father = sex[head] == 1
    father = np.where(head_is_father, head, np.where(couple, head + 1, -1))
    mother = np.where(head_is_father, np.where(couple, head + 1, -1), head)
    kin = {
        "couple": np.where(paired, spouse_row, -1),
        "father": np.where(is_child, father, -1), "mother": np.where(is_child, mother, -1),
    }  # fmt: skip
    asked = {"couple": age > 15, "father": age < 15, "mother": age < 15}
    columns = {}
    for name, row in kin.items():
        known = (row >= 0) & asked[name]
        columns[f"{name}_cid"] = cid.gather(np.where(known, row, 0)).set(pl.Series(~known), None)
        columns[f"{name}_row"] = pl.Series(row)
    return frame.with_columns(**columns)


def _with_names(rng: np.random.Generator, frame: pl.DataFrame) -> pl.DataFrame:
    """Given and family names; a house shares the family name."""
    words, count, head = tables("names"), frame.height, frame["head"].to_numpy()
    male, female, end = (pl.Series(words[key]) for key in ("given_male", "given_female", "given_end"))
    start = np.where(frame["sex"].to_numpy() == 1, 0, len(male)) + rng.integers(0, len(male), count)
    given = pl.concat([male, female]).gather(start) + end.gather(rng.integers(0, len(end), count))
    family = pl.Series([""] * count)
    for key in ("family_start", "family_middle", "family_end"):
        part = pl.Series(words[key])
        family = family + part.gather(rng.integers(0, len(part), count)[head])
    return frame.with_columns(name=given, lname=family)


def _chance(age: np.ndarray, steps: list[tuple[float, float]]) -> np.ndarray:
    """Share of people with a disease by age: (from age, share) steps."""
    return np.select([age >= low for low, _ in reversed(steps)], [share for _, share in reversed(steps)], 0.0)


def _with_diseases(plan: Plan, rng: np.random.Generator, frame: pl.DataFrame) -> pl.DataFrame:
    """Diabetes, hypertension and other long illnesses with the day they were found; build of the body."""
    age, count, sex = frame["age"].to_numpy(), frame.height, frame["sex"].to_numpy()
    chances = {
        "dm": [(15, 0.003), (35, 0.05), (50, 0.14), (65, 0.20)], "ht": [(20, 0.01), (35, 0.09), (50, 0.27), (65, 0.46)],
        "E785": [(35, 0.04), (50, 0.12)], "N183": [(50, 0.03), (65, 0.09)], "J449": [(50, 0.02), (65, 0.05)],
        "J459": [(5, 0.015)], "I694": [(50, 0.01), (65, 0.03)], "F209": [(20, 0.004)], "M109": [(40, 0.02)],
    }  # fmt: skip
    end, columns = np.datetime64(plan.end), {}
    for name, steps in chances.items():
        has = rng.random(count) < _chance(age, steps)
        years = np.minimum(rng.exponential(5, count), np.maximum(age - 14, 0.1))
        since = pl.Series(end - (years * YEAR).astype("timedelta64[D]"))
        columns[name] = since.set(pl.Series(~has), None)
    grown = np.minimum(age, 18) / 18
    height = np.round((52 + (np.where(sex == 1, 113, 103) * grown**0.7)) + rng.normal(0, 4, count) * grown, 1)
    weight = np.round(np.maximum(2.6, (height / 100) ** 2 * rng.normal(23.2, 3, count).clip(15, 38)) * (0.55 + 0.45 * grown**0.3), 1)
    return frame.with_columns(height=pl.Series(height), weight=pl.Series(weight), **columns)


def prenames(frame: pl.DataFrame) -> pl.Expr:
    """Title by age and sex: boys and girls 001, 002; Mr 003, Mrs 005, Miss 004."""
    young, man, married = pl.col("age") < 15, pl.col("sex") == 1, pl.col("couple_row") >= 0
    return (
        pl.when(young & man).then(pl.lit("001")).when(young).then(pl.lit("002")).when(man).then(pl.lit("003"))
        .when(married).then(pl.lit("005")).otherwise(pl.lit("004"))
    )  # fmt: skip


INSURANCE = weighted("0100:70 1100:8 2302:1 4200:15 3401:1 :5")
