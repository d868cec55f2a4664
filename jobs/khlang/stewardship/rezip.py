"""A zip with some members changed, written as it is read: the same members in the same order, nothing on disk."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator


class _Sink(io.RawIOBase):
    """Takes what zipfile writes, until it is fetched; it can not be sought in, so nothing is written twice."""

    def __init__(self) -> None:
        super().__init__()
        self._held = bytearray()

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, piece: bytes) -> int:  # type: ignore[override]
        """Take all of it."""
        self._held += piece
        return len(piece)

    def taken(self) -> bytes:
        """What came since it was asked last."""
        piece = bytes(self._held)
        self._held.clear()
        return piece


Member = tuple[zipfile.ZipInfo, Callable[[], Iterator[bytes]]]
"""An entry as it stood in the zip, its name as it shall be; what gives its bytes."""


def _written(members: list[Member], comment: bytes) -> Iterator[bytes]:
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as made:  # type: ignore[arg-type]
        made.comment = comment
        for item, read in members:
            told = zipfile.ZipInfo(item.filename, item.date_time)
            told.compress_type, told.external_attr = item.compress_type, item.external_attr
            with made.open(told, "w", force_zip64=item.file_size >= 1 << 30) as into:
                for piece in read():
                    into.write(piece)
                    yield sink.taken()
    yield sink.taken()


class Remade:
    """The changed zip as a file that is read from its start, as often as it is wanted: each time the same bytes."""

    def __init__(self, members: list[Member], comment: bytes) -> None:
        """Nothing is written before it is read."""
        self._members, self._comment = members, comment
        self._pieces: Iterator[bytes] = iter(())
        self._held = bytearray()
        self.seek(0)

    def seek(self, offset: int) -> int:
        """To the start only."""
        if offset:
            raise io.UnsupportedOperation("a remade zip is read from its start")
        self._pieces, self._held = _written(self._members, self._comment), bytearray()
        return 0

    def read(self, size: int) -> bytes:
        """The next bytes, as many as are asked for while there are any."""
        for piece in self._pieces:
            self._held += piece
            if len(self._held) >= size:
                break
        found = bytes(self._held[:size])
        del self._held[:size]
        return found
