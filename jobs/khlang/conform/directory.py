"""A zip's directory: read within bounds, checked against itself, and what it shows before a byte is inflated."""

from __future__ import annotations

import posixpath
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Sequence
from typing import BinaryIO, Protocol

from isal.igzip_lib import IsalError

from khlang.errors import StoreError

ENCRYPTED = 0x1
UNREADABLE: tuple[type[BaseException], ...] = (  # type: ignore[assignment]  # the library types its error as an object
    zipfile.BadZipFile, zlib.error, IsalError, struct.error, EOFError, NotImplementedError, UnicodeError,
    ValueError, IndexError, OverflowError, RuntimeError,
)  # fmt: skip
"""What zipfile raises on bytes that are no proper zip."""

_DRIVE = re.compile(r"^[A-Za-z]:")
_END = b"PK\x05\x06"
_END64, _LOCATOR64 = b"PK\x06\x06", b"PK\x06\x07"


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

    @property
    def max_seconds(self) -> float:
        """Most seconds spent on reading and inflating."""


class Bomb(Exception):
    """A limit was passed."""


class Bounded:
    """A binary file whose single reads are bounded: a directory of millions of entries is never read.

    `consumed` counts the bytes read so far.
    """

    def __init__(self, source: BinaryIO, most: int) -> None:
        """Wrap a seekable file; a read of more than `most` bytes raises Bomb."""
        self._source, self._most, self.consumed = source, most, 0
        self._size = source.seek(0, 2)
        source.seek(0)

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes. A source that fails is a StoreError: zipfile would take it for a bad zip."""
        left = self._size - self._source.tell()
        wanted = left if size < 0 else min(size, left)
        if wanted > self._most:
            raise Bomb
        try:
            found = self._source.read(wanted)
        except OSError:
            raise StoreError("zip.source", "the zip could not be read to its end") from None
        self.consumed += len(found)
        return found

    def seek(self, offset: int, whence: int = 0) -> int:
        """As of any file."""
        return self._source.seek(offset, whence)

    def tell(self) -> int:
        """As of any file."""
        return self._source.tell()

    def seekable(self) -> bool:
        """Always."""
        return True


class Directory:
    """A zip, open: its entries in order, and the bounded file they are read from."""

    def __init__(self, source: BinaryIO, limits: Limits) -> None:
        """Read the directory; raises Bomb when it is larger than any honest one, BadZipFile when it lies.

        zipfile stops where an entry claims a comment or an extra field that swallows the rest, and drops
        the entries behind it: their number is checked against the end record.
        """
        self.file = Bounded(source, max(limits.max_members * 4096, 1 << 18))
        self.zip = zipfile.ZipFile(self.file)  # type: ignore[arg-type]
        if not _truthful(self.file, len(self.zip.infolist())):
            raise zipfile.BadZipFile(
                "the directory holds another number of entries than it says, or lies elsewhere"
            )

    @property
    def items(self) -> Sequence[zipfile.ZipInfo]:
        """Every entry, folders too."""
        return self.zip.infolist()

    @property
    def files(self) -> list[zipfile.ZipInfo]:
        """The files in the order of the directory, folders left out."""
        return [item for item in self.items if not item.is_dir()]


def _truthful(file: Bounded, entries: int) -> bool:
    """Whether the end record (of zip64, when there is one) tells the truth about the directory before it.

    It names the entries that were read, and the directory reaches from the place it names to the record itself:
    whoever lies there could hide members, or have a second zip behind the first read alone.
    """
    size = file.seek(0, 2)
    first = max(0, size - 22 - 0xFFFF)
    file.seek(first)
    tail = file.read()
    # As zipfile looks for it: at the very end, else the last one within a comment's reach.
    at = len(tail) - 22 if tail[-22:-18] == _END and tail[-2:] == b"\0\0" else tail.rfind(_END)
    told = struct.unpack_from("<HHII", tail, at + 8)
    if at >= 76 and tail[at - 20 : at - 16] == _LOCATOR64 and tail[at - 76 : at - 72] == _END64:
        at -= 76
        told = struct.unpack_from("<QQQQ", tail, at + 24)
    here, count, length, start = map(int, told)
    return here == count == entries and start + length == first + at


def _path_trick(item: zipfile.ZipInfo) -> bool:
    """Whether a name could leave the folder it is unpacked in, or is no plain file."""
    name = item.orig_filename
    kind = stat.S_IFMT(item.external_attr >> 16)
    tricky = "\0" in name or "\\" in name or name.startswith("/") or _DRIVE.match(name) is not None
    special = kind not in (0, stat.S_IFREG, stat.S_IFDIR)
    return tricky or special or not name or ".." in name.split("/")


def _unpacked_name(name: str) -> str:
    """The name by which a member is found where it is unpacked: `x`, `./x`, `x/` and on many systems `X` are one."""
    return posixpath.normpath(unicodedata.normalize("NFC", name)).casefold()


def _overlapping(items: Sequence[zipfile.ZipInfo]) -> bool:
    """Whether two members share bytes of the zip (a bomb that multiplies one kernel)."""
    end = 0
    for item in sorted(items, key=lambda item: item.header_offset):
        if item.header_offset < end:
            return True
        # A local header has 30 bytes and the name; its extra field may differ, so this is the least it takes.
        end = item.header_offset + 30 + len(item.orig_filename) + item.compress_size
    return False


def declared_codes(items: Sequence[zipfile.ZipInfo], limits: Limits) -> list[str]:
    """Codes that the directory alone shows, the first to answer first."""
    names = [_unpacked_name(item.orig_filename) for item in items]
    shown = {
        "zip.encrypted": any(item.flag_bits & ENCRYPTED for item in items),
        "zip.path": len(set(names)) < len(names) or any(_path_trick(item) for item in items),
        "zip.bomb": len(items) > limits.max_members or _overlapping(items),
    }
    return [code for code, holds in shown.items() if holds]
