"""The country's day: thousands of zips from the inbox to published numbers, each stage measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.country import Country, Made, deliver, registry
from bench.lake import STAGES, BenchLake
from bench.measure import Cost
from bench.units import Unit

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Day:
    """What one day cost, stage by stage, and what the jobs said that they did."""

    made: Made
    costs: Mapping[str, Cost] = field(default_factory=dict)
    did: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    def seconds(self, *stages: str) -> float:
        """Seconds of these stages (all of them when none is named)."""
        return sum(self.costs[stage].seconds for stage in stages or tuple(self.costs))

    def plain(self) -> dict[str, Any]:
        """Figures only."""
        return {
            "zips": self.made.zips,
            "rows": self.made.rows,
            "mib_inflated": round(self.made.bytes / 2**20, 1),
            "seconds": round(self.seconds(), 1),
            "rows_per_second": round(self.made.rows / self.seconds()),
            "stages": {name: spent.plain() for name, spent in self.costs.items()},
        }


def run_day(lake: BenchLake, made: Made, folder: Path, say: Say, stages: Sequence[str] = STAGES) -> Day:
    """Put a folder of zips into the inbox and run the stages one after the other."""
    lake.fill_inbox(folder)
    costs: dict[str, Cost] = {}
    did: dict[str, dict[str, Any]] = {}
    for stage in stages:
        costs[stage], did[stage] = lake.job(stage)
        say(f"  {stage}: {costs[stage].seconds:.1f} s, {costs[stage].cpu:.1f} CPU s")
    return Day(made, costs, did)


def prepare(
    lake: BenchLake, country: Country, folder: Path, templates: Sequence[Unit], day: int, say: Say
) -> Made:
    """Write a day's zips into `folder`; with the first one the lake learns the facilities."""
    made = deliver(country, day, folder, templates)
    say(
        f"  {made.zips:,} zips, {made.rows:,} rows, {made.bytes / 2**20:,.0f} MiB ({made.zipped / 2**20:,.0f} zipped)"
    )
    if day == 0:
        listed = folder.with_suffix(".csv")
        registry(country, listed)
        lake.command("facilities", "load", str(listed))
    return made
