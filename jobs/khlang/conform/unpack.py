"""A zip as received -> its verdict: who sent it, when, which files it holds, or the code that refuses it."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import IO, BinaryIO, Self

from isal import isal_zlib

from khlang.conform.directory import ENCRYPTED, UNREADABLE, Bomb, Directory, Limits, declared_codes
from khlang.conform.member import Member
from khlang.conform.naming import ZipName, file_of, shown, zip_name
from khlang.conform.stream import PIECE_BYTES

READ_BYTES = 1 << 16
Clock = Callable[[], float]
"""Seconds that never go back."""

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file in the zip: place (from 1, folders not counted), full name, file of the standard or None."""

    position: int
    name: str
    file: str | None
    bytes: int
    crc: int
    sha256: str

    def __reduce__(self) -> tuple[type[Entry], tuple[int, str, str | None, int, int, str]]:
        """Its parts: a zip has dozens, and a process of the door hands them over (a frozen class does it slowly)."""
        return Entry, (self.position, self.name, self.file, self.bytes, self.crc, self.sha256)

    @property
    def shown(self) -> str:
        """The name as it may stand outside landing: what no contract knows may itself hold an identifier."""
        return shown(self.name, self.position)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the zip alone tells: `code` refuses it; `content` names its members' names and bytes."""

    name: ZipName | None
    code: str | None
    entries: tuple[Entry, ...] = ()
    content: str | None = None


def _whole(item: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """The member's entry without its claimed size: the reader then stops where the stream really ends."""
    if item.compress_type not in _METHODS:
        raise NotImplementedError(item.compress_type)
    honest = zipfile.ZipInfo(item.orig_filename, item.date_time)
    for kept in ("orig_filename", "compress_type", "flag_bits", "CRC", "compress_size", "header_offset"):
        setattr(honest, kept, getattr(item, kept))
    honest.file_size = 1 << 62
    return honest


class _Meter:
    """Bytes inflated so far against the limits; the ratio holds for a member and for the whole zip.

    It counts what was really read and inflated, not what the directory claims, and the seconds that this took:
    what the reader does with the bytes in between is not counted.
    """

    def __init__(self, directory: Directory, limits: Limits, clock: Clock = monotonic) -> None:
        self._file, self._limits, self._clock = directory.file, limits, clock
        self._inflated = self._compressed = self._start = 0
        self._seconds = 0.0

    def piece(self, stream: IO[bytes]) -> bytes:
        """The next bytes of a member; raises Bomb when the zip has taken too long."""
        begun = self._clock()
        found = stream.read(READ_BYTES)
        self._seconds += self._clock() - begun
        if self._seconds > self._limits.max_seconds:
            raise Bomb
        return found

    def begin(self) -> None:
        """A member's first byte comes next (its header was read)."""
        self._start = self._file.consumed

    def check(self, count: int) -> None:
        """Raise Bomb when `count` bytes of the member pass a limit."""
        total, taken = self._inflated + count, self._file.consumed - self._start
        if count > self._limits.max_member_bytes or total > self._limits.max_total_bytes:
            raise Bomb
        self._ratio(count, taken)
        self._ratio(total, self._compressed + taken)

    def _ratio(self, inflated: int, compressed: int) -> None:
        if inflated > self._limits.max_ratio_after and inflated > self._limits.max_ratio * compressed:
            raise Bomb

    def done(self, count: int) -> None:
        """Count a member that was read to its end."""
        self._inflated += count
        self._compressed += self._file.consumed - self._start


def _inflate(directory: Directory, item: zipfile.ZipInfo, meter: _Meter) -> Iterator[bytes]:
    """A member's bytes; raises Bomb past a limit and BadZipFile when the directory lies about them."""
    count = 0
    with directory.zip.open(_whole(item)) as stream:
        if item.compress_type == zipfile.ZIP_DEFLATED:
            # ISA-L inflates five times as fast; zipfile keeps checking headers, ends and CRCs around it.
            stream._decompressor = isal_zlib.decompressobj(-zlib.MAX_WBITS)  # type: ignore[attr-defined]
        meter.begin()
        while piece := meter.piece(stream):
            count += len(piece)
            meter.check(count)
            yield piece
    if count != item.file_size:
        raise zipfile.BadZipFile("a member's size differs from the directory's")
    meter.done(count)


def _entry(position: int, item: zipfile.ZipInfo, bytes_of: Iterator[bytes]) -> Entry:
    """Inflate one member to its end and note what it is."""
    digest, count = hashlib.sha256(), 0
    for piece in bytes_of:
        digest.update(piece)
        count += len(piece)
    return Entry(position, item.filename, file_of(item.filename), count, item.CRC, digest.hexdigest())


def _entries(directory: Directory, meter: _Meter) -> tuple[Entry, ...]:
    """Every file of the zip that has no password, inflated once."""
    files = enumerate(directory.files, 1)
    return tuple(
        _entry(position, item, _inflate(directory, item, meter))
        for position, item in files
        if not item.flag_bits & ENCRYPTED
    )


def _content(entries: Sequence[Entry]) -> str:
    """Hash of the members' names without folder and of their bytes: equal for a zip that was made anew."""
    listed = sorted((entry.name.rpartition("/")[2], entry.sha256) for entry in entries)
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def _judged(directory: Directory, named: ZipName, limits: Limits, clock: Clock) -> Verdict:
    """Directory first, then every byte: a broken member answers before a password or a path trick."""
    codes = declared_codes(directory.items, limits)
    if codes == ["zip.bomb"]:
        return Verdict(named, "zip.bomb")
    try:
        entries = _entries(directory, _Meter(directory, limits, clock))
    except Bomb:
        codes.append("zip.bomb")
    return Verdict(named, codes[0]) if codes else Verdict(named, None, entries, _content(entries))


def verify(source: BinaryIO, name: str, limits: Limits, clock: Clock = monotonic) -> Verdict:
    """Read a seekable zip to its end, within the limits, and say what it is.

    The code is the first that applies of zip.name, zip.unreadable, zip.encrypted, zip.path, zip.bomb.
    """
    named = zip_name(name)
    if named is None:
        return Verdict(None, "zip.name")
    try:
        return _judged(Directory(source, limits), named, limits, clock)
    except Bomb:
        return Verdict(named, "zip.bomb")
    except UNREADABLE:
        return Verdict(named, "zip.unreadable")


class Unpacked:
    """A verified zip, open for reading its members by position; bytes only, nothing is written anywhere."""

    def __init__(self, source: BinaryIO, limits: Limits, clock: Clock = monotonic) -> None:
        """Read the directory; raises zipfile.BadZipFile when it is not the zip that was verified."""
        self._limits, self._clock, self._directory = limits, clock, Directory(source, limits)
        self._files = self._directory.files

    @property
    def count(self) -> int:
        """How many members there are, folders not counted."""
        return len(self._files)

    def pieces(self, position: int) -> Iterator[bytes]:
        """The bytes of the member at that place (from 1), in pieces, within the limits."""
        if not 0 < position <= len(self._files):
            raise zipfile.BadZipFile(f"no member {position}")
        meter = _Meter(self._directory, self._limits, self._clock)
        try:
            yield from _inflate(self._directory, self._files[position - 1], meter)
        except Bomb:
            raise zipfile.BadZipFile(f"member {position} is over the limits") from None

    def body(self, position: int) -> bytes:
        """The whole member at that place."""
        return b"".join(self.pieces(position))

    def member(
        self, size: int, receipt: str, position: int, hospcode: str, sent_at: datetime, arrival: int
    ) -> Member:
        """The member at that place, of so many bytes; a large one is read from the zip when it is wanted."""
        about = (receipt, position, hospcode, sent_at, arrival)
        if size <= PIECE_BYTES:
            return Member(*about, self.body(position))
        return Member(*about, b"", read=lambda: self.pieces(position))

    def __enter__(self) -> Self:
        """The open zip."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it (not the source)."""
        self._directory.zip.close()


def pieces(source: BinaryIO, position: int, limits: Limits) -> Iterator[bytes]:
    """The bytes of one member of a verified zip (from 1), in pieces, within the limits."""
    with Unpacked(source, limits) as unpacked:
        yield from unpacked.pieces(position)
