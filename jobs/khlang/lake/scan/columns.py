"""A Parquet file -> the distinct values of each column, of its statistics and of its metadata, as bytes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from khlang.lake.scan.report import Origin, Source
from khlang.lake.scan.spellings import STOP, Places

ROWS, AT_ONCE = 100_000, 32 << 20
"""Rows decoded at once; a file of more bytes than AT_ONCE is decoded one column at a time."""
FULL = 1 << 20
"""Bytes of cells that are searched together."""
_STOP, _NOTHING = (pa.scalar(between, pa.large_binary()) for between in (bytes([STOP]), b""))


def sources(where: str, file: BinaryIO) -> Iterator[Source]:
    """Statistics, names and metadata of the footer, then every leaf of every column."""
    parquet = pq.ParquetFile(file)
    yield Source(f"{where}#footer", [_footer(parquet)])
    texts, numerals = _Cells(where), _Cells(where, numerals=True)
    for place, leaf in _decoded(file, parquet):
        cells = numerals if pa.types.is_integer(leaf.type) or pa.types.is_floating(leaf.type) else texts
        cells.add(place, leaf)
        if cells.size() >= FULL:
            yield cells.source()
    yield from (cells.source() for cells in (texts, numerals) if cells.size())


def _decoded(file: BinaryIO, parquet: pq.ParquetFile) -> Iterator[tuple[str, pa.Array]]:
    names = [field.name for field in parquet.schema_arrow]
    texts = [f.name for f in parquet.schema_arrow if f.type in (pa.string(), pa.binary())]
    meta = parquet.metadata
    size = sum(meta.row_group(at).total_byte_size for at in range(meta.num_row_groups))
    parquet = pq.ParquetFile(file, read_dictionary=texts)
    for wanted in [names] if size <= AT_ONCE else [[name] for name in names]:
        for batch in parquet.iter_batches(batch_size=ROWS, columns=wanted, use_threads=False):
            for field, column in zip(batch.schema, batch.columns, strict=True):
                yield from _leaves(field.name, column)


def _footer(parquet: pq.ParquetFile) -> bytes:
    """Names, key-value metadata, and the minimum and maximum of every column of every row group."""
    meta = parquet.metadata
    parts = [
        meta.created_by or "",
        *(column.path for column in map(parquet.schema.column, range(meta.num_columns))),
    ]
    for key, value in (meta.metadata or {}).items():
        parts += [key, value]
    for group in range(meta.num_row_groups):
        for column in range(meta.num_columns):
            found = meta.row_group(group).column(column).statistics
            if found is not None and found.has_min_max:
                parts += [found.min, found.max]
    return bytes([STOP]).join(_bytes(part) for part in parts)


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _leaves(place: str, array: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    """Columns within a column: list, map and struct are opened."""
    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        yield from _leaves(place, array.storage)
    elif pa.types.is_struct(kind):
        for field, child in zip(kind, array.flatten(), strict=True):
            yield from _leaves(f"{place}.{field.name}", child)
    elif pa.types.is_map(kind):
        yield from _leaves(f"{place}.key", array.keys)
        yield from _leaves(f"{place}.value", array.items)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        yield from _leaves(place, array.flatten())
    elif not (pa.types.is_temporal(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)):
        yield place, array


class _Cells:
    """Distinct values of columns, joined; each place leads back to its column and how often its value stands there."""

    def __init__(self, where: str, numerals: bool = False) -> None:
        """None yet."""
        self.where, self.numerals = where, numerals
        self._clear()

    def _clear(self) -> None:
        self.joined: list[bytes] = []
        self.names: list[str] = []
        self.starts: list[int] = [0]
        self.ends: list[Places] = []
        self.counts: list[Places] = []

    def size(self) -> int:
        """Bytes so far."""
        return self.starts[-1]

    def add(self, name: str, array: pa.Array) -> None:
        """The distinct values of a leaf, a STOP behind each."""
        counted = array.drop_null().value_counts()
        if not len(counted):
            return
        joined = pc.binary_join_element_wise(_as_binary(counted.field(0)), _NOTHING, _STOP)
        ends = np.cumsum(pc.binary_length(joined).to_numpy(zero_copy_only=False))
        self.joined.append(joined.buffers()[2].slice(0, int(ends[-1])).to_pybytes())
        self.names.append(name)
        self.starts.append(self.starts[-1] + int(ends[-1]))
        self.ends.append(ends)
        self.counts.append(counted.field(1).to_numpy())

    def source(self) -> Source:
        """All of them, to be searched; the cells begin anew."""
        where, names, starts, ends, counts = self.where, self.names, self.starts, self.ends, self.counts

        def _origin(offset: int) -> Origin:
            column = bisect_right(starts, offset) - 1
            inside = offset - starts[column]
            times = counts[column][np.searchsorted(ends[column], inside, "right")]
            return Origin(f"{where}#{names[column]}", inside, int(times))

        pieces, numerals = self.joined, self.numerals
        self._clear()
        return Source(where, pieces, _origin, numerals)


def _as_binary(values: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_floating(values.type):
        whole = pc.cast(values, pa.int64(), safe=False)
        values = pc.if_else(
            pc.equal(whole.cast(pa.float64(), safe=False), values.cast(pa.float64())), whole, None
        )
    if pa.types.is_integer(values.type) or pa.types.is_decimal(values.type):
        values = values.cast(pa.string())
    return pc.fill_null(values.cast(pa.large_binary()), b"")
