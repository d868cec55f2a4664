"""Bytes of a volume, a heap or a spill file -> what lies packed inside them at any offset.

A store keeps what was deleted until it is vacuumed, and keeps it packed: Parquet files, zstd frames (the pages
of a Parquet file whose end is lost), gzip members, Spark's LZ4 blocks. What does not unpack was no member.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa

WINDOW = 4 << 20
PIECE = 1 << 16
PARQUET, ZSTD, GZIP, LZ4 = b"PAR1", b"\x28\xb5\x2f\xfd", b"\x1f\x8b\x08", b"LZ4Block"
ZIP, PDF = b"PK\x03\x04", b"stream"
_MAGIC = re.compile(
    b"|".join(map(re.escape, (PARQUET, ZSTD, GZIP, LZ4, ZIP)))
    + rb"|(?<!end)stream(?=\r?\n[\x48\x58\x68\x78])"
)
LARGEST = 64 << 20
"""Bytes of a Parquet file, or of a zstd frame, that are taken into memory."""


@dataclass(frozen=True, slots=True)
class Carved:
    """A member found inside other bytes: a whole Parquet file, or a stream of unpacked bytes."""

    offset: int
    parquet: bytes = b""
    pieces: Iterable[bytes] = ()


def carved(file: BinaryIO) -> Iterator[Carved]:
    """Members in order; what lies inside a Parquet file that was given whole is not given again."""
    covered = 0
    places = list(_places(file))
    ends = [offset for offset, magic in places if magic == PARQUET]
    for offset, magic in places:
        if offset < covered:
            continue
        if magic == PARQUET:
            whole = _parquet(file, offset, ends)
            if whole:
                covered = offset + len(whole)
                yield Carved(offset, parquet=whole)
        else:
            yield Carved(offset, pieces=_STREAMS[magic](file, offset))


def _places(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Offsets at which a member may begin."""
    file.seek(0)
    before, offset = b"", 0
    while window := file.read(WINDOW):
        seen = before + window
        for found in _MAGIC.finditer(seen):
            if found.end() > len(before):
                yield offset - len(before) + found.start(), found.group()
        before, offset = seen[-7:], offset + len(window)


def _at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _parquet(file: BinaryIO, offset: int, marks: list[int]) -> bytes:
    """The Parquet file that starts there: up to the next mark before which its footer fits."""
    for end in (mark for mark in marks if offset < mark <= offset + LARGEST):
        footer = int.from_bytes(_at(file, end - 4, 4), "little")
        if 0 < footer < end - offset - 8:
            return _at(file, offset, end + 4 - offset)
    return b""


def _gzip(file: BinaryIO, offset: int) -> Iterator[bytes]:
    yield from _inflated(file, offset, zlib.decompressobj(31))


def _inflated(file: BinaryIO, offset: int, unpack: zlib._Decompress) -> Iterator[bytes]:
    """What inflates from there, up to its end or to where it breaks."""
    while not unpack.eof and (piece := _at(file, offset, PIECE)):
        offset += len(piece)
        try:
            yield unpack.decompress(piece)
        except zlib.error:
            return


def _deflated(file: BinaryIO, offset: int) -> Iterator[bytes]:
    """A member of a zip from its local header (APPNOTE 4.3.7), without a look at any directory."""
    head = _at(file, offset, 30)
    if len(head) == 30 and int.from_bytes(head[8:10], "little") == 8:
        lengths = int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
        yield from _inflated(file, offset + 30 + lengths, zlib.decompressobj(-15))


def _flate(file: BinaryIO, offset: int) -> Iterator[bytes]:
    """A stream of a PDF that is packed by FlateDecode."""
    begin = offset + len(PDF) + (2 if _at(file, offset + len(PDF), 1) == b"\r" else 1)
    yield from _inflated(file, begin, zlib.decompressobj())


def _zstd(file: BinaryIO, offset: int) -> Iterator[bytes]:
    size = _frame_size(lambda at, count: _at(file, offset + at, count))
    if not 0 < size <= LARGEST:
        return
    try:
        stream = pa.input_stream(io.BytesIO(_at(file, offset, size)), compression="zstd")
        while piece := stream.read(PIECE):
            yield piece
    except (pa.ArrowException, OSError):
        return


def _frame_size(read: Callable[[int, int], bytes]) -> int:
    """Bytes of a zstd frame by its own headers (RFC 8878, 3.1.1); 0 when they are none."""
    flags = read(4, 1)
    if not flags:
        return 0
    single, checked = flags[0] >> 5 & 1, flags[0] >> 2 & 1
    content = (single, 2, 4, 8)[flags[0] >> 6]
    at = 5 + (1 - single) + (0, 1, 2, 4)[flags[0] & 3] + content
    while len(header := read(at, 3)) == 3:
        block = int.from_bytes(header, "little")
        kind, size = block >> 1 & 3, block >> 3
        if kind == 3 or at > LARGEST:
            return 0
        at += 3 + (1 if kind == 1 else size)
        if block & 1:
            return at + 4 * checked
    return 0


def _lz4(file: BinaryIO, offset: int) -> Iterator[bytes]:
    """Blocks that follow one another from there, as one stream."""
    codec = pa.Codec("lz4_raw")
    while (head := _at(file, offset, 21)).startswith(LZ4) and len(head) == 21:
        packed, size = (int.from_bytes(head[at : at + 4], "little") for at in (9, 13))
        if max(packed, size) > LARGEST:
            return
        body = _at(file, offset + 21, packed)
        try:
            yield body if head[8] & 0xF0 == 0x10 else codec.decompress(body, size).to_pybytes()
        except (pa.ArrowException, OSError):
            return
        offset += 21 + packed


_STREAMS: dict[bytes, Callable[[BinaryIO, int], Iterator[bytes]]] = {
    ZSTD: _zstd, GZIP: _gzip, LZ4: _lz4, ZIP: _deflated, PDF: _flate,
}  # fmt: skip
