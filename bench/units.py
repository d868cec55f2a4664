"""Invented extracts -> units: a small station's members, cut open where the ids of its people stand.

A unit is printed again and again with other ids: thousands of zips of every size from a few invented ones,
each with persons of its own, as a country sends them. Everything in them is invented (khlang.synth).
"""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from khlang.conform.naming import file_of
from khlang.model.contract import Column, Contract, contracts
from khlang.model.policy import policy
from khlang.synth.identity import check_digit, scattered
from khlang.synth.job import run
from khlang.synth.plan import Plan

FACILITY, FACILITY9, LOCAL, UPDATED = b"\x01H", b"\x01G", b"\x01U", b"\x01D"
"""Marks in a unit's lines: the facility's two codes, an id that the facility gave, the row's time of change."""

CID = re.compile(rb"\x01C([0-9]{5});")
_SAFE = re.compile(rb"[0-9]{13}")
_PREFIX = 3  # digits that tell the copies of a unit in one zip apart


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a unit: its header, its lines cut at the ids of persons, and which person each cut is."""

    header: bytes
    pieces: tuple[bytes, ...]
    persons: tuple[int, ...]
    rows: int

    def with_lines(self, other: Member) -> Member:
        """The lines of both, when their headers are equal; else this one."""
        if other.header != self.header:
            return self
        joined = (*self.pieces[:-1], self.pieces[-1] + other.pieces[0], *other.pieces[1:])
        return Member(self.header, joined, self.persons + other.persons, self.rows + other.rows)


@dataclass(frozen=True, slots=True)
class Unit:
    """The members of one invented zip by file of the standard; `kinds` holds its persons' first three digits."""

    members: dict[str, Member]
    kinds: tuple[int, ...]

    @property
    def rows(self) -> int:
        """Rows of all members."""
        return sum(member.rows for member in self.members.values())

    @property
    def layout(self) -> bytes:
        """What tells layouts apart: the header of the commonest file."""
        member = self.members.get("SERVICE")
        return member.header if member else b""

    def print(self, copy: int, hospcode: str, soul: int, updated: str) -> dict[str, bytes]:
        """File -> its lines with the ids of one copy: `soul` is the first of its persons' running numbers."""
        running = scattered(np.arange(soul, soul + len(self.kinds)), 9, 0)
        twelve = np.array(self.kinds, np.int64) * 10**9 + running
        cids = [b"%013d" % number for number in (twelve * 10 + check_digit(twelve)).tolist()]
        code, prefix = hospcode.encode(), b"%0*d" % (_PREFIX, copy)
        lines = {}
        for file, member in self.members.items():
            woven: list[bytes] = [b""] * (2 * len(member.pieces) - 1)
            woven[::2], woven[1::2] = member.pieces, [cids[person] for person in member.persons]
            text = b"".join(woven).replace(FACILITY, code).replace(FACILITY9, b"AA00" + code)
            lines[file] = text.replace(LOCAL, prefix).replace(UPDATED, updated.encode())
        return lines


def units(folder: Path, persons: int, facilities: int, months: int, seed: int) -> list[Unit]:
    """Units of an invented set, planted faults included; made under `folder`, then removed.

    A unit is all that a facility sent in these months: the registers of its persons come with the visits (a zip
    without them would be all orphans, and names would cost nothing).
    """
    run(Plan(facilities=facilities, months=months, persons=persons, seed=seed), folder)
    sent: dict[str, dict[str, Path]] = {}
    for path in sorted((folder / "inbox").rglob("F43_*.zip")):
        if zipfile.is_zipfile(path):
            sent.setdefault(path.stem[4:9], {}).setdefault(path.stem[10:16], path)
    found = [_unit(list(zips.values())) for zips in sent.values()]
    shutil.rmtree(folder)
    return [unit for unit in found if "PERSON" in unit.members]


def _unit(zips: Sequence[Path]) -> Unit:
    """The members of a facility's zips; of one file those that have the first one's header."""
    members: dict[str, Member] = {}
    known: dict[bytes, int] = {}
    for path in zips:
        with zipfile.ZipFile(path) as zipped:
            for name in zipped.namelist():
                file = file_of(name)
                member = _member(zipped.read(name), contracts()[file], known) if file is not None else None
                if file is not None and member is not None:
                    members[file] = members[file].with_lines(member) if file in members else member
    return Unit(members, tuple(int(cid[:3]) for cid in known))


def _member(body: bytes, contract: Contract, known: dict[bytes, int]) -> Member | None:
    """A member's bytes with marks in place of ids; None when it has no header in plain UTF-8 or no rows."""
    header, _, rest = body.replace(b"\r\n", b"\n").partition(b"\n")
    if b"|" not in header or not header.isascii():
        return None
    names = [name.strip().upper() for name in header.decode().split("|")]
    columns = {column.name: column for column in contract.columns}
    fields = [columns.get(name) for name in names]
    lines = [line for line in rest.split(b"\n") if line.strip()]
    marked = b"".join(_marked(line.split(b"|"), fields, known) + b"\n" for line in lines)
    cut = CID.split(marked)
    if not lines:
        return None
    return Member(header + b"\n", tuple(cut[::2]), tuple(int(n) for n in cut[1::2]), len(lines))


def _marked(values: list[bytes], fields: Sequence[Column | None], known: dict[bytes, int]) -> bytes:
    """One line; a line of another width is left as it is (a planted fault)."""
    if len(values) != len(fields):
        return b"|".join(values)
    return b"|".join(
        value if column is None or not value.strip() else _mark(value, column, known)
        for value, column in zip(values, fields, strict=True)
    )


def _mark(value: bytes, column: Column, known: dict[bytes, int]) -> bytes:
    """What stands for a value in the template: ids of persons, facilities and local ids are printed anew."""
    if column.name == "HOSPCODE":
        return FACILITY
    if column.name == "HOSPCODE9":
        return FACILITY9
    if column.name == "D_UPDATE":
        return UPDATED if len(value) == 14 else value
    if column.domain is None or policy("lake").action(column) != "pseudonym":
        return value
    if column.domain == "person" and _SAFE.fullmatch(value):
        if int(value[12:]) != check_digit(np.array([int(value[:12])]))[0]:
            return value
        return b"\x01C%05d;" % known.setdefault(value, len(known))
    if policy("lake").local_domains[column.domain]:
        room = (column.width or 15) - _PREFIX
        return LOCAL + value[-room:]
    return value
