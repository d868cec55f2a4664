"""Years with diabetes and hypertension: follow-ups, tests of the blood, screening of everyone else."""

from __future__ import annotations

import numpy as np
import polars as pl

from khlang.synth.registers import Tables
from khlang.synth.words import rows
from khlang.synth.world import World

BACK_DAYS = 330
"""Follow-ups and screenings before the plan's start that are sent as surveys with the first zip."""


def planned(world: World) -> pl.DataFrame:
    """Visits for long illnesses (`r`, `day`, `kind`): about every two months, also before the plan's start."""
    rng, people, plan = world.draws("follow-ups"), world.people, world.plan
    frames = []
    for kind in ("dm", "ht"):
        ill = people.filter(pl.col(kind).is_not_null() & (pl.col("typearea") != "2"))
        if kind == "ht":
            ill = ill.filter(pl.col("dm").is_null())
        loyal = ill.filter(pl.Series(rng.random(ill.height) < pl.Series(ill["at_home"]).to_numpy() * 0.7 + 0.1))
        gap = rng.choice([42, 56, 84], loyal.height, p=[0.3, 0.5, 0.2])
        times = ((plan.end - plan.start).days + BACK_DAYS) // gap
        row = np.repeat(np.arange(loyal.height), times)
        step = np.arange(len(row)) - np.repeat(np.cumsum(times) - times, times)
        days = np.datetime64(plan.end) - (step * gap[row] + rng.integers(0, 28, len(row)) + gap[row] // 3)
        since = loyal[kind].gather(row)
        frame = pl.DataFrame({"r": loyal["r"].gather(row), "day": days, "kind": pl.repeat(kind, len(row), dtype=pl.String, eager=True)})
        frames.append(frame.filter(pl.Series(rng.random(len(row)) < 0.85) & (since <= frame["day"])))
    return pl.concat(frames)


def longcare(world: World, visits: pl.DataFrame, events: pl.DataFrame) -> Tables:
    """CHRONICFU of follow-ups, LABFU of all panels, NCDSCREEN of people over 35 without the disease."""
    seen = with_seq(world, events.filter(pl.col("kind").is_in(["dm", "ht"])), visits)
    return {"CHRONICFU": _followups(world, seen), "LABFU": _tests(world, seen, visits), "NCDSCREEN": _screening(world, visits)}


def with_seq(world: World, events: pl.DataFrame, visits: pl.DataFrame) -> pl.DataFrame:
    """Events of people present, once per person and day, with the SEQ of the day's visit or none (a survey)."""
    once = world.present(events.select("r", pl.col("day").cast(pl.Date), "kind").unique(["r", "day"], keep="first", maintain_order=True))
    return once.join(visits.select("r", "day", SEQ="seq"), on=["r", "day"], how="left", maintain_order="left").with_columns(
        pl.col("SEQ").fill_null(""), DATE_SERV="day"
    )


def control(world: World) -> np.ndarray:
    """How well each person keeps their illness: a steady number around zero, worse above."""
    return world.draws("control").normal(0, 1, world.people["s"].max() + 1)[world.people["s"].to_numpy()]


def _followups(world: World, seen: pl.DataFrame) -> pl.DataFrame:
    """CHRONICFU: weight, waist and pressure of a follow-up."""
    rng, count = world.draws("chronicfu"), seen.height
    body = world.of(seen["r"], "height", "weight")
    worse = control(world)[seen["r"].to_numpy()]
    upper = np.clip((134 + worse * 9 + rng.normal(0, 8, count)).round(), 90, 220)
    lower = np.clip((79 + worse * 5 + rng.normal(0, 6, count)).round(), 48, 130)
    weight = np.clip(body["weight"].to_numpy() + rng.normal(0, 1, count), 25, 200)
    return seen.drop("kind").with_columns(
        WEIGHT=pl.Series(weight), HEIGHT=body["height"].clip(100, 210), SBP=pl.Series(upper), DBP=pl.Series(lower),
        WAIST_CM=pl.Series(np.clip(weight * 0.75 + 38 + rng.normal(0, 4, count), 55, 140)), CHRONICFUPLACE=world.codes(seen["f"]),
    )  # fmt: skip


def _tests(world: World, seen: pl.DataFrame, visits: pl.DataFrame) -> pl.DataFrame:
    """LABFU: the tests declared for a kind of visit, worse values for those who keep their illness badly."""
    rng, worse = world.draws("tests"), control(world)
    others = visits.filter(pl.col("care").is_in(["fever", "admit", "anc"])).select("r", "day", "f", kind="care", SEQ="seq", DATE_SERV="day")
    done = pl.concat([seen.select(others.columns), others]).unique(["r", "day"], keep="first", maintain_order=True)
    frames = []
    for test in rows("labs"):
        mine = done.filter((pl.col("kind") == test["panel"]) & pl.Series(rng.random(done.height) < float(test["share"])))
        mean, spread, low, high = (float(test[key]) for key in ("mean", "spread", "low", "high"))
        bad = worse[mine["r"].to_numpy()] if test["panel"] in ("dm", "ht") else rng.normal(0, 1, mine.height)
        values = np.clip(mean + spread * (0.8 * bad + 0.5 * rng.normal(0, 1, mine.height)), low, high)
        places = int(test["decimals"])
        shown = pl.Series(np.round(values, places)).cast(pl.Decimal(9, places)).cast(pl.String)
        frames.append(mine.drop("kind").with_columns(LABTEST=pl.lit(test["labtest"]), LABRESULT=shown))
    found = pl.concat(frames)
    return found.with_columns(LABPLACE=world.codes(found["f"]))


def _screening(world: World, visits: pl.DataFrame) -> pl.DataFrame:
    """NCDSCREEN: most of the catchment area over 35 once in the months before or during the plan."""
    rng, plan = world.draws("screening"), world.plan
    grown = world.people.filter((pl.col("age") >= 36) & pl.col("at_home") & (pl.col("dm").is_null() | pl.col("ht").is_null()))
    some = grown.filter(pl.Series(rng.random(grown.height) < 0.62))
    days = np.datetime64(plan.end) - rng.integers(0, BACK_DAYS, some.height)
    asked = some.select("r", kind=pl.lit("screen")).with_columns(day=pl.Series(days))
    came = visits.filter(pl.col("kind") == "screen").select("r", "kind", "day")
    seen = with_seq(world, pl.concat([came, asked.select("r", "kind", "day")]).unique("r", keep="first", maintain_order=True), visits)
    body, count = world.of(seen["r"], "height", "weight", "ht"), seen.height
    upper = np.clip(rng.normal(np.where(body["ht"].is_not_null().to_numpy(), 140, 123), 13).round(), 85, 220)
    lower = np.clip(rng.normal(77, 8, count).round(), 45, 125)
    again = upper >= 130
    sugar = np.clip(rng.normal(97, 15, count), 60, 320).round(2)
    return seen.drop("kind").with_columns(
        SERVPLACE=pl.Series(rng.choice(["1", "2"], count)), WEIGHT=body["weight"], HEIGHT=body["height"].clip(100, 210),
        WAIST_CM=pl.Series(np.clip(body["weight"].to_numpy() * 0.75 + 38, 55, 140)), SBP_1=pl.Series(upper), DBP_1=pl.Series(lower),
        SBP_2=pl.Series(np.maximum(upper - 4, 60)).set(pl.Series(~again), None), DBP_2=pl.Series(lower).set(pl.Series(~again), None),
        BSLEVEL=pl.Series(sugar), SCREENPLACE=world.codes(seen["f"]),
    )  # fmt: skip
