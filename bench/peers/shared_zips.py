"""Zips of a folder -> staging files of plain pipe-separated lines, one per file of the standard and header.

Every peer begins here: no tool of theirs reads zips, cp874 or lines of a wrong width. All cores take part, and a tool
gets few large files in place of thousands of tiny ones.
"""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from khlang.conform.naming import file_of, zip_name
from khlang.model.contract import Contract, contracts

PLACE = ("receipt", "member", "line")
"""What stands before the fields of every staged line: the zip's name, the member's place in it, the line's number."""

_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_THAI_DIGIT = re.compile(rb"\xe0\xb9[\x90-\x99]")
_FLUSH = 8 << 20

Heading = tuple[str, tuple[str | None, ...], int]
"""File, wire name per field (None: not in the contract), number of the layout."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Staged members of one file with equal headers; `thai` tells whether any holds Thai digits."""

    file: str
    fields: tuple[str | None, ...]
    layout: int
    paths: tuple[str, ...]
    rows: int
    thai: bool


@dataclass(frozen=True, slots=True)
class Broken:
    """A line that is no row: of another width than its header, or not to be decoded."""

    file: str
    receipt: str
    member: int
    line: int
    code: str


@dataclass(frozen=True, slots=True)
class Staged:
    """All that a folder of zips held; `unread` counts the lines of members whose header can not be used."""

    sheets: tuple[Sheet, ...]
    broken: tuple[Broken, ...]
    unread: int

    @property
    def files(self) -> dict[str, list[Sheet]]:
        """File -> its sheets, the file with the most rows first."""
        found: dict[str, list[Sheet]] = defaultdict(list)
        for sheet in self.sheets:
            found[sheet.file].append(sheet)
        for line in self.broken:
            found.setdefault(line.file, [])
        return dict(sorted(found.items(), key=lambda item: -sum(sheet.rows for sheet in item[1])))

    def broken_of(self, file: str) -> list[Broken]:
        """The broken lines of one file."""
        return [line for line in self.broken if line.file == file]


def stage(folder: Path, staging: Path) -> Staged:
    """Unpack every zip of `folder` into staging files; call it before any thread or JVM is started."""
    staging.mkdir(parents=True, exist_ok=True)
    paths = sorted(path for path in folder.glob("*.zip") if zip_name(path.name))
    cores = max(1, len(os.sched_getaffinity(0)))
    shares = [paths[part::cores] for part in range(cores)]
    with ProcessPoolExecutor(cores, mp_context=get_context("fork")) as pool:
        found = list(pool.map(_share, shares, [staging] * cores, range(cores)))
    return _joined(found)


@dataclass(frozen=True, slots=True)
class _Share:
    """What one process staged: heading -> (path, rows, Thai digits)."""

    sheets: dict[Heading, tuple[str, int, bool]]
    broken: list[Broken]
    unread: int


def _joined(shares: Iterable[_Share]) -> Staged:
    parts: dict[Heading, list[tuple[str, int, bool]]] = defaultdict(list)
    broken: list[Broken] = []
    unread = 0
    for share in shares:
        for heading, part in share.sheets.items():
            parts[heading].append(part)
        broken += share.broken
        unread += share.unread
    sheets = tuple(
        Sheet(
            *heading, tuple(p for p, _, _ in found), sum(n for _, n, _ in found), any(t for _, _, t in found)
        )
        for heading, found in sorted(parts.items(), key=lambda item: str(item[0]))
    )
    return Staged(sheets, tuple(broken), unread)


def _share(paths: Sequence[Path], staging: Path, part: int) -> _Share:
    """One process's zips, appended to staging files of its own."""
    writer = _Writer(staging, part)
    broken: list[Broken] = []
    unread = 0
    for path in paths:
        for file, position, body in _members(path):
            read = _read(body, contracts()[file])
            if isinstance(read, int):
                unread += read
                continue
            fields, layout, lines, first, bad = read
            rows, wrong = _rows(lines, first, len(fields), bad, b"%s|%d|" % (path.stem.encode(), position))
            broken += [Broken(file, path.stem, position, line, code) for line, code in wrong]
            if rows:
                writer.add((file, fields, layout), rows, _THAI_DIGIT.search(body) is not None)
    return _Share(writer.close(), broken, unread)


class _Writer:
    """Staging files of one process, written in large pieces."""

    def __init__(self, staging: Path, part: int) -> None:
        self._staging, self._part = staging, part
        self._held: dict[Heading, list[bytes]] = defaultdict(list)
        self._size: dict[Heading, int] = defaultdict(int)
        self._told: dict[Heading, tuple[str, int, bool]] = {}

    def add(self, heading: Heading, rows: list[bytes], thai: bool) -> None:
        """Lines of one member."""
        path, count, seen = self._told.get(heading) or (self._path(heading), 0, False)
        self._told[heading] = (path, count + len(rows), seen or thai)
        text = b"".join(rows)
        self._held[heading].append(text)
        self._size[heading] += len(text)
        if self._size[heading] > _FLUSH:
            self._flush(heading)

    def close(self) -> dict[Heading, tuple[str, int, bool]]:
        """Write what is held; what was written."""
        for heading in list(self._held):
            self._flush(heading)
        return self._told

    def _path(self, heading: Heading) -> str:
        mark = zlib.crc32(repr(heading).encode())
        return str(self._staging / f"{heading[0]}-{mark:08x}-{self._part}.csv")

    def _flush(self, heading: Heading) -> None:
        with open(self._told[heading][0], "ab") as out:
            out.write(b"".join(self._held.pop(heading, [])))
        self._size[heading] = 0


def _members(path: Path) -> Iterator[tuple[str, int, bytes]]:
    """(file of the standard, place in the zip, bytes) of every member that the standard knows."""
    with zipfile.ZipFile(path) as zipped:
        files = [item for item in zipped.infolist() if not item.is_dir()]
        for position, item in enumerate(files, 1):
            file = file_of(item.filename)
            if file is not None:
                yield file, position, zipped.read(item)


def _decoded(body: bytes) -> tuple[bytes, bool]:
    """UTF-8 lines without carriage returns, and whether some lines can not be decoded: BOM, UTF-8, else cp874."""
    broken = False
    marked = body.startswith(b"\xef\xbb\xbf")
    body = body.removeprefix(b"\xef\xbb\xbf")
    if not body.isascii():
        try:
            body.decode("utf-8")
        except UnicodeDecodeError:
            try:
                body = body if marked else body.decode("cp874").encode()
                broken = marked
            except UnicodeDecodeError:
                broken = True
    if b"\r" in body:
        body = body.replace(b"\r\n", b"\n") if b"\n" in body else body.replace(b"\r", b"\n")
    return body, broken


def _read(
    raw: bytes, contract: Contract
) -> int | tuple[tuple[str | None, ...], int, list[bytes], int, frozenset[int]]:
    """Fields, layout, lines, index of the first row, indexes of lines that no one can read; else lines lost."""
    body, broken = _decoded(raw)
    lines = body.split(b"\n")
    head = next((index for index, line in enumerate(lines) if line.strip()), None)
    if head is None:
        return 0
    fields = _named(lines[head], contract)
    if not _is_header(fields):
        layouts = [n for n, layout in enumerate(contract.layouts) if len(layout.columns) == len(fields)]
        if not layouts:
            return sum(1 for line in lines if line.strip())
        fields, layout, first = contract.layouts[layouts[-1]].columns, layouts[-1], head
    else:
        names = [field for field in fields if field is not None]
        if len(set(names)) < len(names) or not set(contract.key) <= set(names):
            return sum(1 for line in lines[head + 1 :] if line.strip())
        layout, first = contract.layouts.index(contract.layout_of(frozenset(names))), head + 1
    return fields, layout, lines, first, _unreadable(lines, body, broken)


def _named(line: bytes, contract: Contract) -> tuple[str | None, ...]:
    """Wire name per field of a header, without regard to case and blanks; None for what the contract does not know."""
    known = {column.name for column in contract.columns}
    names = [text.strip().strip('"').upper() for text in line.decode("utf-8", errors="replace").split("|")]
    names = [contract.aliases.get(name, name) for name in names]
    return tuple(name if name in known else None for name in names)


def _is_header(fields: Sequence[str | None]) -> bool:
    named = sum(field is not None for field in fields)
    return named >= 2 or 2 * named >= len(fields)


def _unreadable(lines: Sequence[bytes], body: bytes, broken: bool) -> frozenset[int]:
    """Indexes of lines with control characters or bytes of no encoding; most members are cleared at one look."""
    bad: set[int] = set()
    if _CONTROL.search(body):
        bad |= {index for index, line in enumerate(lines) if _CONTROL.search(line)}
    if broken:
        for index, line in enumerate(lines):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                bad.add(index)
    return frozenset(bad)


def _rows(
    lines: Sequence[bytes], first: int, width: int, bad: frozenset[int], place: bytes
) -> tuple[list[bytes], list[tuple[int, str]]]:
    """Lines of the right width behind their place, and (line, code) of the others."""
    rows: list[bytes] = []
    wrong: list[tuple[int, str]] = []
    pipes = width - 1
    for number, line in enumerate(lines[first:] if first else lines, first + 1):
        if bad and number - 1 in bad:
            wrong.append((number, "row.encoding"))
        elif line.count(b"|") == pipes and (pipes or line.strip()):
            rows.append(b"%s%d|%s\n" % (place, number, line))
        elif line.strip():
            wrong.append((number, "row.width"))
    return rows, wrong
