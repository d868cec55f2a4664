"""Files of a table version in the lake's store, read by workers with polars: chosen columns, chosen facilities."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from khlang.lake.parquet import arrow, arrow_schema, write
from khlang.lake.stores import boto, storage_options
from khlang.lake.tables import uri
from khlang.settings import Settings

WORK = "_work"
"""Folder of short-lived objects in the silver bucket, outside every table."""


def read(
    settings: Settings,
    name: str,
    paths: Sequence[str],
    schema: dict[str, pl.DataType],
    columns: Sequence[str],
    condition: pl.Expr,
    path_column: str | None = None,
) -> pl.DataFrame:
    """Rows of the named files that meet the condition; no files give an empty frame of that form.

    Columns that older files lack are null.
    """
    wanted = {column: schema[column] for column in columns}
    if not paths:
        return pl.DataFrame(schema=wanted | ({path_column: pl.String()} if path_column else {}))
    base = uri(settings, name)
    scan = pl.scan_parquet(
        [f"{base}/{path}" for path in paths], schema=schema, missing_columns="insert", extra_columns="ignore",
        storage_options=storage_options(settings), include_file_paths=path_column, hive_partitioning=False,
    )  # fmt: skip
    rows = scan.filter(condition).select(*columns, *([path_column] if path_column else [])).collect()
    if path_column:
        rows = rows.with_columns(pl.col(path_column).str.strip_prefix(f"{base}/"))
    return rows


def hospcodes_of(settings: Settings, name: str, paths: Sequence[str]) -> frozenset[str]:
    """Every facility that has rows in these files."""
    if not paths:
        return frozenset()
    files = [f"{uri(settings, name)}/{path}" for path in paths]
    scan = pl.scan_parquet(files, storage_options=storage_options(settings), hive_partitioning=False)
    return frozenset(scan.select(pl.col("hospcode").unique()).collect()["hospcode"].to_list())


def of_facilities(hospcodes: Sequence[str]) -> pl.Expr:
    """Rows of these facilities."""
    return pl.col("hospcode").is_in(list(hospcodes))


def accepted() -> pl.Expr:
    """Bronze rows that may reach silver: not refused, not superseded by a later line of their member."""
    return pl.col("_accepted") & ~pl.col("_repeated")


def chosen(parts: Sequence[dict[str, Any]], hospcodes: Sequence[str]) -> list[str]:
    """Paths of the files that may hold rows of these facilities (sorted codes)."""
    low, high = hospcodes[0], hospcodes[-1]
    return [
        part["path"] for part in parts if part["low"] is None or (part["low"] <= high and low <= part["high"])
    ]


def put_rows(
    settings: Settings, task: dict[str, Any], name: str, rows: pl.DataFrame, schema: dict[str, pl.DataType]
) -> dict[str, Any]:
    """A task's new rows of a table as one file, sorted by facility; returns what the batch is told of it."""
    path = f"{task['batch']}/{task['attempt']}-{task['number']:05d}.parquet"
    ordered = rows if rows["hospcode"].is_sorted() else rows.sort("hospcode", maintain_order=True)
    written = write(boto(settings, "lake"), settings, name, path, ordered, arrow_schema(schema))
    return {"kind": "file", **asdict(written)}


def put_drops(settings: Settings, task: dict[str, Any], old: pl.DataFrame) -> dict[str, Any]:
    """Note (_path, _key) of rows that will be replaced in a work object; returns its reference and the paths."""
    reference = f"{WORK}/{task['batch']}/{task['attempt']}-{task['number']:05d}.parquet"
    buffer = io.BytesIO()
    pq.write_table(arrow(old), buffer, compression="zstd")
    boto(settings, "lake").put_object(Bucket=settings.bucket("silver"), Key=reference, Body=buffer.getvalue())
    return {"reference": reference, "paths": old["_path"].unique().sort().to_list()}


def drops_of(settings: Settings, reference: str, path: str) -> pl.DataFrame:
    """The noted `_key`s of one file."""
    noted = pl.scan_parquet(
        f"s3://{settings.bucket('silver')}/{reference}", storage_options=storage_options(settings)
    )
    return noted.filter(pl.col("_path") == path).select("_key").collect()


def sweep_work(settings: Settings, batch: str) -> None:
    """Remove a batch's work objects after its commit."""
    client, bucket = boto(settings, "lake"), settings.bucket("silver")
    listed = client.list_objects_v2(Bucket=bucket, Prefix=f"{WORK}/{batch}/")
    for entry in listed.get("Contents", []):
        client.delete_object(Bucket=bucket, Key=entry["Key"])
