"""Persons in their houses: age, sex, parents, names, numbers and diseases of a whole life."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from khlang.synth import identity
from khlang.synth.draw import YEAR_DAYS, choose, one_of
from khlang.synth.plan import Plan
from khlang.synth.words import indices, tables

HOUSE_SIZES = np.array([0.18, 0.24, 0.23, 0.19, 0.11, 0.05])
"""Shares of houses with one, two ... six people."""
LONG_ILLNESSES: dict[str, list[tuple[int, float]]] = {
    "dm": [(15, 0.003), (35, 0.05), (50, 0.14), (65, 0.20)],
    "ht": [(20, 0.01), (35, 0.09), (50, 0.27), (65, 0.46)],
    "E785": [(35, 0.04), (50, 0.12)], "N183": [(50, 0.03), (65, 0.09)], "J449": [(50, 0.02), (65, 0.05)],
    "J459": [(5, 0.015)], "I694": [(50, 0.01), (65, 0.03)], "F209": [(20, 0.004)], "M109": [(40, 0.02)],
}  # fmt: skip
"""Share of people with an illness by age: (from age, share) steps."""
DM_CODES = {"E119": 0.80, "E112": 0.07, "E114": 0.05, "E113": 0.04, "E109": 0.04}
HT_CODES = {"I10": 0.97, "I119": 0.03}
Ages = NDArray[np.float64]


def souls(plan: Plan, cluster: pl.DataFrame, first: int) -> pl.DataFrame:
    """One row per invented person of the cluster; `soul` numbers run through the whole set from `first`."""
    rng = plan.draws("souls", first)
    homes = _houses(rng, cluster)
    place, head = homes["place"].to_numpy(), homes["head"].to_numpy()
    age, count = _ages(rng, homes), homes.height
    sex = np.where(place == 0, 1 + (rng.random(count) < 0.4), 1 + (rng.random(count) < 0.5))
    sex = np.where(place == 1, 3 - sex[head], sex)
    birth = np.datetime64(plan.end) - np.maximum(age * YEAR_DAYS, 0).astype("timedelta64[D]")
    frame = homes.with_columns(
        soul=pl.int_range(first, first + count),
        sex=pl.Series(sex),
        birth=pl.Series(birth),
        age=pl.Series(age),
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


def _ages(rng: np.random.Generator, homes: pl.DataFrame) -> Ages:
    """Age in years at the end of the plan, by place in the house: head, spouse, children, elders."""
    place, head, count = homes["place"].to_numpy(), homes["head"].to_numpy(), homes.height
    lead = np.clip(rng.normal(47, 15, count), 21, 88)[head]
    spouse = np.clip(lead + rng.normal(-1.5, 3.5, count), 19, 88)
    child = lead - rng.uniform(21, 38, count) - (place - 2) * 2
    baby = rng.uniform(0, 2.2, count)
    second = (lead < 40) & (place == 2) & (rng.random(count) < 0.35)
    child = np.where((child < 0) | second, baby, child)
    elder = np.clip(lead + rng.uniform(20, 32, count), 50, 97)
    is_elder = (place >= 2) & (lead < 60) & (rng.random(count) < 0.14)
    return np.select([place == 0, place == 1, is_elder], [lead, spouse, elder], child)


def _with_numbers(plan: Plan, rng: np.random.Generator, frame: pl.DataFrame) -> pl.DataFrame:
    """Citizen id (blank for some), nationality, phone, passport; ids of parents and spouse."""
    count, soul, age = frame.height, frame["soul"].to_numpy(), frame["age"].to_numpy()
    foreign = (rng.random(count) < 0.03)[frame["head"].to_numpy()]
    born_since_1984 = np.where(rng.random(count) < 0.93, 1, 2)
    kind = np.where(age < 42, born_since_1984, np.where(rng.random(count) < 0.9, 3, 5))
    kind = np.where(foreign, rng.choice([0, 6, 7], count), kind)
    nation = np.where(foreign, rng.choice(["048", "056", "057"], count, p=[0.6, 0.2, 0.2]), "099")
    sent = np.where(foreign, rng.random(count) < 0.5, rng.random(count) < 0.988)
    passport = identity.digits(identity.scattered(soul, 7, plan.seed), 7)
    frame = frame.with_columns(
        cid_true=identity.citizen_ids(kind, soul, plan.seed), nation=pl.Series(nation),
        foreign=pl.Series(foreign), cid_sent=pl.Series(sent), phone=identity.phones(soul, plan.seed),
        has_phone=pl.Series((rng.random(count) < 0.6) & (age > 14)), passport="ZZ" + passport,
    )  # fmt: skip
    return _with_kin(frame)


def _with_kin(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows and citizen ids of father, mother and spouse, by the places of the house."""
    place, head, size = (frame[name].to_numpy() for name in ("place", "head", "size"))
    sex, age, cid = frame["sex"].to_numpy(), frame["age"].to_numpy(), frame["cid_true"]
    couple, head_is_father = size > 1, sex[head] == 1
    is_child = (place >= 2) & (age < age[head] - 12)
    spouse = np.where(couple, head + 1, -1)
    kin = {
        "couple": np.where((place < 2) & couple, np.where(place == 0, head + 1, head), -1),
        "father": np.where(is_child, np.where(head_is_father, head, spouse), -1),
        "mother": np.where(is_child, np.where(head_is_father, spouse, head), -1),
    }
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
    male, female = pl.Series(words["given_male"]), pl.Series(words["given_female"])
    start = np.where(frame["sex"].to_numpy() == 1, 0, len(male)) + rng.integers(0, len(male), count)
    given = pl.concat([male, female]).gather(start) + one_of(rng, words["given_end"], count)
    family = pl.Series([""] * count)
    for key in ("family_start", "family_middle", "family_end"):
        family = family + one_of(rng, words[key], count).gather(head)
    return frame.with_columns(name=given, lname=family)


def _share(age: Ages, steps: Sequence[tuple[int, float]]) -> Ages:
    """Share of people with an illness at each age."""
    down = list(reversed(steps))
    return np.select([age >= low for low, _ in down], [share for _, share in down], 0.0)


def _with_diseases(plan: Plan, rng: np.random.Generator, frame: pl.DataFrame) -> pl.DataFrame:
    """Day on which each long illness was found, or null; codes of the two big ones; build of the body."""
    age, count, sex = frame["age"].to_numpy(), frame.height, frame["sex"].to_numpy()
    end, columns = np.datetime64(plan.end), {}
    for name, steps in LONG_ILLNESSES.items():
        has = rng.random(count) < _share(age, steps)
        years = np.minimum(rng.exponential(5, count), np.maximum(age - 14, 0.1))
        since = pl.Series(end - (years * YEAR_DAYS).astype("timedelta64[D]"))
        columns[name] = since.set(pl.Series(~has), None)
    grown = np.minimum(age, 18) / 18
    height = 52 + np.where(sex == 1, 113, 103) * grown**0.7 + rng.normal(0, 4, count) * grown
    index = np.clip(rng.normal(23.2, 3, count), 15, 38) * (0.55 + 0.45 * grown**0.3)
    weight = np.maximum(2.6, (height / 100) ** 2 * index)
    return frame.with_columns(
        height=pl.Series(np.round(height, 1)), weight=pl.Series(np.round(weight, 1)),
        dm_code=choose(rng, DM_CODES, count), ht_code=choose(rng, HT_CODES, count), **columns,
    )  # fmt: skip


def prenames() -> pl.Expr:
    """Title by age and sex: boys and girls 001, 002; Mr 003, Mrs 005, Miss 004."""
    young, man, married = pl.col("age") < 15, pl.col("sex") == 1, pl.col("couple_row") >= 0
    adult = pl.when(man).then(pl.lit("003")).when(married).then(pl.lit("005")).otherwise(pl.lit("004"))
    return pl.when(young & man).then(pl.lit("001")).when(young).then(pl.lit("002")).otherwise(adult)
