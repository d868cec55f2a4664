"""khlang custody: who is behind one pseudonym, when enough custodians agree; off unless KHLANG_CUSTODY says so."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from khlang.errors import PrivacyError, SettingsError

Number = Annotated[str, typer.Argument(help="number of the request")]


def register(app: typer.Typer) -> None:
    """Add the commands of custody."""
    custody = typer.Typer(help="Trace one pseudonym back, k of n custodians agreeing.", no_args_is_help=True)
    for command in (deal, ask, approve, open_):
        custody.command(command.__name__.rstrip("_"))(command)
    app.add_typer(custody, name="custody")


def deal(
    custodians: Annotated[int, typer.Option(help="how many shares")] = 3,
    threshold: Annotated[int, typer.Option(help="how many of them it takes")] = 2,
) -> None:
    """Deal the shares anew: each is shown once, on the terminal; those dealt before approve nothing any more."""
    from khlang.lake.custody import deal as dealt
    from khlang.settings import load

    _terminal()
    for share in dealt(load(), custodians, threshold, getpass.getuser()):
        typer.echo(share)
    typer.echo("each custodian writes down one line; none is kept here")


def ask(
    pseudonym: Annotated[str, typer.Argument(help="person_key, as silver has it")],
    purpose: Annotated[str, typer.Option(help="why; it is kept, so no name in it")],
    minutes: Annotated[int, typer.Option(help="how long custodians have")] = 60,
) -> None:
    """Ask who a pseudonym is; prints the request's number for the custodians."""
    from khlang.lake.custody import ask as asked
    from khlang.lake.traced import version_of
    from khlang.model.bangkok import clock
    from khlang.settings import load

    version_of(pseudonym)
    request = asked(load(), pseudonym, purpose, minutes, getpass.getuser())
    typer.echo(f"{request.id}: {request.deal.threshold} custodians, until {clock(request.until)}")


def approve(number: Number) -> None:
    """A custodian's yes: the share is typed unseen, or comes from standard input."""
    from khlang.lake.custody import approve as approved
    from khlang.lake.ledger import Ledger
    from khlang.settings import load

    settings = load()
    if sys.stdin.isatty():
        with Ledger.open(settings) as ledger:
            asked = ledger.request(number)
        typer.echo(f"{asked.asked_by} asks who {asked.pseudonym} is: {asked.purpose}")
    share = getpass.getpass("share: ") if sys.stdin.isatty() else sys.stdin.readline()
    count, needed = approved(settings, number, share, getpass.getuser())
    typer.echo(f"{number}: {count} of {needed}")


def open_(number: Number) -> None:
    """Show the person's citizen id once, on the terminal, when enough custodians approved in time. Exit 4: not."""
    from khlang.lake.custody import unlock
    from khlang.lake.ledger import Ledger
    from khlang.lake.traced import person_of
    from khlang.settings import load

    _terminal()
    settings, actor = load(), getpass.getuser()
    pseudonym = unlock(settings, number, actor).pseudonym
    found = person_of(settings, pseudonym)
    with Ledger.open(settings) as ledger:
        ledger.told(actor, number, found is not None)
    if found is None:
        words = ("landing holds nobody with this pseudonym", "ไม่พบบุคคลนี้ในข้อมูลต้นทาง")
        raise SettingsError(
            "custody.nobody", *words, number, "was the person erased, or the lake's key lost?"
        )
    typer.echo(found)


def _terminal() -> None:
    """Secrets are shown to a person, never to a file or a log."""
    if not sys.stdout.isatty():
        words = ("this is shown on a terminal only", "แสดงผลบนหน้าจอเท่านั้น")
        raise PrivacyError("custody.terminal", *words, "standard output", "run it by hand, without a pipe")
