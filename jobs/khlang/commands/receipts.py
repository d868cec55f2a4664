"""khlang receipt, receipts: what happened to a delivery, and to all deliveries of a facility."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from khlang.errors import SettingsError

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from khlang.lake.ledger import SentZip

Json = Annotated[bool, typer.Option("--json", help="for machines")]
Html = Annotated[Path | None, typer.Option("--html", help="write a page for people to this file, to print")]


def page_at(html: Path | None) -> Path | None:
    """The file for a page: one that is called .html, so that no zip is ever written over."""
    if html is not None and html.suffix.lower() not in (".html", ".htm"):
        words = ("a page is written to a file called .html", "ชื่อไฟล์สำหรับหน้าเอกสารต้องลงท้ายด้วย .html")
        raise SettingsError(
            "html.name", *words, html.name, "nothing was written: name the page first, then the zip"
        )
    return html


def register(app: typer.Typer) -> None:
    """Add the commands of receipts."""
    app.command("receipt")(receipt)
    app.command("receipts")(receipts)


def receipt(
    number: Annotated[str, typer.Argument(help="the number that `khlang deliver` printed")],
    lang: Annotated[str, typer.Option(help="th, en or th,en")] = "th,en",
    as_json: Json = False,
    html: Html = None,
) -> None:
    """What happened to a delivery: state, files, lines, and every fault with its line and column."""
    from khlang.commands.receipt_form import languages, screen, show
    from khlang.lake.ledger import Ledger
    from khlang.model.facility import title
    from khlang.receipts.lake import receipt_of
    from khlang.receipts.page import receipt_page
    from khlang.receipts.view import Heading, view_of
    from khlang.settings import load

    langs = languages(lang)
    html, settings = page_at(html), load()
    with Ledger.open(settings) as ledger:
        delivery = ledger.delivery(number)
        members = ledger.members([number])
        name = title(delivery.hospcode or "", {one.hospcode: one for one in ledger.facilities()})
    told = receipt_of(settings, delivery, members)
    heading = Heading(delivery.receipt, name, delivery.arrived_at)
    if html is not None:
        html.write_text(receipt_page(view_of(told), heading), "utf-8")
    if as_json:
        for text in told.json_text():
            typer.echo(text, nl=False)
        typer.echo("")
    elif html is None:
        show(screen(), told, heading, langs)
    else:
        typer.echo(str(html))


def receipts(
    hospcode: Annotated[str, typer.Argument(help="the facility's code of five digits")],
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line, for machines")] = False,
    html: Html = None,
) -> None:
    """What a facility sent, newest first: state, files, lines, code and receipt number of each delivery."""
    from khlang.commands.receipt_form import screen
    from khlang.lake.ledger import Ledger
    from khlang.receipts.page import list_page
    from khlang.settings import load

    html = page_at(html)
    with Ledger.open(load()) as ledger:
        sents = ledger.sent_by(hospcode)
        facility = ledger.registered([hospcode]).get(hospcode)
    if html is not None:
        html.write_text(list_page(hospcode, facility, sents), "utf-8")
    if as_json:
        for sent in sents:
            typer.echo(json.dumps(_as_json(sent), ensure_ascii=False))
    elif html is None:
        screen().print(sent_table(sents))
    else:
        typer.echo(str(html))


def _as_json(sent: SentZip) -> dict[str, Any]:
    """What `receipts --json` says of a delivery."""
    delivery = sent.delivery
    return {
        "receipt": delivery.receipt, "zip": delivery.name, "facility": delivery.hospcode,
        "arrived_at": delivery.arrived_at.isoformat(timespec="seconds"), "state": delivery.state,
        "code": delivery.code, "duplicate_of": delivery.duplicate_of, "files": sent.files,
        "delivered": sent.delivered, "accepted": sent.accepted, "refused": sent.refused,
    }  # fmt: skip


def sent_table(sents: Sequence[SentZip]) -> RichTable:
    """Deliveries, a row each."""
    from rich.table import Column, Table

    from khlang.commands.receipt_form import figure
    from khlang.model.bangkok import clock
    from khlang.receipts.words import LANGS, STATES, WORDS, say

    words = ("receipt", "arrived", "state", "files", "delivered", "accepted", "refused")
    table = Table(*(Column(say(WORDS[word], LANGS, "\n"), no_wrap=word != "state") for word in words))
    for sent in sents:
        delivery = sent.delivery
        state = "\n".join(filter(None, (say(STATES[delivery.state], LANGS, "\n"), delivery.code)))
        counts = (sent.files or None, sent.delivered, sent.accepted, sent.refused)
        arrived = clock(delivery.arrived_at).replace(" ", "\n", 1)
        table.add_row(delivery.receipt, arrived, state, *map(figure, counts))
    return table
