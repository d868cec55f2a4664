"""One cluster of facilities with everyone registered in them: what every recipe draws from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from khlang.synth.draw import Flags, Numbers, choose, either
from khlang.synth.facilities import upward
from khlang.synth.people import prenames, souls
from khlang.synth.plan import Days, Plan

OUTSIDE = 0.34
"""Share of a facility's people who are also known at the hospital it refers to."""
STAFF = {"A": 60, "S": 48, "M1": 40, "M2": 30, "F1": 26, "F2": 22, "F3": 16, "P1": 6}
INSURANCE = {"0100": 70, "1100": 8, "2302": 1, "4200": 15, "3401": 1, "9100": 5}
TYPEAREA = {"1": 0.80, "2": 0.05, "3": 0.14, "5": 0.01}


@dataclass(frozen=True, slots=True)
class World:
    """A cluster: its facilities (row number `f`) and its registrations (row number `r`).

    `people` has one row per person and facility: `soul` is the person, `s` the row of the registration
    at home, `up` the row of the one at the hospital above or null; a person known in two facilities has
    two rows with one citizen id and two PIDs.
    """

    plan: Plan
    number: int
    facilities: pl.DataFrame
    people: pl.DataFrame

    def draws(self, topic: str) -> np.random.Generator:
        """A generator for one topic of this cluster."""
        return self.plan.draws("cluster", self.number, topic)

    def of(self, rows: pl.Series, *columns: str) -> pl.DataFrame:
        """Those columns of the registrations with these row numbers."""
        return self.people.select(columns)[rows]

    def age(self, rows: Numbers, days: Days) -> Numbers:
        """Age in full years of registrations on days."""
        birth = self.people["birth"].to_numpy()[rows].astype("datetime64[D]")
        lived = (days.astype("datetime64[D]") - birth).astype(np.int64)
        return (lived / 365.2425).astype(np.int64)

    def present(self, events: pl.DataFrame) -> pl.DataFrame:
        """Events (`r`, `day`) of people who are registered and alive on the day, up to the plan's end."""
        seen = self.of(events["r"], "from_day", "to_day", "f")
        joined = events.hstack(seen.drop("f") if "f" in events.columns else seen)
        known = pl.col("day").is_between(pl.col("from_day"), pl.col("to_day"))
        return joined.filter(known & (pl.col("day") <= self.plan.end)).drop("from_day", "to_day")

    def codes(self, positions: pl.Series) -> pl.Series:
        """Facility codes of positions in the cluster; empty text for null."""
        return self.facilities["hospcode"].gather(positions.fill_null(0)).set(positions.is_null(), "")

    def main(self, positions: pl.Series) -> pl.Series:
        """Code of the hospital above each facility, its own where there is none above."""
        above = self.facilities["above"].gather(positions)
        return self.codes(pl.select(pl.coalesce(pl.lit(above), pl.lit(positions))).to_series())


def build(plan: Plan, number: int, facilities: pl.DataFrame, first_soul: int) -> World:
    """Invent a cluster: its people at home, then where else they are known."""
    rng = plan.draws("registrations", number)
    staff = pl.col("level").replace_strict(STAFF, return_dtype=pl.Int64)
    facilities = facilities.with_columns(staff=staff, above=pl.Series(upward(facilities), dtype=pl.Int64))
    home = souls(plan, facilities, first_soul).with_columns(s=pl.int_range(pl.len()), at_home=pl.lit(True))
    home = home.with_columns(typearea=choose(rng, TYPEAREA, home.height))
    everyone = pl.concat([home, *_elsewhere(rng, facilities, home)])
    return World(plan, number, facilities, _numbered(plan, rng, facilities, everyone))


def _elsewhere(rng: np.random.Generator, facilities: pl.DataFrame, home: pl.DataFrame) -> list[pl.DataFrame]:
    """Second registrations: at the hospital above as a visitor, and of some who moved, in any facility."""
    above = facilities["above"].gather(home["f"])
    goes_up = above.is_not_null() & pl.Series(rng.random(home.height) < OUTSIDE)
    visitors = home.with_columns(f=above, typearea=pl.lit("4"), at_home=pl.lit(False)).filter(goes_up)
    other = pl.Series(rng.integers(0, facilities.height, home.height))
    elsewhere = (other != home["f"]) & (other != above.fill_null(-1))
    moves = elsewhere & pl.Series(rng.random(home.height) < 0.02)
    kind = pl.Series(rng.choice(["1", "3"], home.height))
    return [visitors, home.with_columns(f=other, typearea=kind, at_home=pl.lit(False)).filter(moves)]


def _dying(plan: Plan, rng: np.random.Generator, everyone: pl.DataFrame) -> Flags:
    """Who dies in the time of the plan, by age; only rows at home decide."""
    age = everyone["age"].to_numpy()
    yearly = np.clip(0.025 * np.exp((age - 65) / 10), 0.0003, 0.35)
    return (rng.random(everyone.height) < yearly * plan.months / 12) & everyone["at_home"].to_numpy()


def _lifetimes(
    plan: Plan, rng: np.random.Generator, everyone: pl.DataFrame
) -> tuple[NDArray[np.datetime64], pl.Series, pl.Series]:
    """First day of each registration, last day of each person, and who dies."""
    count, start, end = everyone.height, np.datetime64(plan.start), np.datetime64(plan.end)
    span = int((end - start).astype(np.int64)) + 1
    dies = _dying(plan, rng, everyone)
    later = rng.random(count) < np.where(everyone["at_home"].to_numpy(), 0.01, 0.15)
    came = np.where(later, start + rng.integers(0, span, count), start - np.timedelta64(3650, "D"))
    died = np.where(dies, start + rng.integers(0, span, count), end + np.timedelta64(365, "D"))
    last = pl.Series(died).gather(everyone["s"])
    birth = everyone["birth"].to_numpy().astype("datetime64[D]")
    first = np.maximum(np.minimum(came, last.to_numpy()), birth)
    return first, pl.Series(np.maximum(last.to_numpy(), birth)), pl.Series(dies).gather(everyone["s"])


def _numbered(
    plan: Plan, rng: np.random.Generator, facilities: pl.DataFrame, everyone: pl.DataFrame
) -> pl.DataFrame:
    """Local numbers, insurance, and the days between which a registration is alive."""
    count, hospital = everyone.height, facilities["hospital"].gather(everyone["f"])
    first, last, dies = _lifetimes(plan, rng, everyone)
    running = everyone.select(pl.int_range(1, pl.len() + 1).over("f").cast(pl.String)).to_series()
    right = either(everyone["foreign"], "8401", choose(rng, INSURANCE, count).gather(everyone["s"]))
    numbered = everyone.with_columns(
        prenames().alias("prename"), r=pl.int_range(count), dies=dies, from_day=pl.Series(first), to_day=last,
        hospital=hospital, pid=running.str.zfill(6), instype=right,
        hn=either(hospital, "H" + running.str.zfill(8)), hid=everyone["house"].cast(pl.String).str.zfill(9),
        cid=either(everyone["cid_sent"], everyone["cid_true"]),
    )  # fmt: skip
    above = facilities["above"].gather(everyone["f"])
    there = numbered.select("soul", above="f", up="r").unique(
        ["soul", "above"], keep="first", maintain_order=True
    )
    asked = numbered.select("soul").with_columns(above=above)
    return numbered.with_columns(
        asked.join(there, on=["soul", "above"], how="left", maintain_order="left")["up"]
    )
