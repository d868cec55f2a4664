"""`khlang erase`: the right to erasure. The citizen id is asked for, it never stands in a command line."""

from __future__ import annotations

import getpass
import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from khlang.errors import NOTHING_NEW

if TYPE_CHECKING:
    from khlang.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command `erase`."""
    app.command("erase")(erase)


def erase(
    person: Annotated[
        str, typer.Option(help="a person by the pseudonym of silver, without a citizen id")
    ] = "",
    patient: Annotated[str, typer.Option(help="one patient by the pseudonym of silver (column pid)")] = "",
    cause: Annotated[str, typer.Option(help="why; no name, no number")] = "",
    asked_by: Annotated[
        str, typer.Option(help="the office through which it was asked for, no person's name")
    ] = "",
    pending: Annotated[
        bool, typer.Option(help="nobody new: complete what was cut off, look at what came since")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object for machines")] = False,
) -> None:
    """Erase a person from every zone, old versions too, with a certificate; the citizen id is read from the terminal.

    Can be cut off at any moment: --pending goes on. Exit 99: nothing to do.
    """
    from rich.console import Console

    from khlang.commands.jobs import Outcome, show
    from khlang.settings import load
    from khlang.stewardship.job import run

    settings, known = load(), set[str]()
    if not pending:
        known = _ask(settings, person, patient, cause, asked_by)
    console = Console(stderr=True, highlight=False)
    done = run(settings, known, say=lambda part: console.print(f"  {part}"))
    if as_json:
        typer.echo(json.dumps(done, default=str))
    else:
        show(Outcome("erase", dict(done) if done else None, 0.0), Console())
    raise typer.Exit(0 if done else NOTHING_NEW)


def _ask(settings: Settings, person: str, patient: str, cause: str, asked_by: str) -> set[str]:
    """Record the erasure; the citizen id, when one was told."""
    from khlang.lake.ledger import Ledger
    from khlang.stewardship.erase import ask
    from khlang.stewardship.subject import by_cid, by_pseudonym

    known: set[str] = set()
    if person or patient:
        asked = by_pseudonym(person, patient)
    else:
        asked, digits = by_cid(settings, _cid())
        known = {digits}
    with Ledger.open(settings) as ledger:
        ask(settings, ledger, asked, cause, asked_by, getpass.getuser())
    return known


def _cid() -> str:
    """The citizen id from a prompt that shows nothing, or from the standard input."""
    if sys.stdin.isatty():
        return getpass.getpass("citizen id / เลขประจำตัวประชาชน: ")
    return sys.stdin.readline()
