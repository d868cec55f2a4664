"""Keys of the rows of a member that is read in pieces -> the rows that a later piece replaces."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from typing import IO

import numpy as np
import polars as pl
from numpy.typing import NDArray

SHELVES = 64
"""Temporary files over which the keys are spread, so that one of them fits into memory."""

_KEY = np.dtype([("high", "<u8"), ("low", "<u8")])
_ROW = np.dtype([("high", "<u8"), ("low", "<u8"), ("piece", "<i4"), ("line", "<i4")])


class Repeats:
    """Where every key was last seen, kept in nameless temporary files: hashes of pseudonyms and line numbers.

    Of the accepted rows of one member with one key the last line wins (row.repeated); the pieces of a large
    member do not see each other.
    """

    def __init__(self) -> None:
        """Nothing is written before a second piece comes."""
        self._shelves: list[IO[bytes]] = []
        self._first: NDArray[np.void] | None = None
        self._pieces = 0

    def add(self, rows: pl.DataFrame) -> int:
        """The bronze rows of the next piece; returns its number, from 0."""
        kept = rows.filter(pl.col("_accepted") & ~pl.col("_repeated")).select("_key", "_line")
        told = np.empty(kept.height, _ROW)
        keys = np.frombuffer(b"".join(kept["_key"].to_list()), _KEY)
        told["high"], told["low"], told["line"] = keys["high"], keys["low"], kept["_line"].to_numpy()
        told["piece"] = self._pieces
        self._pieces += 1
        if self._pieces == 1:
            self._first = told
            return 0
        if self._first is not None:
            self._shelves = [tempfile.TemporaryFile() for _ in range(SHELVES)]  # noqa: SIM115  # closed in found
            self._put(self._first)
            self._first = None
        self._put(told)
        return self._pieces - 1

    def _put(self, told: NDArray[np.void]) -> None:
        shelf = told["high"] % SHELVES
        order = np.argsort(shelf, kind="stable")
        cuts = np.searchsorted(shelf[order], np.arange(SHELVES + 1))
        for number, file in enumerate(self._shelves):
            file.write(told[order[cuts[number] : cuts[number + 1]]].tobytes())

    def found(self) -> dict[int, NDArray[np.int32]]:
        """Piece -> its lines that a later piece replaces; the temporary files are gone afterwards."""
        lines: dict[int, list[NDArray[np.int32]]] = defaultdict(list)
        for file in self._shelves:
            with file:
                file.seek(0)
                told = np.frombuffer(file.read(), _ROW)
            ordered = told[np.lexsort((told["piece"], told["low"], told["high"]))]
            same = (ordered["high"][1:] == ordered["high"][:-1]) & (ordered["low"][1:] == ordered["low"][:-1])
            replaced = ordered[:-1][same]
            for piece in np.unique(replaced["piece"]):
                lines[int(piece)].append(replaced["line"][replaced["piece"] == piece])
        self._shelves = []
        return {piece: np.sort(np.concatenate(parts)) for piece, parts in sorted(lines.items())}
