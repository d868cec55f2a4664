"""Silver at its visible versions -> stored marts, checked, and the views that indicators read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from khlang.gold import checks
from khlang.gold.views import code_view, facility_area_view, facility_view
from khlang.lake.frames import Opened, opened, overwrite, overwrite_arrow, view
from khlang.lake.locks import Held
from khlang.model.facility import Facility
from khlang.model.mart import Mart, externals, functions, in_order
from khlang.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

THREADS = 3
READERS = 8
LARGE_BYTES = 256 << 20
"""Silver above this is worth a JVM that compiles its code well."""
PLANNED_BYTES = 4 << 30
"""Above this plans are looked at again after every stage (AQE); below it costs more than it saves."""
PARTITION_BYTES = 256 << 20
"""Of silver's bytes, which a shuffle partition may stand for: they are compressed, and a select reads a part."""
TINY_BYTES = 8 << 20
"""Silver below this is read row by row: generating and compiling code for 40 selects costs more."""


@dataclass(frozen=True, slots=True)
class Built:
    """A stored mart of this batch: its version and its rows."""

    version: int
    rows: int


@dataclass(frozen=True, slots=True)
class Build:
    """One gold batch under way over one set of silver versions. `application` names both."""

    spark: SparkSession
    settings: Settings
    application: str
    note: Mapping[str, str]
    held: Held

    def store(self, name: str, rows: DataFrame) -> int:
        """Replace a table of gold in one commit; a re-run of the batch over the same silver finds it there."""
        self.held.check()
        return overwrite(rows, self.settings, f"gold.{name}", self.application, self.note)

    def store_arrow(self, name: str, rows: pa.Table) -> Built:
        """The same for a small table that the driver holds."""
        self.held.check()
        version = overwrite_arrow(rows, self.settings, f"gold.{name}", self.application, self.note)
        return Built(version, rows.num_rows)

    def view(self, name: str, version: int) -> None:
        """A view of a gold table at the version that this batch left."""
        view(self.spark, self.settings, opened(self.settings, f"gold.{name}", version), name)


def application(batch: str, silver: Mapping[str, int]) -> str:
    """Name of the batch's commits: a batch that is resumed over a newer silver writes anew."""
    versions = sorted(item for item in silver.items() if item[0].startswith("silver."))
    read = ",".join(f"{name}={version}" for name, version in versions)
    return f"{batch}-{hashlib.sha256(read.encode()).hexdigest()[:12]}"


def open_silver(settings: Settings, versions: Mapping[str, int], wanted: Iterable[str]) -> dict[str, Opened]:
    """View -> table of silver with its files, of the wanted views; nothing of Spark is needed for it."""
    named = {name: name.replace("_", ".", 1) for name in externals(wanted) if name.startswith("silver_")}
    with ThreadPoolExecutor(READERS) as pool:
        found = pool.map(lambda table: opened(settings, table, versions[table]), named.values())
        return dict(zip(named, found, strict=True))


def open_views(
    build: Build, silver: Mapping[str, Opened], wanted: Iterable[str], facilities: Sequence[Facility]
) -> None:
    """Everything that is read and not declared: functions, tables of silver, code lists, the registry."""
    for function in functions().values():
        build.spark.sql(function.ddl)
    held = {name: code_view(name) for name in externals(wanted) if name.startswith("code_")}
    held |= {"facility": facility_view(facilities), "facility_area": facility_area_view(facilities)}
    for name, rows in held.items():
        build.spark.createDataFrame(rows).createOrReplaceTempView(name)
    with ThreadPoolExecutor(READERS) as pool:
        list(pool.map(lambda name: view(build.spark, build.settings, silver[name], name), silver))
    for name, value in planning(size(silver)).items():
        build.spark.conf.set(name, value)


def size(silver: Mapping[str, Opened]) -> int:
    """Bytes of all files that are read."""
    return sum(table.size for table in silver.values())


def planning(read: int) -> dict[str, str]:
    """Spark's options for so many bytes of silver."""
    partitions = max(os.cpu_count() or 2, -(-read // PARTITION_BYTES))
    return {
        "spark.sql.adaptive.enabled": str(read > PLANNED_BYTES).lower(),
        "spark.sql.shuffle.partitions": str(partitions),
        "spark.sql.codegen.wholeStage": str(read > TINY_BYTES).lower(),
        "spark.sql.codegen.factoryMode": "FALLBACK" if read > TINY_BYTES else "NO_CODEGEN",
    }


def build_marts(build: Build, declared: Mapping[str, Mart], wanted: Iterable[str]) -> dict[str, Built]:
    """Every stored mart in one commit each, and a view of every declared mart that is wanted.

    Marts are built in threads, each after those it reads; building blocks are kept in memory.
    """
    chosen = in_order([*(m.name for m in declared.values() if m.stored), *wanted], declared)
    waiting: dict[str, Future[Built | None]] = {}
    with ThreadPoolExecutor(THREADS) as pool:
        for mart in chosen:
            sources = [waiting[name] for name in mart.reads if name in waiting]
            waiting[mart.name] = pool.submit(_build, build, mart, sources)
        done = {name: future.result() for name, future in waiting.items()}
    return {name: built for name, built in done.items() if built is not None}


def _build(build: Build, mart: Mart, sources: Sequence[Future[Built | None]]) -> Built | None:
    """One mart after its sources: stored, checked and opened again, or kept as a building block."""
    for source in sources:
        source.result()
    rows = build.spark.sql(mart.sql)
    checks.columns_match(mart, [(field.name, field.dataType.simpleString()) for field in rows.schema.fields])
    if not mart.stored:
        rows.cache().createOrReplaceTempView(mart.name)
        return None
    version = build.store(mart.name, rows)
    build.view(mart.name, version)
    return Built(version, checked(build, mart))


def checked(build: Build, mart: Mart) -> int:
    """Rows of a stored mart when all its checks hold; keys that seem double by their hashes are looked at."""
    found = _found(build, checks.failures_sql(mart))
    if not checks.certain(mart, found):
        found = _found(build, checks.failures_sql(mart, hashed=False))
    return checks.judge(mart, found)


def _found(build: Build, sql: str) -> dict[str, int]:
    """The one row of a check's select."""
    return build.spark.sql(sql).collect()[0].asDict()
