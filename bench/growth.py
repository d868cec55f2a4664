"""How the cost of one delivery grows: with the history of the tables, with the number of zips, with cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.cluster import cluster
from bench.country import Country, Made, deliver, registry
from bench.day import run_day
from bench.lake import BenchLake, lake
from bench.units import Unit

Say = Callable[[str], None]
LOADING = ("landing", "bronze", "silver")


def history(
    folder: Path, templates: Sequence[Unit], facilities: int, days: int, say: Say
) -> list[dict[str, Any]]:
    """One of `facilities` delivers (1 % of a hundred) after 1 day of history, and after `days` days of it.

    Gold is built anew as a whole and is measured with the country's day, not here.
    """
    everyone, one = Country(facilities, copies=1), Country(1, copies=20)
    rows = []
    with lake(folder / "history") as own:
        registry(everyone, folder / "history.csv")
        own.command("facilities", "load", str(folder / "history.csv"))
        for day in range(days + 1):
            if day in (1, days):
                made = deliver(one, 20 + day, folder / f"one{day}", templates)
                costs = run_day(own, made, folder / f"one{day}", _silent, LOADING).costs
                rows.append({"days_of_history": day, **_figures(costs)})
                say(f"  after {day} days: {rows[-1]['seconds']} s")
            if day < days:
                made = deliver(everyone, day, folder / f"all{day}", templates)
                run_day(own, made, folder / f"all{day}", _silent, LOADING)
    return rows


def zips(folder: Path, templates: Sequence[Unit], counts: Sequence[int], say: Say) -> list[dict[str, Any]]:
    """Tiny zips by the hundred: what each adds."""
    rows = []
    for count in counts:
        with _fresh(folder / f"tiny{count}", templates, Country(count, copies=1)) as (made, own):
            costs = run_day(own, made, folder / f"tiny{count}" / "zips", _silent, LOADING).costs
        rows.append({"zips": count, "rows": made.rows, **_figures(costs)})
        say(f"  {count} tiny zips: {rows[-1]['seconds']} s")
    return rows


def cores(
    folder: Path, templates: Sequence[Unit], count: int, masters: Sequence[str], say: Say
) -> list[dict[str, Any]]:
    """The same zips under each master: `local[N]`, or `workers:N` for a standalone cluster of N one-core workers."""
    rows = []
    for number, master in enumerate(masters):
        place = folder / f"cores{number}"
        with _fresh(place, templates, Country(count)) as (made, own), _master(own, place, master) as address:
            spread = own.with_settings(KHLANG_MASTER=address, KHLANG_SMALL_ROWS="0")
            costs = run_day(spread, made, place / "zips", _silent, LOADING).costs
        rows.append({"master": master, "rows": made.rows, **_figures(costs)})
        say(f"  {master}: {rows[-1]['stages_s']}")
    return rows


@contextmanager
def _master(own: BenchLake, folder: Path, master: str) -> Iterator[str]:
    """The address of a master; workers live while the block runs."""
    kind, _, workers = master.partition(":")
    if kind != "workers":
        yield master
        return
    with cluster(own, folder / "cluster", int(workers)) as address:
        yield address


@contextmanager
def _fresh(folder: Path, templates: Sequence[Unit], country: Country) -> Iterator[tuple[Made, BenchLake]]:
    """The zips of a country's day and a lake of its own that knows its facilities."""
    made = deliver(country, 0, folder / "zips", templates)
    registry(country, folder / "facilities.csv")
    with lake(folder / "lake") as own:
        own.command("facilities", "load", str(folder / "facilities.csv"))
        yield made, own


def _silent(_: str) -> None:
    """Say nothing."""


def _figures(costs: Any) -> dict[str, Any]:
    """Seconds and CPU seconds in all and by stage, the highest memory of one Python worker."""
    return {
        "seconds": round(sum(one.seconds for one in costs.values()), 1),
        "cpu_s": round(sum(one.cpu for one in costs.values()), 1),
        "stages_s": {name: round(one.seconds, 1) for name, one in costs.items()},
        "python_mib": round(max(one.python_mib for one in costs.values())),
    }
