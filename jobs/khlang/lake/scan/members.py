"""A file's bytes -> sources: the bytes as they are, then what is packed in them (gzip, zstd, zip, Parquet ...)."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from tempfile import SpooledTemporaryFile
from typing import IO, Any, BinaryIO, cast

import pyarrow as pa

from khlang.lake.scan import columns
from khlang.lake.scan.carve import carved
from khlang.lake.scan.report import Report, Source
from khlang.lake.scan.sqlite import SQLITE, rows

PIECE, HEAD = 1 << 18, 4096
IN_MEMORY = 16 << 20
DEPTH = 4
INFLATED = 16 << 30
"""Bytes that one member may inflate to; what is beyond is told as not read."""

Unpack = Callable[[Any], Any]
UNPACKERS: dict[bytes, Unpack] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file, mode="rb"),
    b"\x28\xb5\x2f\xfd": lambda file: pa.input_stream(file, compression="zstd"),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ": lzma.LZMAFile,
    b"\x04\x22\x4d\x18": lambda file: pa.input_stream(file, compression="lz4"),
}
PARQUET, ZIP = b"PAR1", b"PK\x03\x04"
BROKEN = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    RuntimeError,
    lzma.LZMAError,
    zipfile.BadZipFile,
    pa.ArrowException,
)


@dataclass(frozen=True, slots=True)
class Walk:
    """Feeds a report with files and all that is packed in them; `decoded`: digests of Parquet files done already."""

    report: Report
    decoded: set[bytes] = field(default_factory=set)

    def file(self, where: str, file: BinaryIO, depth: int = 0) -> None:
        """The bytes of a file, then its members. A member that does not open is told; its bytes were searched."""
        head = file.read(HEAD)
        file.seek(0)
        digest = hashlib.blake2b() if head.startswith(PARQUET) else None
        self.report.take(Source(where, self._read(where, file, digest.update if digest else None)))
        file.seek(0)
        if digest:
            self.decoded.add(digest.digest())
        try:
            self._open(where, file, head, depth)
        except BROKEN as error:
            self.report.could_not_decode(where, error)

    def _open(self, where: str, file: BinaryIO, head: bytes, depth: int) -> None:
        unpack = _unpacker(head)
        if head.startswith(PARQUET):
            for source in columns.sources(where, file):
                self.report.take(source)
        elif head.startswith(ZIP):
            self._zip(where, file, depth)
        elif unpack is not None:
            self._stream(f"{where}!inflated", unpack(file), depth)
        else:
            if head.startswith(SQLITE):
                self.report.take(Source(f"{where}!rows", rows(file)))
            self._carve(where, file)

    def _zip(self, where: str, file: BinaryIO, depth: int) -> None:
        with zipfile.ZipFile(file) as packed:
            for entry in packed.infolist():
                place = f"{where}!{entry.filename}"
                try:
                    with packed.open(entry) as member:
                        self._stream(place, member, depth)
                except BROKEN as error:
                    self.report.could_not_decode(place, error)

    def _stream(self, where: str, stream: IO[bytes], depth: int) -> None:
        """A member is searched as it inflates; one that holds members itself is kept aside first."""
        head = stream.read(HEAD)
        pieces = chain([head], self._read(where, stream))
        packed = _unpacker(head) or head.startswith((PARQUET, ZIP)) or b"\0" in head
        if depth >= DEPTH or not packed:
            self.report.take(Source(where, pieces))
            return
        with SpooledTemporaryFile(max_size=IN_MEMORY) as kept:
            for piece in pieces:
                kept.write(piece)
            kept.seek(0)
            self.file(where, cast(BinaryIO, kept), depth + 1)

    def _carve(self, where: str, file: BinaryIO) -> None:
        for member in carved(file):
            place = f"{where}!{member.offset}"
            if not member.parquet:
                self.report.take(Source(place, member.pieces))
            elif (digest := hashlib.blake2b(member.parquet).digest()) not in self.decoded:
                self.decoded.add(digest)
                try:
                    for source in columns.sources(place, io.BytesIO(member.parquet)):
                        self.report.take(source)
                except BROKEN as error:
                    self.report.could_not_decode(place, error)

    def _read(
        self, where: str, stream: IO[bytes], seen: Callable[[bytes], None] | None = None
    ) -> Iterator[bytes]:
        """Pieces up to the end, or up to where the stream breaks."""
        size = 0
        while size <= INFLATED:
            try:
                piece = stream.read(PIECE)
            except BROKEN as error:
                self.report.could_not_decode(where, error)
                return
            if not piece:
                return
            size += len(piece)
            if seen is not None:
                seen(piece)
            yield piece
        self.report.could_not_read(where, OverflowError())


def _unpacker(head: bytes) -> Unpack | None:
    return next((unpack for magic, unpack in UNPACKERS.items() if head.startswith(magic)), None)
