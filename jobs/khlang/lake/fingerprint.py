"""A table's content as one hash: sorted rows of chosen columns, whatever order or files they lie in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import polars as pl

_NOTHING = "\x00"
_BETWEEN = "\x1f"


def _as_text(name: str, kind: pl.DataType) -> pl.Expr:
    """One column as text that is equal exactly when the values are."""
    column = pl.col(name)
    if kind == pl.Binary:
        column = column.bin.encode("hex")
    elif isinstance(kind, pl.List | pl.Struct):
        column = column.cast(pl.List(pl.Struct({"column": pl.String, "code": pl.String}))).list.eval(
            pl.concat_str(pl.element().struct.field("column", "code"), separator=":", ignore_nulls=True)
        )
        column = column.list.join(",")
    elif kind.is_temporal():
        column = column.to_physical()
    return column.cast(pl.String).fill_null(_NOTHING)


def fingerprint(rows: pl.DataFrame, columns: Sequence[str]) -> str:
    """SHA-256 over the sorted rows of these columns (exact rules, 15: silver's hash)."""
    texts = rows.select(
        pl.concat_str([_as_text(name, rows.schema[name]) for name in columns], separator=_BETWEEN)
    )
    whole = hashlib.sha256(f"{rows.height}\n".encode())
    for row in texts.to_series().sort():
        whole.update(row.encode() + b"\n")
    return whole.hexdigest()
