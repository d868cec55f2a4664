"""`khlang prove`: claims about the lake, proved on this machine with invented extracts."""

from __future__ import annotations

import os
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from khlang.synth.proof import Proof

SHOWN = 20
"""Differences that are printed."""


def register(app: typer.Typer) -> None:
    """Add the commands that prove something."""
    prove = typer.Typer(help="Claims about the lake, proved with invented extracts.", no_args_is_help=True)
    prove.command("faults")(faults)
    prove.command("text")(text)
    app.add_typer(prove, name="prove")


def faults(
    facilities: Annotated[int, typer.Option(help="number of invented facilities")] = 1000,
    months: Annotated[int, typer.Option(help="months of deliveries")] = 1,
    persons: Annotated[int, typer.Option(help="mean catchment population of a facility")] = 60,
    seed: Annotated[int, typer.Option(help="same seed, same extracts")] = 1,
    workers: Annotated[int, typer.Option(help="processes; 0: one for each core")] = 0,
) -> None:
    """Plant faults of every class in invented extracts, check every zip, compare each place. Exit 1: one differs."""
    from rich.console import Console

    from khlang.synth.plan import Plan
    from khlang.synth.proof import prove

    plan = Plan(facilities, months, persons, date(2026, 9, 1), seed, "many")
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="khlang-prove-") as folder:
        proof = prove(plan, Path(folder), workers or len(os.sched_getaffinity(0)), typer.echo)
    Console().print(_table(proof))
    for line in _summary(proof, time.monotonic() - begun):
        typer.echo(line)
    for difference in proof.differences[:SHOWN]:
        typer.echo(difference)
    if not proof.holds:
        raise typer.Exit(1)


def text(
    notes: Annotated[int, typer.Option(help="held-out notes; half as many tuning notes")] = 20_000,
    seed: Annotated[int, typer.Option(help="same seed, same notes")] = 1,
    spellings: Annotated[int, typer.Option(help="notes for each spelling of ids and phones")] = 1000,
    report: Annotated[Path | None, typer.Option(help="page to write; .html or Markdown")] = None,
    speed: Annotated[
        bool, typer.Option("--speed", help="texts per second instead, beside plain Presidio")
    ] = False,
    extracts: Annotated[
        Path | None, typer.Option(help="folder of zips for --speed; none: invented ones")
    ] = None,
) -> None:
    """Clear invented notes of identifiers and count what is left, beside plain Presidio. Exit 1: a figure is missed."""
    if speed:
        return _speed(extracts, seed)
    from khlang.synth.texts.proof import prove
    from khlang.synth.texts.report import html, markdown, verdicts

    proof = prove(notes, seed, spellings, typer.echo)
    if report is not None:
        page = html if report.suffix == ".html" else markdown
        report.write_text(page(proof), encoding="utf-8")
    for row in verdicts(proof):
        typer.echo("  ".join(row))
    if not proof.holds:
        raise typer.Exit(1)
    return None


def _speed(extracts: Path | None, seed: int) -> None:
    """Texts per second of processor time, on the zips of a folder or on invented ones."""
    from khlang.synth import job
    from khlang.synth.plan import Plan
    from khlang.synth.texts.speed import measured, mix_of

    with tempfile.TemporaryDirectory(prefix="khlang-prove-") as folder:
        if extracts is None:
            job.run(Plan(12, 1, 2000, date(2026, 9, 1), seed, "none"), Path(folder), typer.echo)
        told = measured(mix_of(extracts or Path(folder)))
    typer.echo(
        f"{told.texts:,} texts, {told.distinct:,} distinct: {told.ours:,.0f} texts/s/core; plain Presidio "
        f"{told.theirs:,.0f}; ratio {told.ours / told.theirs:.1f}"
    )


def _table(proof: Proof) -> Table:
    """One row per code."""
    from rich.table import Column, Table

    figures = ("planted", "found", "missed", "others")
    table = Table("code", *(Column(name, justify="right") for name in figures))
    for line in proof.codes:
        others = "" if line.others is None else f"{line.others:,}"
        table.add_row(line.code, f"{line.planted:,}", f"{line.found:,}", f"{line.missed:,}", others)
    return table


def _summary(proof: Proof, seconds: float) -> list[str]:
    """The balance and the verdict."""
    classes = sum(line.planted > 0 for line in proof.codes)
    return [
        f"{proof.zips:,} zips, {proof.members:,} files: {proof.delivered:,} lines = {proof.accepted:,} accepted + "
        f"{proof.refused:,} refused; files that do not balance: {proof.unbalanced}",
        f"{classes} classes of faults planted; clean rows held back: {proof.held_back}; {seconds:.0f} s",
        "proved" if proof.holds else f"NOT proved: {len(proof.differences):,} differences",
    ]
