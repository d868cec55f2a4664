"""A zip as received -> its verdict: who sent it, when, which files it holds, or the code that refuses it."""

from __future__ import annotations

import hashlib
import json
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol, Self

from khlang.conform.naming import ZipName, file_of, shown, zip_name

READ_BYTES = 1 << 18
_ENCRYPTED = 0x1
_DRIVE = re.compile(r"^[A-Za-z]:")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_UNREADABLE = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, UnicodeError, ValueError,
    IndexError, OverflowError, RuntimeError,
)  # fmt: skip
"""What zipfile raises on bytes that are no proper zip; not OSError: a failing store is not a bad zip."""


class Limits(Protocol):
    """The settings that bound a zip (zip.bomb)."""

    @property
    def max_members(self) -> int:
        """Most members."""

    @property
    def max_member_bytes(self) -> int:
        """Most inflated bytes of one member."""

    @property
    def max_total_bytes(self) -> int:
        """Most inflated bytes of all members."""

    @property
    def max_ratio(self) -> int:
        """Most inflated bytes per compressed byte, past `max_ratio_after`."""

    @property
    def max_ratio_after(self) -> int:
        """Inflated bytes before the ratio counts."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file in the zip: place (from 1, folders not counted), full name, file of the standard or None."""

    position: int
    name: str
    file: str | None
    bytes: int
    crc: int
    sha256: str

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


class _Bomb(Exception):
    """A limit was passed while inflating."""


class _Bounded:
    """A binary file whose single reads are bounded: a directory of millions of entries is never read."""

    def __init__(self, source: BinaryIO, most: int) -> None:
        self._source, self._most = source, most
        self._size = source.seek(0, 2)
        source.seek(0)

    def read(self, size: int = -1) -> bytes:
        left = self._size - self._source.tell()
        wanted = left if size < 0 else min(size, left)
        if wanted > self._most:
            raise _Bomb
        return self._source.read(wanted)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._source.seek(offset, whence)

    def tell(self) -> int:
        return self._source.tell()

    def seekable(self) -> bool:
        return True


def _opened(source: BinaryIO, limits: Limits) -> zipfile.ZipFile:
    """The zip's directory; raises _Bomb when it is larger than any honest one."""
    most = max(limits.max_members * 4096, READ_BYTES)
    return zipfile.ZipFile(_Bounded(source, most))  # type: ignore[arg-type]


def _path_trick(info: zipfile.ZipInfo) -> bool:
    """Whether a name could leave the folder it is unpacked in, or is no plain file."""
    name = info.orig_filename
    kind = stat.S_IFMT(info.external_attr >> 16)
    tricky = "\0" in name or "\\" in name or name.startswith("/") or _DRIVE.match(name) is not None
    special = kind not in (0, stat.S_IFREG, stat.S_IFDIR)
    return tricky or special or not name or ".." in name.split("/")


def _overlapping(infos: Sequence[zipfile.ZipInfo]) -> bool:
    """Whether two members share bytes of the zip (a bomb that multiplies one kernel)."""
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            return True
        # A local header has 30 bytes and the name; its extra field may differ, so this is the least it takes.
        end = info.header_offset + 30 + len(info.orig_filename) + info.compress_size
    return False


def _whole(info: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """The member's entry without its claimed size: the reader then stops where the stream really ends."""
    if info.compress_type not in _METHODS:
        raise NotImplementedError(info.compress_type)
    honest = zipfile.ZipInfo(info.orig_filename, info.date_time)
    for kept in ("orig_filename", "compress_type", "flag_bits", "CRC", "compress_size", "header_offset"):
        setattr(honest, kept, getattr(info, kept))
    honest.file_size = 1 << 62
    return honest


class _Meter:
    """Bytes inflated so far against the limits; the ratio holds for a member and for the whole zip."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self.inflated, self.compressed = limits, 0, 0

    def check(self, count: int, info: zipfile.ZipInfo) -> None:
        """Raise _Bomb when `count` bytes of this member pass a limit."""
        limits = self.limits
        if count > limits.max_member_bytes or self.inflated + count > limits.max_total_bytes:
            raise _Bomb
        self._ratio(count, info.compress_size)
        self._ratio(self.inflated + count, self.compressed + info.compress_size)

    def _ratio(self, inflated: int, compressed: int) -> None:
        if inflated > self.limits.max_ratio_after and inflated > self.limits.max_ratio * max(compressed, 1):
            raise _Bomb

    def done(self, count: int, info: zipfile.ZipInfo) -> None:
        """Count a member that was read to its end."""
        self.inflated += count
        self.compressed += info.compress_size


def _inflate(opened: zipfile.ZipFile, info: zipfile.ZipInfo, meter: _Meter) -> Iterator[bytes]:
    """A member's bytes; raises _Bomb past a limit and BadZipFile when the directory lies about them."""
    count = 0
    with opened.open(_whole(info)) as stream:
        while piece := stream.read(READ_BYTES):
            count += len(piece)
            meter.check(count, info)
            yield piece
    if count != info.file_size:
        raise zipfile.BadZipFile("a member's size differs from the directory's")
    meter.done(count, info)


def _entry(position: int, info: zipfile.ZipInfo, bytes_of: Iterator[bytes]) -> Entry:
    """Inflate one member to its end and note what it is."""
    digest, count = hashlib.sha256(), 0
    for piece in bytes_of:
        digest.update(piece)
        count += len(piece)
    return Entry(position, info.filename, file_of(info.filename), count, info.CRC, digest.hexdigest())


def _entries(opened: zipfile.ZipFile, limits: Limits) -> tuple[Entry, ...]:
    """Every file of the zip that has no password, inflated once."""
    meter = _Meter(limits)
    files = enumerate(_files(opened), 1)
    return tuple(
        _entry(position, info, _inflate(opened, info, meter))
        for position, info in files
        if not info.flag_bits & _ENCRYPTED
    )


def _files(opened: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The zip's files in the order of its directory, folders left out."""
    return [info for info in opened.infolist() if not info.is_dir()]


def _declared(infos: Sequence[zipfile.ZipInfo], limits: Limits) -> list[str]:
    """Codes that the directory alone shows, the first to answer first."""
    names = [unicodedata.normalize("NFC", info.orig_filename).casefold() for info in infos]
    shown = {
        "zip.encrypted": any(info.flag_bits & _ENCRYPTED for info in infos),
        "zip.path": len(set(names)) < len(names) or any(_path_trick(info) for info in infos),
        "zip.bomb": len(infos) > limits.max_members or _overlapping(infos),
    }
    return [code for code, holds in shown.items() if holds]


def _content(entries: Sequence[Entry]) -> str:
    """Hash of the members' names without folder and of their bytes: equal for a zip that was made anew."""
    listed = sorted((entry.name.rpartition("/")[2], entry.sha256) for entry in entries)
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def _judged(opened: zipfile.ZipFile, named: ZipName, limits: Limits) -> Verdict:
    """Directory first, then every byte: a broken member answers before a password or a path trick."""
    codes = _declared(opened.infolist(), limits)
    if codes == ["zip.bomb"]:
        return Verdict(named, "zip.bomb")
    try:
        entries = _entries(opened, limits)
    except _Bomb:
        codes.append("zip.bomb")
    return Verdict(named, codes[0]) if codes else Verdict(named, None, entries, _content(entries))


def verify(source: BinaryIO, name: str, limits: Limits) -> Verdict:
    """Read a seekable zip to its end, within the limits, and say what it is.

    The code is the first that applies of zip.name, zip.unreadable, zip.encrypted, zip.path, zip.bomb.
    """
    named = zip_name(name)
    if named is None:
        return Verdict(None, "zip.name")
    try:
        with _opened(source, limits) as opened:
            return _judged(opened, named, limits)
    except _Bomb:
        return Verdict(named, "zip.bomb")
    except _UNREADABLE:
        return Verdict(named, "zip.unreadable")


class Unpacked:
    """A verified zip, open for reading its members by position; bytes only, nothing is written anywhere."""

    def __init__(self, source: BinaryIO, limits: Limits) -> None:
        """Read the directory; raises zipfile.BadZipFile when it is not the zip that was verified."""
        self._limits = limits
        self._zip = _opened(source, limits)
        self._files = _files(self._zip)

    def pieces(self, position: int) -> Iterator[bytes]:
        """The bytes of the member at that place (from 1), in pieces, within the limits."""
        if not 0 < position <= len(self._files):
            raise zipfile.BadZipFile(f"no member {position}")
        try:
            yield from _inflate(self._zip, self._files[position - 1], _Meter(self._limits))
        except _Bomb:
            raise zipfile.BadZipFile(f"member {position} is over the limits") from None

    def body(self, position: int) -> bytes:
        """The whole member at that place."""
        return b"".join(self.pieces(position))

    def __enter__(self) -> Self:
        """The open zip."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it (not the source)."""
        self._zip.close()


def pieces(source: BinaryIO, position: int, limits: Limits) -> Iterator[bytes]:
    """The bytes of one member of a verified zip (from 1), in pieces, within the limits."""
    with Unpacked(source, limits) as unpacked:
        yield from unpacked.pieces(position)
