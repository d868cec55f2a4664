"""Faults found on the rows of one frame: (row, column, code), gathered column by column."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

KEY_VOID = "key.void"
"""Marker of a row whose key lost a value; not a fault of its own."""


@dataclass(frozen=True, slots=True)
class FaultLog:
    """Grows while a frame is checked; rows are indexes into the frame."""

    rows: list[NDArray[np.int64]] = field(default_factory=list)
    columns: list[str | None] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)

    def add(self, mask: pl.Series | NDArray[np.bool_], column: str | None, code: str) -> bool:
        """Note the rows where the mask holds (null is no); returns whether there was any."""
        marks = mask.fill_null(False).to_numpy() if isinstance(mask, pl.Series) else mask
        index = np.flatnonzero(marks)
        if not len(index):
            return False
        self.note(index, column, code)
        return True

    def note(self, rows: NDArray[np.int64], column: str | None, code: str) -> None:
        """Note rows by their indexes."""
        self.rows.append(rows)
        self.columns.append(column)
        self.codes.append(code)

    def frame(self) -> pl.DataFrame:
        """One row per fault: row (index), column, code; ordered by row, then as found."""
        parts = [
            pl.DataFrame({"row": rows}, schema={"row": pl.Int64}).with_columns(
                pl.lit(column, pl.String).alias("column"), pl.lit(code).alias("code")
            )
            for rows, column, code in zip(self.rows, self.columns, self.codes, strict=True)
        ]
        empty = pl.DataFrame(schema={"row": pl.Int64, "column": pl.String, "code": pl.String})
        return pl.concat([empty, *parts]).sort("row", maintain_order=True)
