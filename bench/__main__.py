"""`python -m bench`: measure, print tables with ratios, write a dated results file with the machine's facts."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bench import contest as contests
from bench import day as days
from bench import demo as demos
from bench import growth as growths
from bench import large as larges
from bench import relink as relinks
from bench import warm as warms
from bench.country import ROWS, ZIPS, Country, templates
from bench.goals import goals
from bench.lake import lake
from bench.measure import machine
from bench.units import Unit
from khlang.lake.evidence import git_sha

RESULTS = Path(__file__).parent / "results"
WHAT = ("contest", "day", "growth", "warm", "large", "demo", "relink")
Say = Callable[[str], None]
Parts = dict[str, Any]


def _country(fraction: float) -> Country:
    return Country(max(12, round(ZIPS * fraction)))


def _contest(folder: Path, units: list[Unit], fraction: float, rounds: int, say: Say, peers: str) -> Parts:
    names = [contests.KHLANG, *(name for name in peers.split(",") if name)]
    prepared = contests.prepare(_country(fraction), folder, units)
    runs = contests.compete(prepared, names, rounds, say)
    rows = [made.rows for made in prepared.days]
    return {
        "rows": rows,
        "table": contests.table(runs),
        "differences": contests.differences(runs),
        "runs": [{k: v for k, v in asdict(run).items() if k != "current_rows"} for run in runs],
    }


def _day(folder: Path, units: list[Unit], fraction: float, say: Say) -> Parts:
    with lake(folder / "lake") as own:
        made = days.prepare(own, _country(fraction), folder / "day0", units, 0, say)
        measured = days.run_day(own, made, folder / "day0", say)
    found = measured.plain()
    if fraction < 1:
        found["whole_day_if_linear_s"] = round(measured.seconds() * ROWS / made.rows)
    return found


def _growth(folder: Path, units: list[Unit], say: Say) -> Parts:
    return {
        "history": growths.history(folder, units, facilities=100, days=10, say=say),
        "zips": growths.zips(folder, units, (100, 400), say),
        "cores": growths.cores(folder, units, 960, ("local[1]", "local[2]", "workers:1", "workers:2"), say),
    }


def _warm(folder: Path, units: list[Unit], say: Say) -> Parts:
    with lake(folder / "lake") as own:
        return warms.warm(own, folder, units, 20, say).plain()


def _large(folder: Path, gib: float, say: Say) -> Parts:
    sizes = {"short rows": gib / 10, "wide rows": gib, "one line": gib}
    with lake(folder / "lake") as own:
        return {
            "members": larges.large(
                own, folder, {kind: int(size * 2**30) for kind, size in sizes.items()}, say
            )
        }


def latest() -> Parts:
    """The newest kept result of each part (bench/results); a contender's is the newest contest that it was in."""
    found: Parts = {}
    rows: dict[str, Any] = {}
    for path in sorted(RESULTS.glob("*.json")):
        kept = json.loads(path.read_text("utf-8"))
        found |= {part: kept[part] for part in WHAT if part in kept}
        rows |= {row["contender"]: row for row in kept.get("contest", {}).get("table", [])}
    if rows:
        found["contest"] = {"table": list(rows.values())}
    return found


def main(
    what: Annotated[
        str, typer.Argument(help="all, some of " + ",".join(WHAT) + "; goals: the table of kept results")
    ] = "all",
    fraction: Annotated[float, typer.Option(help="of the country's day: 1 is 12,000 zips, 20 M rows")] = 0.02,
    rounds: Annotated[int, typer.Option(help="rounds of the contest")] = 3,
    peers: Annotated[str, typer.Option(help="contenders beside Khlang")] = ",".join(contests.PEERS),
    gib: Annotated[float, typer.Option(help="large: inflated GiB of a member (of short rows a tenth)")] = 1,
    home: Annotated[Path | None, typer.Option(help="folder for zips and lakes; else a temporary one")] = None,
    keep: Annotated[bool, typer.Option(help="write the dated results file")] = True,
) -> None:
    """Measure Khlang and its peers."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the lakes' services are stopped on the way out
    console = Console()
    if what == "goals":
        _show(console, "goals", {"goals": goals(latest())})
        return
    wanted = WHAT if what == "all" else tuple(what.split(","))
    found: Parts = {
        "machine": machine(),
        "git": git_sha(),
        "fraction": fraction,
        "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M}Z",
    }
    with tempfile.TemporaryDirectory(prefix="khlang-bench-", dir=home) as made:
        base = Path(made)
        units: list[Unit] = []
        if set(wanted) - {"large", "demo"}:
            console.print("units: inventing the extracts that deliveries are printed from")
            units = templates(base)
        acts: dict[str, Callable[[Path], Parts]] = {
            "contest": lambda folder: _contest(folder, units, fraction, rounds, console.print, peers),
            "day": lambda folder: _day(folder, units, fraction, console.print),
            "growth": lambda folder: _growth(folder, units, console.print),
            "warm": lambda folder: _warm(folder, units, console.print),
            "large": lambda folder: _large(folder, gib, console.print),
            "demo": lambda folder: demos.demo(folder, console.print),
            "relink": lambda folder: {
                "one per cent": relinks.relink(
                    folder, units, max(4, round(ZIPS * fraction / 4)), console.print
                )
            },
        }
        for name in wanted:
            console.print(f"[bold]{name}[/bold]")
            (base / name).mkdir()
            found[name] = acts[name](base / name)
            _show(console, name, found[name])
    found["goals"] = goals(found)
    _show(console, "goals", {"goals": found["goals"]})
    if keep:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{datetime.now(UTC):%Y%m%d-%H%M}-{'-'.join(wanted)}.json"
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
        console.print(f"written: bench/results/{path.name}")


def _show(console: Console, name: str, found: Parts) -> None:
    """Print lists of figures as tables, the rest as lines."""
    for key, value in found.items():
        if isinstance(value, list) and value and isinstance(value[0], dict) and key != "runs":
            table = Table(*value[0], title=f"{name}: {key}")
            for row in value:
                table.add_row(*(str(cell) for cell in row.values()))
            console.print(table)
        elif key != "runs":
            console.print(f"  {key}: {value}")


if __name__ == "__main__":
    typer.run(main)
