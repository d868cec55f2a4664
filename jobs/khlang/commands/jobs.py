"""`khlang run JOB`: one job of one zone, as Airflow runs it, and a table of what it did."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
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


def run_job(name: str, settings: Settings, module: str = "") -> Outcome:
    """Run one job (or the named module's) in this process; its errors pass through with their own exit codes."""
    from khlang.lake.keys import KeyStore

    start = time.perf_counter()
    KeyStore.open(settings)  # no job starts over a key store that is missing or unfit, idle or not
    work: Callable[[Settings], Any] = import_module(module or JOBS[name]).run
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
    rebuild: Annotated[
        bool,
        typer.Option("--rebuild", help="bronze: make anew what was loaded under other rules, to the end"),
    ] = False,
    whole: Annotated[bool, typer.Option("--all", help="with --rebuild: make everything anew")] = False,
) -> None:
    """Run a job: landing, bronze, silver, gold, publish, maintain, alarms, erase. Exit 99: nothing new; 75: busy.

    `run bronze --rebuild` goes on to silver, gold and publish, and then removes what the tables held before.
    """
    if job not in JOBS:
        words = ("there is no such job", "ไม่มีงานชื่อนี้")
        raise SettingsError("job.unknown", *words, job, f"one of {', '.join(JOBS)}")
    if (rebuild and job != "bronze") or (whole and not rebuild):
        words = (
            "only bronze is rebuilt, --all goes with --rebuild",
            "ใช้ --rebuild กับ bronze และ --all กับ --rebuild เท่านั้น",
        )
        raise SettingsError("job.rebuild", *words, job, "khlang run bronze --rebuild [--all]")
    settings = environment.load()
    if rebuild:
        asked = settings.model_copy(update={"rebuild": "all" if whole else "outdated"})
        for outcome in rebuild_lake(asked):
            _tell(outcome, as_json)
        return
    outcome = run_job(job, settings)
    _tell(outcome, as_json)
    raise typer.Exit(outcome.exit_code)


def rebuild_lake(settings: Settings) -> Iterator[Outcome]:
    """Bronze anew, every later stage after it, then the purge of what was before; each outcome as it comes."""
    for name in ("bronze", "silver", "gold", "publish"):
        yield run_job(name, settings)
    yield run_job("purge", settings, "khlang.lake.purge")


def _tell(outcome: Outcome, as_json: bool) -> None:
    """Print what a job did."""
    if as_json:
        typer.echo(
            json.dumps({"job": outcome.job, "done": outcome.done, "seconds": outcome.seconds}, default=str)
        )
    else:
        show(outcome, Console())


def register(app: typer.Typer) -> None:
    """Hang `run` on the command."""
    app.command("run")(run)
