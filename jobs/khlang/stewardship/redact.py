"""A delivery as received -> the zip that landing keeps instead, and what that changes in bronze."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import BinaryIO

import polars as pl

from khlang.conform.conform import Rules
from khlang.conform.directory import Directory
from khlang.conform.member import Member
from khlang.conform.naming import file_of
from khlang.conform.stream import PIECE_BYTES, Read, Survey
from khlang.conform.text.names import Names
from khlang.conform.unpack import Unpacked, verify
from khlang.lake.ledger import Delivery
from khlang.model.contract import Contract, contracts
from khlang.settings import Settings
from khlang.stewardship.compare import Changes, Sides, compared, moved
from khlang.stewardship.lines import Shape
from khlang.stewardship.needle import Needle
from khlang.stewardship.rewrite import MOVED
from khlang.stewardship.rezip import Member as Packed
from khlang.stewardship.rezip import Remade

UNREADABLE = frozenset({"zip.unreadable", "zip.encrypted", "zip.bomb", "zip.path"})
"""Codes of zips whose members nobody can look at: they are shredded whole."""

NOBODYS = "00000"
"""Facility of a zip that names none."""

_PACKED = (
    b"PK\x03\x04",
    b"%PDF",
    b"\x1f\x8b",
    b"\xd0\xcf\x11\xe0",
    b"7z\xbc\xaf",
    b"Rar!",
    b"BZh",
    b"\xfd7zXZ",
)
"""First bytes of files whose text is packed: a search can not say that it is not in them."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How members are read: the lake's rules by contract, the names of everybody else, the ids searched for."""

    settings: Settings
    rules: Callable[[Contract], Rules]
    thinner: Names
    needle: Needle

    def sides(self, file: str) -> Sides:
        """One file with the erased persons and without."""
        return Sides.of(self.rules(contracts()[file]), self.thinner)


Moved = dict[str, list[pl.DataFrame]]
"""File -> the faults that its edited lines lose and gain."""


@dataclass(frozen=True, slots=True)
class Redacted:
    """A zip without the erased persons; `moved`: by file, the faults of the edited lines."""

    zip: Remade
    moved: Moved


def readable(source: BinaryIO, delivery: Delivery, settings: Settings) -> bool:
    """Whether the members of a delivery can be looked at."""
    name = delivery.name if delivery.hospcode else f"F43_{NOBODYS}_20000101000000.zip"
    return verify(source, name, settings).code not in UNREADABLE


def redacted(source: BinaryIO, delivery: Delivery, reading: Reading) -> Redacted | None:
    """The delivery without the erased persons, None when nothing in it is theirs.

    `source` must stay open as long as the result is read. Raises StoreError erasure.differs.
    """
    unpacked = Unpacked(source, reading.settings)
    directory = Directory(source, reading.settings)
    places = {item.header_offset: number for number, item in enumerate(directory.files, 1)}
    reads: dict[int, Read] = {
        n: partial(_body, unpacked, n, item.file_size) for n, item in _numbered(directory)
    }
    found: dict[int, Read] = {}
    told: Moved = {}
    for number, item in _numbered(directory):
        file = file_of(item.filename)
        changed = (
            _known(delivery, number, reads[number], reading.sides(file), reading.needle, told, file)
            if file
            else _unknown(reads[number], reading.needle)
        )
        if changed is not None:
            found[number] = changed
    names = {item.header_offset: reading.needle.cut_out(item.filename, "ERASED") for item in directory.items}
    named = any(names[item.header_offset] != item.filename for item in directory.items)
    comment = directory.zip.comment
    if reading.needle.stands_in(comment):
        comment, named = b"", True
    if not found and not named:
        return None
    for number, item in _numbered(directory):
        if number not in found and not file_of(item.filename) and _is_packed(reads[number]):
            found[number] = _nothing
    packed: list[Packed] = []
    for item in directory.items:
        shown = _renamed(item, names[item.header_offset])
        number = places.get(item.header_offset, 0)
        packed.append((shown, found.get(number, reads.get(number, _nothing))))
    return Redacted(Remade(packed, comment), told)


def _numbered(directory: Directory) -> Iterator[tuple[int, zipfile.ZipInfo]]:
    return enumerate(directory.files, 1)


def _body(unpacked: Unpacked, number: int, size: int) -> Iterator[bytes]:
    """A member's bytes; a small one at once."""
    return iter([unpacked.body(number)]) if size <= PIECE_BYTES else unpacked.pieces(number)


def _nothing() -> Iterator[bytes]:
    return iter(())


def _renamed(item: zipfile.ZipInfo, name: str) -> zipfile.ZipInfo:
    if name == item.filename:
        return item
    told = zipfile.ZipInfo(name, item.date_time)
    told.compress_type, told.file_size, told.external_attr = (
        item.compress_type,
        item.file_size,
        item.external_attr,
    )
    return told


def _member(delivery: Delivery, number: int) -> Member:
    """The member's place as the lake knows it; its bytes come from `read`."""
    at = delivery.sent_at or delivery.arrived_at.replace(tzinfo=None)
    hospcode = delivery.hospcode or delivery.sender or NOBODYS
    return Member(
        delivery.receipt, number, hospcode, datetime.fromisoformat(at.isoformat()), delivery.arrival, b""
    )


def _known(
    delivery: Delivery, number: int, read: Read, sides: Sides, needle: Needle, told: Moved, file: str
) -> Read | None:
    """A file of the standard."""
    changes = compared(replace(_member(delivery, number), read=read), read, sides, needle)
    if changes is None:
        return None
    lines = moved(changes, sides.after.contract).with_columns(
        pl.lit(delivery.receipt).alias("_receipt"), pl.lit(number, pl.Int32).alias("_member")
    )
    told.setdefault(file, []).append(lines.select(list(MOVED)))
    return changes.redacted(read)


def _unknown(read: Read, needle: Needle) -> Read | None:
    """Any other file: lines that hold an id become the mark; one that is no text is emptied."""
    survey = Survey.of(read())
    shape = Shape.of(survey, next(read(), b""))
    hits = needle.lines(read, shape)
    if not hits:
        return None
    if survey.encoding != "utf-16" and any(b"\0" in chunk for chunk in read()):
        return _nothing
    return Changes(shape, dict.fromkeys(hits)).redacted(read)


def _is_packed(read: Read) -> bool:
    """Whether a member's text can not be searched."""
    return next(read(), b"").startswith(_PACKED)
