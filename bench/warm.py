"""One small delivery: how long from upload to receipt, and to silver."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from bench.country import Country, Made, deliver, registry
from bench.lake import BenchLake
from bench.units import Unit
from khlang.landing.door import Door
from khlang.landing.offer import from_files
from khlang.landing.work import Failed

COPIES = 500
"""Copies of a unit in a zip of about 5 MB."""


@dataclass(frozen=True, slots=True)
class Warm:
    """Seconds: door to receipt (median, 95th percentile), the command `khlang deliver`, and on to silver by stage."""

    made: Made
    receipt_median: float
    receipt_p95: float
    command: float
    to_silver: dict[str, float]

    def plain(self) -> dict[str, object]:
        """Figures for the results file."""
        return {
            "zip_mb": round(self.made.zipped / self.made.zips / 1e6, 2),
            "rows": self.made.rows // self.made.zips,
            "upload_to_receipt_s": {
                "median": round(self.receipt_median, 2),
                "p95": round(self.receipt_p95, 2),
            },
            "khlang_deliver_s": round(self.command, 2),
            "to_silver_s": {name: round(seconds, 1) for name, seconds in self.to_silver.items()},
        }


def warm(
    lake: BenchLake, folder: Path, templates: Sequence[Unit], count: int, say: Callable[[str], None]
) -> Warm:
    """Deliver `count` zips one by one through an open door, another by the command, and curate that one."""
    country = Country(zips=count + 1, copies=COPIES)
    made = deliver(country, 0, folder / "warm", templates)
    registry(country, folder / "warm.csv")
    lake.command("facilities", "load", str(folder / "warm.csv"))
    first, *others = sorted((folder / "warm").glob("*.zip"))
    waits = []
    with Door(lake.settings) as door:
        for path in others:
            start = time.perf_counter()
            taken = list(door.take(from_files([path])))
            waits.append(time.perf_counter() - start)
            assert not isinstance(taken[0], Failed) and taken[0].state == "checked", taken
    for stage in ("bronze", "silver"):
        lake.job(stage)
    command = lake.command("deliver", str(first)).seconds
    stages = {stage: lake.job(stage)[0].seconds for stage in ("bronze", "silver")}
    say(f"  receipt {median(waits):.2f} s, deliver {command:.2f} s, to silver {sum(stages.values()):.1f} s")
    p95 = quantiles(waits, n=20)[-1]
    return Warm(made, median(waits), p95, command, {"deliver": command, **stages})
