"""`khlang again`: read deliveries once more from landing, with the contracts, codes and names as they are now."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

CHAIN = ("bronze", "silver", "gold", "publish")


def register(app: typer.Typer) -> None:
    """Add the command `again`."""
    app.command("again")(again)


def again(
    wanted: Annotated[
        list[str], typer.Argument(help="receipts, or HOSPCODE/YYYY-MM: all that a facility told of a month")
    ],
    now: Annotated[bool, typer.Option(help="run bronze, silver, gold and publish at once")] = False,
) -> None:
    """Ask for deliveries to be read again: the next run of ingest takes them, or this command with --now.

    Only rows that come out otherwise are added, as their next pass; bronze keeps what it had.
    """
    from khlang.lake.ledger import Ledger
    from khlang.settings import load

    with Ledger.open(load()) as ledger:
        receipts = ledger.ask_again(wanted, getpass.getuser())
        ledger.audit(getpass.getuser(), "again", " ".join(wanted)[:200])
    for receipt in receipts:
        typer.echo(receipt)
    typer.echo(f"{len(receipts)} will be read again / จะอ่านใหม่ {len(receipts)} ชุด")
    if now:
        _run()


def _run() -> None:
    """The jobs in their order; one that finds nothing new does not stop the others."""
    from rich.console import Console

    from khlang.commands.jobs import run_job, show
    from khlang.settings import load

    for job in CHAIN:
        show(run_job(job, load()), Console())
