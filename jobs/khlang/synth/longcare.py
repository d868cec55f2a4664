"""Years with diabetes and hypertension: follow-ups, tests of the blood, screening of everyone else."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from khlang.synth.draw import bounded, one_of, same, some
from khlang.synth.registers import Tables
from khlang.synth.words import rows, weighted
from khlang.synth.world import World

BACK_DAYS = 330
"""Follow-ups and screenings before the plan's start that are sent as surveys with the first zip."""
PANELS = ("fever", "admit", "anc")


def planned(world: World) -> pl.DataFrame:
    """Visits for long illnesses (`r`, `day`, `kind`): about every two months, also before the plan's start."""
    return pl.concat([_followed(world, kind) for kind in ("dm", "ht")])


def _followed(world: World, kind: str) -> pl.DataFrame:
    """Follow-ups of one illness; whoever has both is followed for diabetes."""
    rng, plan = world.draws(f"follow-ups {kind}"), world.plan
    ill = world.people.filter(pl.col(kind).is_not_null() & (pl.col("typearea") != "2"))
    if kind == "ht":
        ill = ill.filter(pl.col("dm").is_null())
    loyal = some(rng, ill, ill["at_home"].cast(pl.Float64).to_numpy() * 0.7 + 0.1)
    gap = rng.choice([56, 84, 112], loyal.height, p=[0.4, 0.4, 0.2])
    times = ((plan.end - plan.start).days + BACK_DAYS) // gap
    row = np.repeat(np.arange(loyal.height), times)
    step = np.arange(len(row)) - np.repeat(np.cumsum(times) - times, times)
    before = step * gap[row] + rng.integers(0, 28, len(row)) + gap[row] // 3
    came = pl.DataFrame({
        "r": loyal["r"].gather(row), "day": np.datetime64(plan.end) - before, "kind": same(kind, len(row)),
    })  # fmt: skip
    return came.filter(pl.Series(rng.random(len(row)) < 0.85) & (loyal[kind].gather(row) <= came["day"]))


def longcare(world: World, visits: pl.DataFrame, events: pl.DataFrame) -> Tables:
    """CHRONICFU of follow-ups, LABFU of all panels, NCDSCREEN of people over 35 without the disease."""
    seen = with_seq(world, events, visits)
    return {
        "CHRONICFU": _followups(world, seen), "LABFU": _tests(world, seen, visits),
        "NCDSCREEN": _screening(world, visits),
    }  # fmt: skip


def with_seq(world: World, events: pl.DataFrame, visits: pl.DataFrame) -> pl.DataFrame:
    """Events of people present, once per person and day, with the day's visit number or none (a survey)."""
    dated = events.select("r", pl.col("day").cast(pl.Date), "kind")
    once = world.present(dated.unique(["r", "day"], keep="first", maintain_order=True))
    numbered = once.join(
        visits.select("r", "day", SEQ="seq"), on=["r", "day"], how="left", maintain_order="left"
    )
    return numbered.with_columns(pl.col("SEQ").fill_null(""), DATE_SERV="day")


def control(world: World) -> NDArray[np.float64]:
    """How badly each person keeps their illness: steady over the years, around zero."""
    home = world.people["s"].to_numpy()
    return world.draws("control").normal(0, 1, int(home.max()) + 1)[home]


def _followups(world: World, seen: pl.DataFrame) -> pl.DataFrame:
    """CHRONICFU: weight, waist and pressure of a follow-up."""
    rng, count = world.draws("chronicfu"), seen.height
    body, worse = world.of(seen["r"], "height", "weight"), control(world)[seen["r"].to_numpy()]
    weight = np.clip(body["weight"].to_numpy() + rng.normal(0, 1, count), 25, 200)
    return seen.drop("kind").with_columns(
        WEIGHT=pl.Series(weight), HEIGHT=body["height"].clip(100, 210),
        SBP=bounded(134 + worse * 9 + rng.normal(0, 8, count), 90, 220),
        DBP=bounded(79 + worse * 5 + rng.normal(0, 6, count), 48, 130),
        WAIST_CM=bounded(weight * 0.75 + 38 + rng.normal(0, 4, count), 55, 140),
        CHRONICFUPLACE=world.codes(seen["f"]),
    )  # fmt: skip


def _tests(world: World, seen: pl.DataFrame, visits: pl.DataFrame) -> pl.DataFrame:
    """LABFU: the tests declared for a kind of visit, each with its chance."""
    rng = world.draws("tests")
    others = visits.filter(pl.col("care").is_in(PANELS))
    others = others.select("r", "day", "f", kind="care", SEQ="seq", DATE_SERV="day")
    done = pl.concat([seen.select(others.columns), others]).unique(
        ["r", "day"], keep="first", maintain_order=True
    )
    frames = []
    for test in rows("labs"):
        mine = some(rng, done.filter(pl.col("kind") == test["panel"]), float(test["share"]))
        results = _results(world, rng, mine["r"], test)
        frames.append(mine.drop("kind").with_columns(LABTEST=pl.lit(test["labtest"]), LABRESULT=results))
    found = pl.concat(frames)
    return found.with_columns(LABPLACE=world.codes(found["f"]))


def _results(world: World, rng: np.random.Generator, patients: pl.Series, test: dict[str, str]) -> pl.Series:
    """Results of one test as text: words, or numbers that are worse for those who keep an illness badly."""
    if test["words"]:
        return weighted(test["words"]).draw(rng, len(patients))
    mean, spread, low, high = (float(test[key]) for key in ("mean", "spread", "low", "high"))
    noise = rng.normal(0, 1, (2, len(patients)))
    bad = control(world)[patients.to_numpy()] if test["panel"] in ("dm", "ht") else noise[1]
    values = np.clip(mean + spread * (0.8 * bad + 0.5 * noise[0]), low, high)
    places = int(test["decimals"])
    return pl.Series(np.round(values, places)).cast(pl.Decimal(9, places)).cast(pl.String)


def _screening(world: World, visits: pl.DataFrame) -> pl.DataFrame:
    """NCDSCREEN: most of the catchment area over 35 once in the months before or during the plan."""
    rng, plan = world.draws("screening"), world.plan
    healthy = pl.col("dm").is_null() | pl.col("ht").is_null()
    asked = some(rng, world.people.filter((pl.col("age") >= 36) & pl.col("at_home") & healthy), 0.62)
    days = np.datetime64(plan.end) - rng.integers(0, BACK_DAYS, asked.height)
    came = visits.filter(pl.col("kind") == "screen").select("r", "day", "kind")
    surveyed = asked.select("r", day=pl.Series(days).cast(pl.Date), kind=pl.lit("screen"))
    once = pl.concat([came, surveyed.cast({"r": came.schema["r"]})]).unique(
        "r", keep="first", maintain_order=True
    )
    seen = with_seq(world, once, visits)
    body, count = world.of(seen["r"], "height", "weight", "ht"), seen.height
    upper = np.clip(rng.normal(np.where(body["ht"].is_not_null().to_numpy(), 140, 123), 13), 85, 220)
    lower = np.clip(rng.normal(77, 8, count), 45, 125)
    once_is_enough = pl.Series(upper < 130)
    return seen.drop("kind").with_columns(
        SERVPLACE=one_of(rng, ["1", "2"], count), WEIGHT=body["weight"], HEIGHT=body["height"].clip(100, 210),
        WAIST_CM=bounded(body["weight"].to_numpy() * 0.75 + 38, 55, 140),
        SBP_1=pl.Series(upper), DBP_1=pl.Series(lower), SBP_2=pl.Series(upper - 4).set(once_is_enough, None),
        DBP_2=pl.Series(lower).set(once_is_enough, None), SCREENPLACE=world.codes(seen["f"]),
        BSLEVEL=bounded(rng.normal(97, 15, count), 60, 320),
    )  # fmt: skip
