"""`khlang synth`: invented extracts, obviously fake, made from the contracts."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from khlang.synth.plan import Plan


class Faults(StrEnum):
    """How many faults are planted."""

    none = "none"
    some = "some"
    many = "many"


DEFAULTS = Plan()


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("synth", help="Invented extracts, obviously fake · ข้อมูลสมมุติ")(synth)


def synth(
    out: Annotated[Path, typer.Argument(help="folder to write: facilities.csv, inbox/, truth/")],
    facilities: Annotated[int, typer.Option(help="number of facilities")] = DEFAULTS.facilities,
    months: Annotated[int, typer.Option(help="months of deliveries")] = DEFAULTS.months,
    persons: Annotated[int, typer.Option(help="mean catchment population of a facility")] = DEFAULTS.persons,
    start: Annotated[datetime, typer.Option(formats=["%Y-%m"], help="first month")] = datetime(2026, 7, 1),
    seed: Annotated[int, typer.Option(help="same seed, same bytes")] = DEFAULTS.seed,
    faults: Annotated[Faults, typer.Option(help="planted faults")] = Faults.some,
) -> None:
    """Write a set of invented extracts and the truth about it."""
    from khlang.synth import job  # with polars: `khlang --help` does not wait for it

    plan = Plan(facilities, months, persons, start.date(), seed, faults.value)
    counts = job.run(plan, out, progress=typer.echo)
    width = max(map(len, counts))
    for file, rows in counts.items():
        typer.echo(f"{file:<{width}} {rows:>10,}")
    typer.echo(f"{'total':<{width}} {sum(counts.values()):>10,}")
