"""A receipt in few lines, however many faults it has: per file the counts, per code how often and where it begins."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PureWindowsPath
from typing import Any

from khlang.model.contract import contracts
from khlang.model.faults import Fault, catalogue
from khlang.model.receipt import MemberReceipt, Receipt

LINES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above a receipt: its number, the facility's name, the time of arrival.

    A check (no number, no arrival) delivers nothing, and says so.
    """

    number: str = ""
    facility_name: str = ""
    arrived_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FileLines:
    """One file of the zip. `repaired`: rows in which a value was put right, the same for check and lake.

    The counts are None while nobody has read its rows.
    """

    file: str
    delivered: int | None
    accepted: int | None
    refused: int | None
    repaired: int | None
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a fault stands: file, column (None: the row's or the file's own), first lines, and how many more."""

    file: str
    column: str | None
    lines: tuple[int, ...]
    more: int

    @property
    def in_key(self) -> bool:
        """Whether the column is part of the row's key: there a value that is left blank refuses the row."""
        contract = contracts().get(self.file)
        return contract is not None and self.column in contract.key


@dataclass(frozen=True, slots=True)
class Finding:
    """One code: how often it was found, and its places."""

    code: str
    times: int
    places: tuple[Place, ...]

    @property
    def fault(self) -> Fault:
        """Its words."""
        return catalogue()[self.code]

    def refuses(self, place: Place) -> bool:
        """Whether a value that is only left blank elsewhere refuses the row here (faults: a void value in a key)."""
        return self.fault.effect == "void" and place.in_key


@dataclass(frozen=True, slots=True)
class View:
    """What a page shows of a receipt; small enough to be kept beside an upload."""

    zip: str
    facility: str | None
    state: str
    code: str | None
    files: tuple[FileLines, ...]
    findings: tuple[Finding, ...]

    @property
    def refusal(self) -> Fault | None:
        """The words of the code that refuses the whole zip."""
        return catalogue()[self.code] if self.code else None

    @property
    def totals(self) -> FileLines:
        """All files together; a number that no file has is None."""

        def _sum(counts: Iterable[int | None]) -> int | None:
            known = [count for count in counts if count is not None]
            return sum(known) if known else None

        names = ("delivered", "accepted", "refused", "repaired")
        counts = {name: _sum(getattr(each, name) for each in self.files) for name in names}
        return FileLines("", **counts, codes=())


def view_of(receipt: Receipt) -> View:
    """The few lines of a receipt; one pass over its faults, which may be many."""
    files: list[FileLines] = []
    told: _Told = defaultdict(lambda: defaultdict(_Lines))
    for member in receipt.members:
        name = file_of(member)
        for code in member.codes:
            told[code][(name, None)].add(0)
        files.append(_file(member, name, told, faults_known=receipt.state != "withdrawn"))
    findings = tuple(_finding(code, told[code]) for code in catalogue() if code in told)
    return View(receipt.zip, receipt.facility, receipt.state, receipt.code, tuple(files), findings)


def file_of(member: MemberReceipt) -> str:
    """The file of the standard; for what is none of it the name in the zip, without folders of either slash."""
    return member.table or PureWindowsPath(member.member).name


def view_from(kept: Mapping[str, Any]) -> View:
    """A view that was kept as JSON (`dataclasses.asdict`)."""
    files = (FileLines(**{**each, "codes": tuple(each["codes"])}) for each in kept["files"])
    findings = (
        Finding(
            each["code"],
            each["times"],
            tuple(Place(**{**place, "lines": tuple(place["lines"])}) for place in each["places"]),
        )
        for each in kept["findings"]
    )
    return View(**{**kept, "files": tuple(files), "findings": tuple(findings)})


class _Lines:
    """How often something was found, and the first lines of it."""

    __slots__ = ("first", "times")

    def __init__(self) -> None:
        self.times, self.first = 0, list[int]()

    def add(self, line: int) -> None:
        """Count one; they come in order of lines, and line 0 is the whole file."""
        self.times += 1
        if line and len(self.first) < LINES_SHOWN:
            self.first.append(line)


_Told = dict[str, dict[tuple[str, str | None], _Lines]]
"""Code -> (file, column) -> lines."""


def _file(member: MemberReceipt, name: str, told: _Told, faults_known: bool) -> FileLines:
    """A member's counts; its faults are told by code on the way."""
    put_right, repaired, last = _repairs(), 0, 0
    for fault in member.faults:  # in order of lines
        told[fault.code][(name, fault.column)].add(fault.line)
        if fault.code in put_right and fault.line != last:
            repaired, last = repaired + 1, fault.line
    rows = repaired if faults_known and member.delivered is not None else None
    return FileLines(name, member.delivered, member.accepted, member.refused, rows, member.codes)


def _repairs() -> frozenset[str]:
    return frozenset(code for code, fault in catalogue().items() if fault.effect == "repair")


def _finding(code: str, where: dict[tuple[str, str | None], _Lines]) -> Finding:
    places = tuple(
        Place(file, column, tuple(lines.first), lines.times - len(lines.first) if lines.first else 0)
        for (file, column), lines in where.items()
    )
    return Finding(code, sum(lines.times for lines in where.values()), places)
