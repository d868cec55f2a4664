"""De-identified columns -> key hash (16 bytes) and row hash (64 bits), stable over versions and machines."""

from __future__ import annotations

import polars as pl
import xxhash

_NOTHING = "\x00"
_BETWEEN = "\x1f"


def _joined(columns: list[pl.Series]) -> pl.Series:
    """Values of a row as one text; equal typed values give equal text."""
    texts: list[pl.Series] = []
    for values in columns:
        if values.dtype == pl.Date:
            values = values.cast(pl.Int32)
        elif isinstance(values.dtype, pl.Datetime):
            values = values.cast(pl.Int64)
        texts.append(values.cast(pl.String).fill_null(_NOTHING).alias(f"c{len(texts)}"))
    return pl.DataFrame(texts).select(pl.concat_str(pl.all(), separator=_BETWEEN)).to_series()


def key_hash(columns: list[pl.Series]) -> pl.Series:
    """XXH3-128 of the key columns after de-identification, as 16 bytes; a blank key column counts as blank."""
    digest = xxhash.xxh3_128_digest
    return pl.Series(
        "_key", [digest(text) for text in _joined(columns).cast(pl.Binary).to_list()], dtype=pl.Binary
    )


def row_hash(columns: list[pl.Series]) -> pl.Series:
    """XXH3-64 of all contract columns after de-identification, as a signed integer."""
    digest = xxhash.xxh3_64_intdigest
    unsigned = pl.Series(
        "_row", [digest(text) for text in _joined(columns).cast(pl.Binary).to_list()], dtype=pl.UInt64
    )
    return unsigned.reinterpret(signed=True)
