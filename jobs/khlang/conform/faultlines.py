"""Faults of a member's lines, kept as numbers: a large file may have more of them than objects fit into memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
import polars as pl
from numpy.typing import NDArray

from khlang.model.receipt import LineFault


class FaultLines(Sequence[LineFault]):
    """LineFaults in the order of line, column, code; equal to any sequence of the same ones."""

    __slots__ = ("_kind", "_kinds", "_line")

    def __init__(self, frames: Sequence[pl.DataFrame]) -> None:
        """Frames with columns `_line`, `column`, `code`, a row per fault, in any order."""
        places = [frame.select("_line", pl.col("column").fill_null(""), "code") for frame in frames]
        found = pl.concat(places) if places else pl.DataFrame(schema=["_line", "column", "code"])
        kinds = found.select("column", "code").unique().sort("column", "code").with_row_index("kind")
        numbered = found.join(kinds, on=["column", "code"], maintain_order="left").sort("_line", "kind")
        self._line: NDArray[np.int32] = numbered["_line"].cast(pl.Int32).to_numpy()
        self._kind: NDArray[np.uint16] = numbered["kind"].cast(pl.UInt16).to_numpy()
        self._kinds = [(column or None, code) for column, code in kinds.select("column", "code").iter_rows()]

    def __len__(self) -> int:
        """How many there are."""
        return len(self._line)

    def __iter__(self) -> Iterator[LineFault]:
        """Each in order."""
        for line, kind in zip(self._line, self._kind, strict=True):
            yield LineFault(int(line), *self._kinds[kind])

    @overload
    def __getitem__(self, at: int) -> LineFault: ...

    @overload
    def __getitem__(self, at: slice) -> tuple[LineFault, ...]: ...

    def __getitem__(self, at: int | slice) -> LineFault | tuple[LineFault, ...]:
        """The fault at a place, or several."""
        if isinstance(at, slice):
            return tuple(self[place] for place in range(*at.indices(len(self))))
        return LineFault(int(self._line[at]), *self._kinds[self._kind[at]])

    def __eq__(self, other: object) -> bool:
        """The same faults in the same order."""
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(mine == its for mine, its in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]
