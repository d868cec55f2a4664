"""`khlang check ZIP`: the receipt that the lake would give, on this machine, without Java or network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command `check`."""
    app.command("check")(check)


def check(
    zips: Annotated[list[Path], typer.Argument(help="zips of the 43-file standard")],
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line, for machines")] = False,
    lang: Annotated[str, typer.Option(help="th, en or th,en")] = "th,en",
) -> None:
    """Dry run, offline: what the lake would say of these zips. Exit 5: one would be rejected."""
    from khlang.commands.receipt_form import Heading, languages, screen, show
    from khlang.conform.dry import check as conform_zip
    from khlang.settings import load

    rejected, langs = False, languages(lang)
    for path in zips:
        with path.open("rb") as source:
            receipt = conform_zip(source, path.name, load())
        rejected |= receipt.state == "rejected"
        if as_json:
            for text in receipt.json_text():
                typer.echo(text, nl=False)
            typer.echo("")
            continue
        show(screen(), receipt, Heading(), langs)
    if rejected:
        raise typer.Exit(5)
