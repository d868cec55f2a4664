"""Spark frames <-> committed files: a table version is read as its Parquet files, a frame replaces a table.

Delta's own reader and writer cost seconds of planning per table, whatever its size; files that delta-rs lists
and commits cost a tenth (measured on the pilot: 21 tables opened in 8 instead of 50 CPU seconds).
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from khlang.errors import StoreError
from khlang.lake import tables
from khlang.lake.evidence import attempt_name
from khlang.lake.stores import boto, storage_options
from khlang.lake.tables import Part, Written, bucket_and_path
from khlang.settings import Settings, load

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from mypy_boto3_s3 import S3Client
    from pyspark.sql import DataFrame, SparkSession

MANY_FILES = 500
"""Above this Delta lists a table's files better than Spark, which asks the store for each of them."""
FILE_ROWS = 1_000_000
CONFIGURATION = {
    name: value for name, value in tables.CONFIGURATION.items() if name != "delta.dataSkippingStatsColumns"
} | {"delta.dataSkippingNumIndexedCols": "0"}
WRITTEN = "path string, size bigint, rows bigint, low string, high string"


@dataclass(frozen=True, slots=True)
class Opened:
    """A table at a version with its files, before any session reads it."""

    name: str
    version: int
    table: DeltaTable
    files: list[Part]

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(file.size for file in self.files)


def opened(settings: Settings, name: str, version: int) -> Opened:
    """Open a table at a version and list its files."""
    table = tables.open_table(settings, name, version)
    return Opened(name, version, table, tables.parts(table))


def view(spark: SparkSession, settings: Settings, found: Opened, called: str) -> None:
    """Register an opened table as a temporary view."""
    from pyspark.sql.types import StructType

    address = tables.s3a(settings, found.name)
    if _needs_delta(found.table, found.files):
        reader = spark.read.format("delta").option("versionAsOf", found.version)
        frame = reader.load(address)
    else:
        schema = StructType.fromJson(json.loads(found.table.schema().to_json()))
        paths = [f"{address}/{file.path}" for file in found.files]
        frame = spark.read.schema(schema).parquet(*paths) if paths else spark.createDataFrame([], schema)
    frame.createOrReplaceTempView(called)


def _needs_delta(table: DeltaTable, files: list[Part]) -> bool:
    """Rows are deleted inside files, or there are too many files to name."""
    features = table.protocol().reader_features or []
    return "deletionVectors" in features or len(files) > MANY_FILES


def overwrite(
    rows: DataFrame, settings: Settings, name: str, application: str, note: Mapping[str, str] | None = None
) -> int:
    """Replace a table by a frame in one commit; returns the version that holds it.

    Workers write the files as Arrow. `application` names the commit: made before, it is found and nothing
    is written.
    """
    done = _committed(settings, name, application)
    if done is not None:
        return done
    work = _writer(name, f"{application}/{attempt_name()}")
    found = rows.mapInArrow(work, WRITTEN).collect()
    schema = rows.limit(0).toArrow().schema
    return _replace(
        settings, name, [Written(name, **row.asDict()) for row in found], schema, application, note
    )


def overwrite_arrow(
    rows: pa.Table, settings: Settings, name: str, application: str, note: Mapping[str, str] | None = None
) -> int:
    """Replace a table by rows that the driver holds."""
    done = _committed(settings, name, application)
    if done is not None:
        return done
    path = f"{application}/{attempt_name()}-0.parquet"
    written = write(boto(settings, "lake"), settings, name, path, rows)
    return _replace(settings, name, [written], rows.schema, application, note)


def write(client: S3Client, settings: Settings, name: str, path: str, rows: pa.Table) -> Written:
    """Arrow rows -> one Parquet file of a table (zstd, statistics of the facility only); one PUT."""
    has_facility = "hospcode" in rows.schema.names
    buffer = io.BytesIO()
    pq.write_table(
        rows, buffer, compression="zstd", coerce_timestamps="us",
        write_statistics=["hospcode"] if has_facility else False,
    )  # fmt: skip
    bucket, prefix = bucket_and_path(settings, name)
    body = buffer.getvalue()
    client.put_object(Bucket=bucket, Key=f"{prefix}/{path}", Body=body)
    ends = pc.min_max(rows["hospcode"]).as_py() if has_facility else {"min": None, "max": None}
    return Written(name, path, len(body), rows.num_rows, ends["min"], ends["max"])


def _writer(name: str, place: str) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """The work of one Spark task: its batches become files of at most FILE_ROWS rows."""

    def _work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from pyspark import TaskContext

        context = TaskContext.get()
        part = context.partitionId() if context is not None else 0
        settings = load()
        client = boto(settings, "lake")
        for number, rows in enumerate(_chunks(batches)):
            written = asdict(write(client, settings, name, f"{place}-{part:05d}-{number}.parquet", rows))
            del written["table"]
            yield pa.RecordBatch.from_pylist([written])

    return _work


def _chunks(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Batches joined until there are enough rows for a file."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        if batch.num_rows:
            held.append(batch)
            count += batch.num_rows
        if count >= FILE_ROWS:
            yield pa.Table.from_batches(held)
            held, count = [], 0
    if held:
        yield pa.Table.from_batches(held)


def _committed(settings: Settings, name: str, application: str) -> int | None:
    """Version of a table whose last commit was this application; None when it was not made yet."""
    from deltalake import DeltaTable

    if not DeltaTable.is_deltatable(tables.uri(settings, name), storage_options(settings)):
        return None
    table = tables.open_table(settings, name)
    return table.version() if table.transaction_version(application) is not None else None


def _replace(
    settings: Settings,
    name: str,
    written: list[Written],
    schema: pa.Schema,
    application: str,
    note: Mapping[str, str] | None,
) -> int:
    """One commit: the files in, everything before out, the schema as it is now; read back."""
    from deltalake import DeltaTable, Schema
    from deltalake.transaction import AddAction, CommitProperties, Transaction

    options = storage_options(settings)
    DeltaTable.create(
        tables.uri(settings, name), schema, mode="ignore", name=name.replace(".", "_"),
        configuration=dict(CONFIGURATION), storage_options=options,
    )  # fmt: skip
    actions: list[Any] = [AddAction(w.path, w.size, {}, 0, True, w.stats()) for w in written]
    properties = CommitProperties(
        custom_metadata=dict(note or {}), app_transactions=[Transaction(application, 1)], max_commit_retries=0
    )
    table = tables.open_table(settings, name)
    table.create_write_transaction(
        actions, "overwrite", Schema.from_arrow(schema), commit_properties=properties
    )
    seen = tables.open_table(settings, name)
    if seen.transaction_version(application) is None:
        raise StoreError("commit.lost", "the commit was acknowledged and is not there", place=name)
    return seen.version()
