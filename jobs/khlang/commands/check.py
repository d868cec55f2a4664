"""`khlang check ZIP`: the receipt that the lake would give, on this machine, without Java or network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from khlang.model.receipt import Receipt


def register(app: typer.Typer) -> None:
    """Add the command `check`."""
    app.command("check")(check)


LARGE = 32 << 20
"""Inflated bytes from which on a check says what the zip and the headers tell before it looks at the rows."""

ROWS_LEFT: dict[Literal["th", "en"], str] = {
    "en": "Zip and headers were looked at, the rows not yet.",
    "th": "ตรวจไฟล์ zip และหัวคอลัมน์แล้ว ยังไม่ได้ตรวจแถวข้อมูล",
}
"""What a first look says."""


def check(
    zips: Annotated[list[Path], typer.Argument(help="zips of the 43-file standard")],
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line, for machines")] = False,
    lang: Annotated[str, typer.Option(help="th, en or th,en")] = "th,en",
    quick: Annotated[bool, typer.Option(help="the zip and the headers only, no rows")] = False,
    html: Annotated[Path | None, typer.Option("--html", help="write a page for people to this file")] = None,
) -> None:
    """Dry run, offline: what the lake would say of these zips. Exit 5: one would be rejected."""
    from khlang.commands.receipt_form import languages, screen, show
    from khlang.commands.receipts import page_at
    from khlang.errors import SettingsError
    from khlang.receipts.page import receipt_page
    from khlang.receipts.view import Heading, view_of
    from khlang.receipts.words import say

    if html is not None and len(zips) != 1:
        words = ("a page tells of one zip", "หน้าเว็บหนึ่งหน้าใช้กับ zip ไฟล์เดียว")
        raise SettingsError("html.one", *words, "--html", "name one zip")
    html, rejected, langs = page_at(html), False, languages(lang)
    for path in zips:
        for receipt in _receipts(path, quick, both=not as_json and html is None):
            rejected |= receipt.state == "rejected"
            if html is not None:
                html.write_text(receipt_page(view_of(receipt), Heading()), "utf-8")
            if as_json:
                for text in receipt.json_text():
                    typer.echo(text, nl=False)
                typer.echo("")
            elif html is not None:
                typer.echo(str(html))
            else:
                show(screen(), receipt, Heading(), langs)
                if any(member.table and member.delivered is None for member in receipt.members):
                    typer.echo(say(ROWS_LEFT, langs))
    if rejected:
        raise typer.Exit(5)


def _receipts(path: Path, quick: bool, both: bool) -> Iterator[Receipt]:
    """The receipt of a zip; of a large one, where `both` are wanted, first what its headers tell."""
    from rich.console import Console
    from rich.progress import Progress

    from khlang.conform import dry
    from khlang.settings import load

    with path.open("rb") as source:
        if quick or both:
            verdict, first = dry.first_look(source, path.name, load())
            size = sum(entry.bytes for entry in verdict.entries if entry.file is not None)
        else:
            verdict, first, size = None, None, 0
        if first is not None and (quick or first.state == "rejected" or size > LARGE):
            yield first
            if quick or first.state == "rejected":
                return
        with Progress(console=Console(stderr=True), disable=size <= LARGE, transient=True) as bar:
            task = bar.add_task("rows / แถว", total=size)
            yield dry.check(source, path.name, load(), lambda count: bar.advance(task, count), verdict)
