"""`khlang run JOB`: one job of one zone, as Airflow runs it, and a table of what it did."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from datetime import datetime
from importlib import import_module
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from khlang import settings as environment
from khlang.errors import NOTHING_NEW, SettingsError
from khlang.model.bangkok import in_bangkok
from khlang.settings import Settings

JOBS = {
    "landing": "khlang.landing.job",
    "bronze": "khlang.bronze.job",
    "silver": "khlang.silver.job",
    "gold": "khlang.gold.job",
    "publish": "khlang.shares.job",
    "maintain": "khlang.lake.maintain",
    "alarms": "khlang.lake.alarms",
    "erase": "khlang.stewardship.job",
}
"""Name of a job -> the module whose `run(settings)` does it; imported only when it is asked for."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one job did: nothing (`done` is None), or names with counts; and how long it took."""

    job: str
    done: dict[str, Any] | None
    seconds: float

    @property
    def exit_code(self) -> int:
        """0, or 99 when the ledger held nothing new."""
        return NOTHING_NEW if self.done is None else 0


def run_job(name: str, settings: Settings) -> Outcome:
    """Run one job in this process; its errors pass through with their own exit codes."""
    start = time.perf_counter()
    work: Callable[[Settings], Any] = import_module(JOBS[name]).run
    return Outcome(name, as_mapping(work(settings)), time.perf_counter() - start)


def as_mapping(result: Any) -> dict[str, Any] | None:
    """A job's result (nothing, a frozen value, a mapping) -> names and plain values."""
    if result is None:
        return None
    if is_dataclass(result) and not isinstance(result, type):
        return asdict(result)
    if isinstance(result, Mapping):
        return {str(name): value for name, value in result.items()}
    raise TypeError(f"a job gives back a frozen value, a mapping or None, not {type(result).__name__}")


def show(outcome: Outcome, console: Console) -> None:
    """Print a two-column table; a nested mapping or list becomes its own table below."""
    if outcome.done is None:
        console.print(f"{outcome.job}: nothing new / ไม่มีรายการใหม่ ({outcome.seconds:.1f} s)")
        return
    top = Table("what", "value", title=f"khlang run {outcome.job} ({outcome.seconds:.1f} s)")
    nested = {
        name: value for name, value in outcome.done.items() if isinstance(value, Mapping | list | tuple)
    }
    for name, value in outcome.done.items():
        top.add_row(name, f"{len(value)} below" if name in nested else told(value))
    console.print(top)
    for name, value in nested.items():
        if value:
            console.print(nested_table(name, value))


def nested_table(name: str, value: Any) -> Table:
    """A mapping (name -> value or mapping) or a list of mappings as one table."""
    rows = value if not isinstance(value, Mapping) else [{"name": k} | flat(v) for k, v in value.items()]
    rows = [flat(row) for row in rows]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    table = Table(*columns, title=name)
    for row in rows:
        table.add_row(*[told(row.get(column, "")) for column in columns])
    return table


def told(value: Any) -> str:
    """A value as people read it: a moment on Bangkok's clock."""
    return in_bangkok(value) if isinstance(value, datetime) and value.tzinfo else str(value)


def flat(value: Any) -> dict[str, Any]:
    """One row of a nested table."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return dict(value) if isinstance(value, Mapping) else {"value": value}


def run(
    job: Annotated[str, typer.Argument(help=" | ".join(JOBS))],
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object for machines")] = False,
) -> None:
    """Run a job: landing, bronze, silver, gold, publish, maintain, alarms, erase. Exit 99: nothing new; 75: busy."""
    if job not in JOBS:
        words = ("there is no such job", "ไม่มีงานชื่อนี้")
        raise SettingsError("job.unknown", *words, job, f"one of {', '.join(JOBS)}")
    outcome = run_job(job, environment.load())
    if as_json:
        typer.echo(json.dumps({"job": job, "done": outcome.done, "seconds": outcome.seconds}, default=str))
    else:
        show(outcome, Console())
    raise typer.Exit(outcome.exit_code)


def register(app: typer.Typer) -> None:
    """Hang `run` on the command."""
    app.command("run")(run)
