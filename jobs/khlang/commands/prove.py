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

    from khlang.prove.leaks import Proof as NoLeak
    from khlang.synth.proof import Proof

SHOWN = 20
"""Differences that are printed."""


def register(app: typer.Typer) -> None:
    """Add the commands that prove something."""
    prove = typer.Typer(help="Claims about the lake, proved with invented extracts.", no_args_is_help=True)
    prove.command("faults")(faults)
    prove.command("brute-force")(brute_force)
    prove.command("leaks")(leaks)
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


def brute_force(
    people: Annotated[int, typer.Option(help="people of the district in the stolen table")] = 80_000,
    control: Annotated[int, typer.Option(help="ids tried on the plain table")] = 80_000_000,
    candidates: Annotated[int, typer.Option(help="ids tried by each attack on the keyed table")] = 80_000_000,
    seed: Annotated[int, typer.Option(help="same seed, same people")] = 1,
    workers: Annotated[int, typer.Option(help="processes; 0: one for each core")] = 0,
) -> None:
    """Hash a district's citizen ids against stolen pseudonyms: 0 fall without the key, plain hashes all. Exit 1: no."""
    from khlang.synth.brute_force import SPACE, Stolen, Tried, cores, holds, siege

    def _say(one: Tried) -> None:
        typer.echo(
            f"{one.attack:<30} on {one.table:<14} {one.candidates:>11,} ids, {one.people:>7,} of the table among them: "
            f"{one.found:>7,} found, {one.seconds:,.1f} s"
        )

    stolen = Stolen.drawn(people, seed)
    tried = siege(stolen, min(control, SPACE), min(candidates, SPACE), workers or cores(), _say)
    proved = holds(tried)
    typer.echo("proved" if proved else "NOT proved")
    if not proved:
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


def leaks(
    persons: Annotated[int, typer.Option(help="invented persons")] = 10_000,
    seed: Annotated[int, typer.Option(help="same seed, same identifiers")] = 7,
    airflow: Annotated[
        bool, typer.Option(help="let Airflow run the jobs: its logs and database are searched too")
    ] = False,
    keep: Annotated[
        Path | None, typer.Option(help="leave the stack's home and the values in this folder")
    ] = None,
) -> None:
    """Plant identifiers in all files, run the whole chain, search every byte outside landing. Exit 1: found."""
    from khlang.commands.scan import searching
    from khlang.prove.leaks import prove

    begun = time.monotonic()
    with searching() as say:
        proof = prove(persons, seed, airflow, keep, typer.echo, say)
    _show_leaks(proof, time.monotonic() - begun)
    if proof.report.counts or proof.report.unread:
        raise typer.Exit(1)


def _show_leaks(proof: NoLeak, seconds: float) -> None:
    """What was planted, what was searched, every place where something was found."""
    from rich.console import Console
    from rich.table import Column, Table

    planted = Table("kind", Column("values", justify="right"), title="searched for")
    for kind, count in proof.kinds.items():
        planted.add_row(kind, f"{count:,}")
    Console().print(planted)
    for one in proof.found:
        typer.echo(
            f"FOUND {one.place}: {one.kind}: {one.count:,} times, {one.values:,} values, mark {one.mark}"
        )
    for place, why in sorted(proof.report.unread.items()):
        typer.echo(f"not read: {place} ({why})")
    totals = proof.report.totals
    typer.echo(
        f"{proof.persons:,} persons, {proof.zips:,} zips; {sum(proof.kinds.values()):,} values in "
        f"{totals['bytes']:,} bytes of {totals['sources']:,} sources; {len(proof.report.undecoded)} not unpacked "
        f"(bytes searched); {seconds:.0f} s"
    )
    wrong = len({one.place for one in proof.found})
    typer.echo("proved: 0 found" if not wrong else f"NOT proved: found in {wrong} places")
