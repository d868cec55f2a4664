"""A receipt for people: what happened to a delivery, in Thai, English or both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PureWindowsPath
from typing import Literal

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from khlang.errors import SettingsError
from khlang.model.bangkok import in_bangkok
from khlang.model.faults import Fault, catalogue
from khlang.model.receipt import MemberReceipt, Receipt

Lang = Literal["th", "en"]
LANGS: tuple[Lang, ...] = ("th", "en")
LINES_SHOWN = 5

STATES: dict[str, dict[Lang, str]] = {
    "received": {"en": "Received, not checked yet", "th": "รับไฟล์แล้ว ยังไม่ได้ตรวจ"},
    "checked": {"en": "Accepted, waiting to be loaded", "th": "ตรวจผ่าน รอนำเข้า"},
    "loaded": {"en": "Loaded, not yet in the current state", "th": "นำเข้าแล้ว รอปรับข้อมูลปัจจุบัน"},
    "current": {"en": "Loaded and current", "th": "นำเข้าแล้วและเป็นข้อมูลปัจจุบัน"},
    "rejected": {"en": "Rejected: nothing was loaded", "th": "ไม่รับ: ไม่มีการนำเข้า"},
    "duplicate": {"en": "Sent before: nothing is loaded twice", "th": "เคยส่งแล้ว ไม่นำเข้าซ้ำ"},
    "withdrawn": {"en": "Withdrawn", "th": "ยกเลิกการส่ง"},
}
"""State of a delivery -> its words."""

DRY: dict[str, dict[Lang, str]] = {
    "checked": {"en": "Would be accepted; nothing was sent", "th": "ผ่านการตรวจ (ยังไม่ได้ส่ง)"},
    "rejected": {"en": "Would be rejected; nothing was sent", "th": "จะไม่รับ (ยังไม่ได้ส่ง)"},
}
"""What a check says that delivers nothing."""

WORDS: dict[str, dict[Lang, str]] = {
    "receipt": {"en": "Receipt", "th": "ใบรับเลขที่"},
    "zip": {"en": "Zip", "th": "ไฟล์"},
    "facility": {"en": "Facility", "th": "หน่วยบริการ"},
    "arrived": {"en": "Arrived", "th": "มาถึงเมื่อ"},
    "state": {"en": "State", "th": "สถานะ"},
    "file": {"en": "File", "th": "แฟ้ม"},
    "delivered": {"en": "Lines", "th": "จำนวนแถว"},
    "accepted": {"en": "Accepted", "th": "รับ"},
    "refused": {"en": "Refused", "th": "ไม่รับ"},
    "notes": {"en": "Notes", "th": "หมายเหตุ"},
    "what": {"en": "What was found", "th": "สิ่งที่พบ"},
    "times": {"en": "Times", "th": "ครั้ง"},
    "where": {"en": "Column and first lines", "th": "คอลัมน์และแถวแรก ๆ"},
}


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above a receipt: its number, the facility's name, the time of arrival.

    A check (no number, no arrival) delivers nothing, and says so.
    """

    number: str = ""
    facility_name: str = ""
    arrived_at: datetime | None = None


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


def say(words: dict[Lang, str], langs: Sequence[Lang], between: str = " / ") -> str:
    """A word in the languages asked for."""
    return between.join(words[lang] for lang in langs)


def sentence(fault: Fault, langs: Sequence[Lang]) -> str:
    """What is wrong and what to do, a line for each language."""
    told: dict[Lang, str] = {"en": f"{fault.en} {fault.fix_en}", "th": f"{fault.th} {fault.fix_th}"}
    return "\n".join(told[lang] for lang in langs)


def show(console: Console, receipt: Receipt, heading: Heading, langs: Sequence[Lang]) -> None:
    """Print a receipt."""
    named = f"{receipt.facility or '-'} {heading.facility_name}".strip()
    lines = {
        "receipt": heading.number,
        "zip": receipt.zip,
        "facility": named,
        "arrived": in_bangkok(heading.arrived_at) if heading.arrived_at else "",
        "state": say((STATES if heading.number else DRY)[receipt.state], langs),
    }
    for word, value in lines.items():
        if value:
            console.print(Text(f"{say(WORDS[word], langs)}: {value}"))
    if receipt.code is not None:
        console.print(Text(f"{receipt.code}\n{sentence(catalogue()[receipt.code], langs)}"))
    if receipt.members:
        console.print(_members(receipt.members, langs))
    if found := _found(receipt.members):
        console.print(_faults(found, langs))


def _members(members: Sequence[MemberReceipt], langs: Sequence[Lang]) -> Table:
    """One row per file of the zip."""
    numbers = ("delivered", "accepted", "refused")
    table = Table(Column(say(WORDS["file"], langs, "\n"), overflow="fold"))
    for word in numbers:
        table.add_column(say(WORDS[word], langs, "\n"), justify="right", no_wrap=True)
    table.add_column(say(WORDS["notes"], langs, "\n"), overflow="fold")
    for member in members:
        counts = (member.delivered, member.accepted, member.refused)
        told = ["" if count is None else f"{count:,}" for count in counts]
        table.add_row(Text(file_of(member)), *told, Text("\n".join(member.codes)))
    return table


def file_of(member: MemberReceipt) -> str:
    """The file of the standard; for what is none of it the name in the zip, without folders of either slash."""
    return member.table or PureWindowsPath(member.member).name


class _Places:
    """Where a code stands in one column of one file: how often, and the first lines."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[int] = []


_Found = dict[str, dict[tuple[str, str | None], _Places]]
"""Code -> (member, column) -> places."""


def _found(members: Sequence[MemberReceipt]) -> _Found:
    """What stands in the members, in the catalogue's order of codes."""
    places: _Found = defaultdict(lambda: defaultdict(_Places))
    for member in members:
        named = file_of(member)
        for code in member.codes:
            places[code][named, None].count += 1
        for fault in member.faults:
            place = places[fault.code][named, fault.column]
            place.count += 1
            if len(place.first) < LINES_SHOWN:
                place.first.append(fault.line)
    return {code: places[code] for code in catalogue() if code in places}


def _faults(found: _Found, langs: Sequence[Lang]) -> Table:
    """One row per code: the sentence, how often, and where it begins."""
    heads = [say(WORDS[word], langs, "\n") for word in ("what", "times", "where")]
    table = Table(heads[0], Column(heads[1], justify="right", no_wrap=True), heads[2], show_lines=True)
    for code, where in found.items():
        told = f"{code}\n{sentence(catalogue()[code], langs)}"
        times = sum(place.count for place in where.values())
        table.add_row(Text(told), f"{times:,}", Text("\n".join(_place(*item) for item in where.items())))
    return table


def _place(at: tuple[str, str | None], found: _Places) -> str:
    """`PERSON CID: 3, 8, 12 (+40)`; a whole file has no lines."""
    more = f" (+{found.count - len(found.first)})" if found.count > len(found.first) > 0 else ""
    named = " ".join(part for part in at if part)
    first = ", ".join(map(str, found.first))
    return f"{named}: {first}{more}" if first else named
