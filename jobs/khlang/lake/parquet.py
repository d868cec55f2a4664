"""Rows -> a Parquet file in the lake's store (zstd, no statistics of values), not yet committed."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from khlang.lake.tables import Written, bucket_and_path
from khlang.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROW_GROUP = 128 * 1024
DICTIONARY_BYTES = 16 * 1024
"""A column with more distinct values than this holds is written plain: keys and pseudonyms gain nothing from it."""


def arrow(rows: pl.DataFrame) -> pa.Table:
    """A frame as Arrow with plain strings (string views are not read everywhere)."""
    return rows.to_arrow(compat_level=pl.CompatLevel.oldest())


def arrow_schema(columns: dict[str, pl.DataType]) -> pa.Schema:
    """Polars columns -> the Arrow schema that the table is created with; large types become plain ones."""
    return pa.schema([pa.field(f.name, _plain(f.type)) for f in arrow(pl.DataFrame(schema=columns)).schema])


def _plain(kind: pa.DataType) -> pa.DataType:
    """large_string -> string and so on: Delta knows one kind only."""
    if pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_large_binary(kind):
        return pa.binary()
    if pa.types.is_large_list(kind):
        return pa.list_(_plain(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(f.name, _plain(f.type)) for f in kind])
    return kind


def write(
    client: S3Client, settings: Settings, name: str, path: str, rows: pl.DataFrame, schema: pa.Schema
) -> Written:
    """Write rows, sorted by facility as given, to `path` inside the table; one PUT."""
    table = arrow(rows).cast(schema)
    buffer = io.BytesIO()
    pq.write_table(
        table,
        buffer,
        compression="zstd",
        row_group_size=ROW_GROUP,
        write_statistics=["hospcode"],
        coerce_timestamps="us",
        dictionary_pagesize_limit=DICTIONARY_BYTES,
    )
    bucket, prefix = bucket_and_path(settings, name)
    body = buffer.getvalue()
    client.put_object(Bucket=bucket, Key=f"{prefix}/{path}", Body=body)
    facility = rows["hospcode"]
    low, high = (str(facility.min()), str(facility.max())) if rows.height else (None, None)
    return Written(name, path, len(body), rows.height, low, high)
