"""A receipt for people: what happened to a delivery, in Thai, English or both."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from khlang.errors import SettingsError
from khlang.model.bangkok import in_bangkok
from khlang.model.faults import Fault
from khlang.model.receipt import Receipt
from khlang.receipts.view import FileLines, Finding, Heading, Place, view_of
from khlang.receipts.words import DRY, LANGS, STATES, WORDS, Lang, say

COUNTS = ("delivered", "accepted", "refused", "repaired")

NAME_WIDTH = 19
"""The longest name of a file of the standard: on a terminal of 80 columns it is never cut."""


def screen() -> Console:
    """The terminal; where the output goes to a file, wide enough for a receipt number not to be cut."""
    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, 120))


def languages(asked: str) -> list[Lang]:
    """`th`, `en` or `th,en` -> the languages, Thai first; anything else is refused."""
    words = {word.strip() for word in asked.split(",")}
    if not words <= set(LANGS):
        told = ("no such language", "ไม่มีภาษานี้")
        raise SettingsError("lang.unknown", *told, "--lang", "--lang th, --lang en or --lang th,en")
    return [lang for lang in LANGS if lang in words]


def sentence(fault: Fault, langs: Sequence[Lang]) -> str:
    """What is wrong and what to do, a line for each language."""
    told: dict[Lang, str] = {"en": f"{fault.en} {fault.fix_en}", "th": f"{fault.th} {fault.fix_th}"}
    return "\n".join(told[lang] for lang in langs)


def show(console: Console, receipt: Receipt, heading: Heading, langs: Sequence[Lang]) -> None:
    """Print a receipt."""
    view = view_of(receipt)
    named = f"{view.facility or '-'} {heading.facility_name}".strip()
    lines = {
        "receipt": heading.number,
        "zip": view.zip,
        "facility": named,
        "arrived": in_bangkok(heading.arrived_at) if heading.arrived_at else "",
        "state": say((STATES if heading.number else DRY)[view.state], langs),
    }
    for word, value in lines.items():
        if value:
            console.print(Text(f"{say(WORDS[word], langs)}: {value}"))
    if view.refusal is not None:
        console.print(Text(f"{view.code}\n{sentence(view.refusal, langs)}"))
    if view.files:
        console.print(_files(view.files, langs))
    if view.findings:
        console.print(_findings(view.findings, langs))


def _files(files: Sequence[FileLines], langs: Sequence[Lang]) -> Table:
    """One row per file of the zip."""
    whole = all(len(file.file) <= NAME_WIDTH for file in files)
    table = Table(Column(say(WORDS["file"], langs, "\n"), overflow="fold", no_wrap=whole))
    for word in COUNTS:
        table.add_column(say(WORDS[word], langs, "\n"), justify="right", no_wrap=True)
    table.add_column(say(WORDS["notes"], langs, "\n"), overflow="fold")
    for file in files:
        told = [figure(getattr(file, word)) for word in COUNTS]
        table.add_row(Text(file.file), *told, Text("\n".join(file.codes)))
    return table


def figure(count: int | None) -> str:
    """`1,234`; nothing while nobody has counted."""
    return "" if count is None else f"{count:,}"


def _findings(findings: Sequence[Finding], langs: Sequence[Lang]) -> Table:
    """One row per code: the sentence, how often, and where it begins."""
    heads = [say(WORDS[word], langs, "\n") for word in ("what", "times", "where")]
    table = Table(heads[0], Column(heads[1], justify="right", no_wrap=True), heads[2], show_lines=True)
    for finding in findings:
        told = f"{finding.code}\n{sentence(finding.fault, langs)}"
        places = [
            _place(place, say(WORDS["key"], langs) if finding.refuses(place) else "")
            for place in finding.places
        ]
        table.add_row(Text(told), f"{finding.times:,}", Text("\n".join(places)))
    return table


def _place(place: Place, note: str) -> str:
    """`PERSON CID: 3, 8, 12 (+40)`, and a note; a whole file has no lines."""
    named = " ".join(part for part in (place.file, place.column) if part)
    more = f" (+{place.more:,})" if place.more else ""
    told = f"{named}: {', '.join(map(str, place.lines))}{more}" if place.lines else named
    return f"{told}\n({note})" if note else told
