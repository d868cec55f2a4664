"""Measured figures beside the goals of the design: what is met, what is missed and by how much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Found = Mapping[str, Any]

LOADED = ("bronze",)
DAY_SECONDS = 900
FIRST_DEMO, NEXT_DEMO = 480, 180
PAINT, FILTER = 2.0, 1.0


def goals(found: Found) -> list[dict[str, Any]]:
    """One row per goal that the parts measured so far speak of: goal, limit, measured, whether it is met."""
    rows = [*_day(found), *_contest(found), *_warm(found), *_growth(found), *_large(found), *_demo(found)]
    return [
        {"goal": name, "limit": limit, "measured": measured, "met": "yes" if met else "NO"}
        for name, limit, measured, met in rows
    ]


Row = tuple[str, str, str, bool]


def _day(found: Found) -> Iterator[Row]:
    day = found.get("day")
    if not day:
        return
    speed = day["rows"] / day["stages"]["bronze"]["seconds"]
    yield "conform + bronze, rows/s", ">= 100,000", f"{speed:,.0f}", speed >= 100_000
    whole = day.get("whole_day_if_linear_s", day["seconds"])
    name = "the country's day" if "whole_day_if_linear_s" not in day else "the country's day, if linear"
    yield name, "<= 15 min", f"{whole / 60:.1f} min", whole <= DAY_SECONDS
    memory = max(stage["python_mib"] for stage in day["stages"].values())
    yield "memory of a Python worker", "<= 1.5 GiB", f"{memory / 1024:.2f} GiB", memory <= 1536


def _large(found: Found) -> Iterator[Row]:
    steps = (found.get("large") or {}).get("members", [])
    if steps:
        memory, size = max(row["python_mib"] for row in steps), max(row["member_mib"] for row in steps)
        name = f"memory of a Python process, a member of {size / 1024:.1f} GiB"
        yield name, "<= 1.5 GiB", f"{memory / 1024:.2f} GiB", memory <= 1536


def _contest(found: Found) -> Iterator[Row]:
    limits = {"spark": 10.0, "polars": 1.0, "duckdb": 1.0, "postgres": 3.0}
    for row in (found.get("contest") or {}).get("table", []):
        limit = limits.get(row["contender"])
        if limit is None:
            continue
        name = row["contender"]
        days = (("first", "first_day_ratio"), ("second", "second_day_ratio"))
        compared = [(f"{name}, {day} day, whole chain", key) for day, key in days]
        for said, key in [*compared, (f"{name}, parse to upsert", "work_ratio")]:
            if key in row:
                yield (
                    f"{said}: times as long as Khlang",
                    f">= {limit:g}",
                    f"{row[key]:.2f}",
                    row[key] >= limit,
                )


def _warm(found: Found) -> Iterator[Row]:
    warm = found.get("warm")
    if not warm:
        return
    p95 = warm["upload_to_receipt_s"]["p95"]
    yield "small delivery: upload to receipt, p95", "<= 10 s", f"{p95:.1f} s", p95 <= 10
    silver = sum(warm["to_silver_s"].values())
    yield "small delivery to silver", "<= 2 min", f"{silver:.0f} s", silver <= 120


def _growth(found: Found) -> Iterator[Row]:
    growth = found.get("growth")
    if not growth:
        return
    first, last = growth["history"][0], growth["history"][-1]
    ratio = last["cpu_s"] / first["cpu_s"]
    days = last["days_of_history"]
    yield f"1 % deliver into {days}x history, CPU s", "<= 1.2x", f"{ratio:.2f}x", ratio <= 1.2
    seconds = {row["master"]: row["stages_s"] for row in growth["cores"]}
    for one, two in (("local[1]", "local[2]"), ("workers:1", "workers:2")):
        if one in seconds and two in seconds:
            gained = sum(seconds[one][s] for s in LOADED) / sum(seconds[two][s] for s in LOADED)
            yield f"bronze from {one} to {two}", ">= 1.8x", f"{gained:.2f}x", gained >= 1.8


def _demo(found: Found) -> Iterator[Row]:
    demo = found.get("demo")
    if not demo:
        return
    for name, key, limit in (("fresh clone", "first_s", FIRST_DEMO), ("again", "again_s", NEXT_DEMO)):
        yield f"make demo, {name}", f"<= {limit // 60} min", f"{demo[key] / 60:.1f} min", demo[key] <= limit
    for name, key, most in (("first paint", "first_paint_s", PAINT), ("filter", "filter_s", FILTER)):
        median = demo["page"][key]["median"]
        yield f"planner's page: {name}", f"<= {most:g} s", f"{median:.2f} s", median <= most
