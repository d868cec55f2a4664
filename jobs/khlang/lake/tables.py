"""Delta tables of the zones: where they lie, which version is visible, how files are committed."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from khlang.errors import StoreError
from khlang.lake.ledger import Ledger
from khlang.lake.stores import boto, storage_options
from khlang.settings import Settings

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from pyspark.sql import DataFrame, SparkSession

STATISTICS = ("hospcode",)
CONFIGURATION = {
    "delta.dataSkippingStatsColumns": "hospcode",
    "delta.logRetentionDuration": "interval 3650 days",
    "delta.deletedFileRetentionDuration": "interval 30 days",
    "delta.checkpointInterval": "10",
}
"""Values of patients never stand in a log: statistics are kept of the facility only (exact rules, 32).

A table is opened by every batch; with checkpoints an opening does not grow with the number of batches before.
"""


@dataclass(frozen=True, slots=True)
class Written:
    """A Parquet file that a worker wrote and nobody committed yet; `low`/`high` bound its hospcode."""

    table: str
    path: str
    size: int
    rows: int
    low: str | None
    high: str | None

    def stats(self) -> str:
        """The file's statistics as Delta's JSON."""
        bounds: dict[str, Any] = {"numRecords": self.rows}
        if self.low is not None:
            bounds |= {"minValues": {"hospcode": self.low}, "maxValues": {"hospcode": self.high}}
            bounds |= {"nullCount": {"hospcode": 0}}
        return json.dumps(bounds)

    def part(self) -> Part:
        """The file as it stands in the table once it is committed."""
        low, high = _bounds(self.path, self.low, self.high)
        return Part(self.path, self.size, self.rows, low, high)


@dataclass(frozen=True, slots=True)
class Part:
    """A committed file of a table version: path within the table, size, rows, hospcode bounds."""

    path: str
    size: int
    rows: int
    low: str | None
    high: str | None

    def overlaps(self, low: str, high: str) -> bool:
        """Whether the file may hold rows of a facility between the two, both included."""
        return self.low is None or self.high is None or (self.low <= high and low <= self.high)


def bucket_and_path(settings: Settings, name: str) -> tuple[str, str]:
    """ "silver.service" -> (bucket, prefix)."""
    zone, _, table = name.partition(".")
    return settings.bucket(zone), table


def uri(settings: Settings, name: str) -> str:
    """Address for delta-rs, polars and DuckDB."""
    return "s3://{}/{}".format(*bucket_and_path(settings, name))


def s3a(settings: Settings, name: str) -> str:
    """Address for Spark."""
    return "s3a://{}/{}".format(*bucket_and_path(settings, name))


def open_table(settings: Settings, name: str, version: int | None = None) -> DeltaTable:
    """The Delta table at a version (None: newest); raises StoreError when it does not exist."""
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    try:
        return DeltaTable(uri(settings, name), version=version, storage_options=storage_options(settings))
    except TableNotFoundError:
        raise StoreError("table.missing", f"table {name} does not exist", place=name) from None


def create(settings: Settings, name: str, schema: pa.Schema, note: str = "") -> None:
    """Make an empty table, or add the columns that the contract gained, without a rewrite."""
    from deltalake import DeltaTable

    options = storage_options(settings)
    if not DeltaTable.is_deltatable(uri(settings, name), options):
        DeltaTable.create(
            uri(settings, name),
            schema,
            mode="ignore",
            name=name.replace(".", "_"),
            description=note,
            configuration=dict(CONFIGURATION),
            storage_options=options,
        )
        return
    table = open_table(settings, name)
    from deltalake import Schema

    known = {field.name for field in table.schema().fields}
    gained = [field for field in Schema.from_arrow(schema).fields if field.name not in known]
    if gained:
        table.alter.add_columns(gained)


_RANGE = re.compile(r"-([0-9]{5})-([0-9]{5})\.parquet$")


def ranged(path: str, hospcodes: Sequence[str]) -> str:
    """A file's path with the delivering facilities in its name.

    Refused rows may carry any other facility's code, which spoils the statistics for finding a facility.
    """
    return f"{path}-{min(hospcodes)}-{max(hospcodes)}.parquet"


def _bounds(path: str, low: str | None, high: str | None) -> tuple[str | None, str | None]:
    """Least and greatest delivering facility of a file."""
    named = _RANGE.search(path)
    return (named[1], named[2]) if named else (low, high)


def _part(row: dict[str, Any]) -> Part:
    """One committed file: bounds from its name, else from its statistics."""
    low, high = _bounds(row["path"], row.get("min.hospcode"), row.get("max.hospcode"))
    return Part(row["path"], row["size_bytes"], row["num_records"], low, high)


def parts(table: DeltaTable) -> list[Part]:
    """Files of an opened table version with the facilities they may hold (accepted rows)."""
    rows = pl.DataFrame(pa.table(table.get_add_actions(flatten=True)))
    return [_part(row) for row in rows.to_dicts()]


def commit(
    settings: Settings,
    name: str,
    application: str,
    added: Sequence[Written],
    removed: Sequence[Part] = (),
    note: Mapping[str, str] | None = None,
) -> tuple[int, bool]:
    """One commit of ready files; returns (version that holds it, whether this call made it).

    `application` is the batch: a commit that was made before is found by it and nothing happens. After the
    commit the version is read back; raises StoreError when it is not there.
    """
    from deltalake.transaction import AddAction, CommitProperties, RemoveAction, Transaction

    table = open_table(settings, name)
    if table.transaction_version(application) is not None:
        return table.version(), False
    now = int(time.time() * 1000)
    actions: list[Any] = [AddAction(w.path, w.size, {}, now, True, w.stats()) for w in added]
    actions += [
        RemoveAction(path=p.path, data_change=True, deletion_timestamp=now, size=p.size) for p in removed
    ]
    if not actions:
        return table.version(), False
    properties = CommitProperties(
        custom_metadata=dict(note or {}), app_transactions=[Transaction(application, 1)], max_commit_retries=0
    )
    table.create_write_transaction(actions, "append", table.schema(), commit_properties=properties)
    seen = open_table(settings, name)
    if seen.transaction_version(application) is None:
        raise StoreError("commit.lost", "the commit was acknowledged and is not there", place=name)
    return seen.version(), True


def discard(settings: Settings, name: str, written: Iterable[Written]) -> None:
    """Remove files that a worker wrote and no commit will name (an earlier attempt had committed already)."""
    bucket, prefix = bucket_and_path(settings, name)
    client = boto(settings, "lake")
    for file in written:
        client.delete_object(Bucket=bucket, Key=f"{prefix}/{file.path}")


def visible(settings: Settings) -> dict[str, int]:
    """Table -> Delta version that readers may see, from the ledger's version map."""
    return Ledger.open(settings).visible()


def version_of(settings: Settings, name: str) -> int:
    """The visible version of a table; raises StoreError when no batch has published it yet."""
    found = visible(settings).get(name)
    if found is None:
        raise StoreError(
            "table.invisible", f"no batch of {name} is complete yet", place=name, next_step="khlang status"
        )
    return found


def frame(
    settings: Settings, name: str, version: int | None = None, columns: Iterable[str] | None = None
) -> pl.LazyFrame:
    """A table as a polars LazyFrame at a version (None: the visible one)."""
    chosen = version_of(settings, name) if version is None else version
    scan = pl.scan_delta(uri(settings, name), version=chosen, storage_options=storage_options(settings))
    return scan if columns is None else scan.select(list(columns))


def views(spark: SparkSession, settings: Settings, names: Iterable[str]) -> None:
    """Register each table at its visible version as a temporary view zone_table (silver_service)."""
    versions = visible(settings)
    for name in names:
        reader = spark.read.format("delta").option("versionAsOf", versions[name])
        reader.load(s3a(settings, name)).createOrReplaceTempView(name.replace(".", "_"))


def overwrite(rows: DataFrame, settings: Settings, name: str, batch: str) -> int:
    """Replace a gold table by a Spark frame in one commit; returns the version that holds the batch."""
    from deltalake import DeltaTable

    options = storage_options(settings)
    if DeltaTable.is_deltatable(uri(settings, name), options):
        table = DeltaTable(uri(settings, name), storage_options=options)
        if table.transaction_version(f"{batch}/{name}") is not None:
            return table.version()
    writer = rows.write.format("delta").mode("overwrite").option("overwriteSchema", "true")
    writer = writer.option("txnAppId", f"{batch}/{name}").option("txnVersion", 1)
    writer.option("delta.dataSkippingNumIndexedCols", "0").save(s3a(settings, name))
    return DeltaTable(uri(settings, name), storage_options=options).version()
