"""One cluster of facilities with everyone registered in them: what every recipe draws from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from khlang.synth.facilities import upward
from khlang.synth.people import INSURANCE, prenames, souls
from khlang.synth.plan import Plan

OUTSIDE = 0.28
"""Share of a facility's people who are also known at the hospital it refers to."""
STAFF = {"A": 60, "M2": 30, "F2": 24, "P1": 6}


@dataclass(frozen=True, slots=True)
class World:
    """A cluster: its facilities (row number `f`) and its registrations (row number `r`).

    `people` has one row per person and facility: `soul` is the person, `s` the row of the registration
    at home; a person known in two facilities has two rows with one citizen id and two PIDs.
    """

    plan: Plan
    number: int
    facilities: pl.DataFrame
    people: pl.DataFrame

    def draws(self, topic: str) -> np.random.Generator:
        """A generator for one topic of this cluster."""
        return self.plan.draws("cluster", self.number, topic)

    def of(self, rows: pl.Series | np.ndarray, *columns: str) -> pl.DataFrame:
        """Those columns of the registrations with these row numbers."""
        return self.people.select(columns)[rows]

    def age(self, rows: np.ndarray, days: np.ndarray) -> np.ndarray:
        """Age in full years of registrations on days."""
        birth = self.people["birth"].to_numpy()[rows]
        return ((days.astype("datetime64[D]") - birth.astype("datetime64[D]")).astype(int) / 365.2425).astype(int)

    def present(self, events: pl.DataFrame) -> pl.DataFrame:
        """Events (`r`, `day`) of people who are registered and alive on the day, up to the plan's end."""
        seen = self.of(events["r"], "from_day", "to_day", "f")
        known = pl.col("day").is_between(pl.col("from_day"), pl.col("to_day")) & (pl.col("day") <= self.plan.end)
        joined = events.hstack(seen if "f" not in events.columns else seen.drop("f"))
        return joined.filter(known).drop("from_day", "to_day")

    def codes(self, positions: pl.Series) -> pl.Series:
        """Facility codes of positions in the cluster; empty text for null."""
        return self.facilities["hospcode"].gather(positions.fill_null(0)).set(positions.is_null(), "")


def build(plan: Plan, number: int, facilities: pl.DataFrame, first_soul: int) -> World:
    """Invent a cluster: its people at home, then where else they are known."""
    rng = plan.draws("registrations", number)
    home = souls(plan, facilities, first_soul)
    home = home.with_columns(s=pl.int_range(home.height), typearea=_typearea(rng, home.height), at_home=pl.lit(True))
    everyone = pl.concat([home, *_elsewhere(rng, facilities, home)])
    return World(plan, number, _staffed(facilities), _numbered(plan, rng, facilities, everyone))


def _typearea(rng: np.random.Generator, count: int) -> pl.Series:
    """Residence status of people in their own facility."""
    return pl.Series(rng.choice(["1", "2", "3", "5"], count, p=[0.80, 0.05, 0.14, 0.01]))


def _elsewhere(rng: np.random.Generator, facilities: pl.DataFrame, home: pl.DataFrame) -> list[pl.DataFrame]:
    """Second registrations: at the hospital above as a visitor, and of some who moved, in any facility."""
    above = pl.Series(upward(facilities), dtype=pl.Int64).gather(home["f"])
    goes_up = above.is_not_null() & pl.Series(rng.random(home.height) < OUTSIDE)
    visitors = home.with_columns(f=above, typearea=pl.lit("4"), at_home=pl.lit(False)).filter(goes_up)
    other = pl.Series(rng.integers(0, facilities.height, home.height))
    moves = (other != home["f"]) & (other != above.fill_null(-1)) & pl.Series(rng.random(home.height) < 0.02)
    kind = pl.Series(rng.choice(["1", "3"], home.height))
    moved = home.with_columns(f=other, typearea=kind, at_home=pl.lit(False)).filter(moves)
    return [visitors, moved]


def _staffed(facilities: pl.DataFrame) -> pl.DataFrame:
    """Facilities with their number of staff and the position of the hospital above."""
    staff = pl.col("level").replace_strict(STAFF, return_dtype=pl.Int64)
    return facilities.with_columns(staff=staff, above=pl.Series(upward(facilities), dtype=pl.Int64))


def _numbered(plan: Plan, rng: np.random.Generator, facilities: pl.DataFrame, everyone: pl.DataFrame) -> pl.DataFrame:
    """Local numbers, insurance, and the days between which a registration is alive."""
    count, start, end = everyone.height, np.datetime64(plan.start), np.datetime64(plan.end)
    span = (end - start).astype(int) + 1
    running = everyone.select(pl.int_range(1, pl.len() + 1).over("f")).to_series()
    hospital = facilities["hospital"].gather(everyone["f"])
    birth = everyone["birth"].to_numpy().astype("datetime64[D]")
    newcomer = (rng.random(count) < np.where(everyone["at_home"].to_numpy(), 0.01, 0.15))
    came = np.where(newcomer, start + rng.integers(0, span, count), start - np.timedelta64(3650, "D"))
    leaves = rng.random(count) < np.clip(np.exp((everyone["age"].to_numpy() - 100) / 12), 0.0002, 0.05)
    dies = leaves & everyone["at_home"].to_numpy()
    died = np.where(dies, start + rng.integers(0, span, count), end + np.timedelta64(365, "D"))
    last = pl.Series(died).gather(everyone["s"])
    return everyone.with_columns(
        r=pl.int_range(count), dies=pl.Series(dies).gather(everyone["s"]), to_day=last,
        from_day=pl.Series(np.maximum(np.minimum(came, last.to_numpy()), birth)), hospital=hospital,
        pid=running.cast(pl.String).str.zfill(6), prename=prenames(everyone),
        hn=pl.select(pl.when(hospital).then("H" + running.cast(pl.String).str.zfill(8)).otherwise(pl.lit(""))).to_series(),
        cid=pl.select(pl.when(everyone["cid_sent"]).then(everyone["cid_true"]).otherwise(pl.lit(""))).to_series(),
        instype=INSURANCE.draw(rng, count).replace({"": "9100"}),
        hid=everyone["house"].cast(pl.String).str.zfill(9),
    )  # fmt: skip
