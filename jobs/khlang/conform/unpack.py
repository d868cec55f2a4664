"""A zip as received -> its verdict: who sent it, when, which files it holds, or the one code that refuses it."""

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
from datetime import datetime
from typing import BinaryIO, Protocol

from khlang.model.contract import contracts

READ_BYTES = 1 << 18
_ZIP_NAME = re.compile(r"F43_([0-9]{5})_([0-9]{14})\.zip", re.ASCII)
_MEMBER_TAIL = re.compile(r"_(?:[0-9]{5}|[A-Z]{2}[0-9]{7})_([0-9]{14}|[0-9]{8})", re.ASCII)
_FOLDER = re.compile(r"F43_[0-9]{5}_([0-9]{14})", re.ASCII)
_DRIVE = re.compile(r"^[A-Za-z]:")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_UNREADABLE = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, UnicodeError, ValueError,
    IndexError, OverflowError, RuntimeError,
)  # fmt: skip
"""What zipfile raises on bytes that are no proper zip. OSError is not here: a store that fails is not a bad zip."""


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
class ZipName:
    """What a zip's name says: the facility and the time (Bangkok wall clock, no zone)."""

    hospcode: str
    sent_at: datetime


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
        folder, _, base = self.name.rpartition("/")
        if self.file is None:
            return f"unknown-{self.position}"
        known = not folder or ((found := _FOLDER.fullmatch(folder)) and _time(found[1]))
        return self.name if known else f"unknown-{self.position}/{base}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the zip alone tells: `code` refuses it; `content` names its members' names and bytes."""

    name: ZipName | None
    code: str | None
    entries: tuple[Entry, ...] = ()
    content: str | None = None


class _Bomb(Exception):
    """A limit was passed while inflating."""


def _time(digits: str) -> datetime | None:
    """yyyymmdd[hhmmss] -> a real time of the Gregorian calendar, or None (Buddhist years are not)."""
    try:
        found = datetime.strptime(digits.ljust(14, "0"), "%Y%m%d%H%M%S")
    except ValueError:
        return None
    return found if 1900 <= found.year < 2400 else None


def zip_name(name: str) -> ZipName | None:
    """`F43_<5 digits>_<yyyymmddhhmmss>.zip` with a real time -> its parts; None for any other name."""
    matched = _ZIP_NAME.fullmatch(name)
    sent_at = _time(matched[2]) if matched else None
    return ZipName(matched[1], sent_at) if matched and sent_at else None


def file_of(name: str, known: Sequence[str] | None = None) -> str | None:
    """A member's name -> the file of the standard: any case, any folder, perhaps `_<facility>_<time>` behind.

    The longest known name wins (drug_opd, never drug); None when the contract does not know it.
    """
    stem, dot, kind = name.rpartition("/")[2].upper().rpartition(".")
    if not dot or kind != "TXT":
        return None
    starts = [file for file in known or tuple(contracts()) if stem.startswith(file)]
    file = max(starts, key=len, default="")
    tail = _MEMBER_TAIL.fullmatch(stem[len(file) :])
    proper = bool(file) and (stem == file or (tail is not None and _time(tail[1]) is not None))
    return file if proper else None


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


def _inflate(opened: zipfile.ZipFile, info: zipfile.ZipInfo, limits: Limits, before: int) -> Iterator[bytes]:
    """A member's bytes; raises _Bomb past a limit (`before`: bytes inflated so far), BadZipFile when they lie."""
    count = 0
    with opened.open(_whole(info)) as stream:
        while piece := stream.read(READ_BYTES):
            count += len(piece)
            large = count > limits.max_member_bytes or before + count > limits.max_total_bytes
            dense = count > limits.max_ratio_after and count > limits.max_ratio * max(info.compress_size, 1)
            if large or dense:
                raise _Bomb
            yield piece
    if count != info.file_size:
        raise zipfile.BadZipFile("a member's size differs from the directory's")


def _entry(opened: zipfile.ZipFile, info: zipfile.ZipInfo, limits: Limits, place: tuple[int, int]) -> Entry:
    """Inflate one member to its end and note what it is; `place`: its position, bytes inflated before it."""
    digest, count = hashlib.sha256(), 0
    for piece in _inflate(opened, info, limits, place[1]):
        digest.update(piece)
        count += len(piece)
    return Entry(place[0], info.filename, file_of(info.filename), count, info.CRC, digest.hexdigest())


def _declared_codes(infos: Sequence[zipfile.ZipInfo], limits: Limits) -> list[str]:
    """Codes that the directory alone shows."""
    names = [unicodedata.normalize("NFC", info.orig_filename).casefold() for info in infos]
    shown = {
        "zip.encrypted": any(info.flag_bits & 0x1 for info in infos),
        "zip.path": len(set(names)) < len(names) or any(_path_trick(info) for info in infos),
        "zip.bomb": len(infos) > limits.max_members or _overlapping(infos),
    }
    return [code for code, holds in shown.items() if holds]


def _content(entries: Sequence[Entry]) -> str:
    """Hash of the members' names without folder and of their bytes: equal for a zip that was made anew."""
    listed = sorted((entry.name.rpartition("/")[2], entry.sha256) for entry in entries)
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def verify(source: BinaryIO, name: str, limits: Limits) -> Verdict:
    """Read a seekable zip to its end, within the limits, and say what it is.

    The code is the first that applies of zip.name, zip.unreadable, zip.encrypted, zip.path, zip.bomb.
    """
    named = zip_name(name)
    if named is None:
        return Verdict(None, "zip.name")
    try:
        with _opened(source, limits) as opened:
            infos = opened.infolist()
            codes = _declared_codes(infos, limits)
            entries: list[Entry] = []
            # A bomb by its directory is not inflated. Of a zip refused for another reason the readable
            # members still are: a broken one among them answers first.
            if "zip.bomb" not in codes:
                entries = _entries(opened, [info for info in infos if not info.flag_bits & 0x1], limits)
    except _Bomb:
        return Verdict(named, (codes or ["zip.bomb"])[0] if "codes" in locals() else "zip.bomb")
    except _UNREADABLE:
        return Verdict(named, "zip.unreadable")
    if codes:
        return Verdict(named, codes[0])
    return Verdict(named, None, tuple(entries), _content(entries))


def _entries(opened: zipfile.ZipFile, infos: Sequence[zipfile.ZipInfo], limits: Limits) -> list[Entry]:
    """Every file of the zip, inflated once."""
    entries: list[Entry] = []
    before = 0
    for info in infos:
        if not info.is_dir():
            entries.append(_entry(opened, info, limits, (len(entries) + 1, before)))
            before += entries[-1].bytes
    return entries


def pieces(source: BinaryIO, position: int, limits: Limits) -> Iterator[bytes]:
    """The bytes of one member of a verified zip, in pieces, within the limits.

    Raises zipfile.BadZipFile when the zip is not the one that was verified.
    """
    try:
        with _opened(source, limits) as opened:
            files = [info for info in opened.infolist() if not info.is_dir()]
            if not 0 < position <= len(files):
                raise zipfile.BadZipFile(f"no member {position}")
            yield from _inflate(opened, files[position - 1], limits, 0)
    except _Bomb:
        raise zipfile.BadZipFile(f"member {position} is over the limits") from None
