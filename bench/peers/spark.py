"""The work with plain Spark and Delta: csv, checks as expressions, pandas functions for ids and texts, MERGE.

Texts are analysed row by row with one engine per worker, as most teams write it; with PEER_NOTES=distinct in the
environment a worker remembers the texts that it has seen.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, Observation, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import IntegerType, StringType, StructField, StructType

from bench.peers.shared_keys import open_keys
from bench.peers.shared_sql import Checks, Dialect, answer, sums
from bench.peers.shared_work import BLANKS, Counted, Run, key_fields, main
from bench.peers.shared_zips import PLACE, Broken, Sheet, Staged
from bench.peers.spark_functions import cleared, pseudonym
from khlang.lake.session import class_archive, jars_folder, prepare_environment
from khlang.model.contract import Contract, contracts

TABLES_AT_ONCE = 4
ROWS_PER_PART = 500_000

DIALECT = Dialect(
    trim=lambda text: f"trim(BOTH '{BLANKS}' FROM {text})",
    match=lambda text, pattern: f"({text} RLIKE '{pattern}')",
    cast=lambda text, kind: f"try_cast({text} AS {kind})",
    date=lambda text: f"try_cast({_dashed(text)} AS DATE)",
    moment=lambda text: f"try_cast({_dashed(text)} || ' ' || {_clock(text)} AS TIMESTAMP_NTZ)",
    pseudonym=lambda domain, message: f"pseudonym_{domain}({message})",
    text="STRING", timestamp="TIMESTAMP_NTZ", quote="`", notes=lambda text: f"scrubbed({text})",
)  # fmt: skip


def _dashed(text: str) -> str:
    return f"concat(substr({text}, 1, 4), '-', substr({text}, 5, 2), '-', substr({text}, 7, 2))"


def _clock(text: str) -> str:
    return f"concat(substr({text}, 9, 2), ':', substr({text}, 11, 2), ':', substr({text}, 13, 2))"


def session(run: Run) -> SparkSession:
    """A local session with Delta, all cores, its scratch under the state folder."""
    prepare_environment()
    scratch = run.state / "spark"
    scratch.mkdir(exist_ok=True)
    java = f"-XX:-UsePerfData -Djava.io.tmpdir={scratch} -Dderby.system.home={scratch}"
    if class_archive().is_file():
        java += f" -XX:SharedArchiveFile={class_archive()} -Xlog:cds=off"
    options = {
        "spark.master": "local[*]", "spark.driver.memory": "6g", "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1", "spark.driver.extraClassPath": f"{jars_folder()}/*",
        "spark.driver.extraJavaOptions": java, "spark.local.dir": str(scratch),
        "spark.sql.warehouse.dir": str(scratch / "warehouse"), "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false", "spark.sql.session.timeZone": "UTC",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.shuffle.partitions": str(max(2, os.cpu_count() or 2)),
        "spark.sql.execution.arrow.pyspark.enabled": "true", "spark.scheduler.mode": "FAIR",
        "spark.sql.parquet.compression.codec": "zstd", "spark.databricks.delta.snapshotPartitions": "2",
        "spark.databricks.delta.properties.defaults.enableDeletionVectors": "true",
    }  # fmt: skip
    builder = SparkSession.builder.appName("peer")
    for name, value in options.items():
        builder = builder.config(name, value)
    made: SparkSession = builder.getOrCreate()
    made.sparkContext.setLogLevel("ERROR")
    return made


def _register(spark: SparkSession, state: str) -> None:
    """pseudonym_<domain>(text) and scrubbed(text) as SQL functions."""
    once = os.environ.get("PEER_NOTES") == "distinct"
    for domain in open_keys(Path(state)):
        hashed = pandas_udf(pseudonym(domain, state), "string")  # type: ignore[call-overload]
        spark.udf.register(f"pseudonym_{domain}", hashed)
    spark.udf.register("scrubbed", pandas_udf(cleared(once), "string"))  # type: ignore[call-overload]


@dataclass(frozen=True, slots=True)
class Loader:
    """One load of all files; `known` holds the rows of the current tables before it."""

    run: Run
    staged: Staged
    spark: SparkSession
    known: Mapping[str, int]

    def file(self, file: str, sheets: Sequence[Sheet]) -> Counted:
        """Read, check, de-identify and store one file. Spark reads and checks while it writes the raw table."""
        contract, run = contracts()[file], self.run
        broken = self.staged.broken_of(file)
        watch = Observation()
        with run.phase("write"):
            raw = self._raw(contract, sheets, broken).observe(
                watch, F.count(F.lit(1)).alias("rows"), F.count_if(F.col("_accepted")).alias("accepted")
            )
            path = str(run.state / "raw" / contract.table)
            raw.write.format("delta").mode("append").partitionBy("_batch").save(path)
        seen = watch.get
        with run.phase("upsert"):
            count = self._upsert(contract, self.spark.read.format("delta").load(path))
        return Counted(contract.table, seen["rows"], seen["rows"] - seen["accepted"], count)

    def _raw(self, contract: Contract, sheets: Sequence[Sheet], broken: Sequence[Broken]) -> DataFrame:
        """Rows of the raw table, not yet computed."""
        filled = {name for sheet in sheets for name in sheet.fields if name}
        checks = Checks(DIALECT, contract, frozenset(filled), any(sheet.thai for sheet in sheets))
        fields = ", ".join(f"`{c.field}` {DIALECT.type(c)}" for c in contract.current)
        place = "_receipt STRING, _member INT, _line INT, _sent_at TIMESTAMP_NTZ, _accepted BOOLEAN, _faults STRING"
        frames = []
        if sheets:
            view = f"staged_{contract.table}"
            self._staged(contract, sheets).createOrReplaceTempView(view)
            frames.append(self.spark.sql(checks.query(view)))
        if broken:
            rows = [_broken_row(line, len(contract.current)) for line in broken]
            frames.append(self.spark.createDataFrame(rows, f"{fields}, {place}"))
        whole = frames[0] if len(frames) == 1 else frames[0].unionByName(frames[1])
        return whole.withColumn("_batch", F.lit(self.run.batch))

    def _staged(self, contract: Contract, sheets: Sequence[Sheet]) -> DataFrame:
        wanted = {column.name for column in contract.current}
        whole: DataFrame | None = None
        for sheet in sheets:
            place = [
                StructField(name, IntegerType() if name in PLACE[1:] else StringType()) for name in PLACE
            ]
            fields = [StructField(f"f{number}", StringType()) for number in range(len(sheet.fields))]
            reader = (
                self.spark.read.schema(StructType([*place, *fields])).option("sep", "|").option("quote", "")
            )
            known = [
                F.col(f"f{n}").alias(f"t_{name.lower()}")
                for n, name in enumerate(sheet.fields)
                if name in wanted
            ]
            rows = reader.csv(list(sheet.paths)).select(*PLACE, F.lit(sheet.layout).alias("layout"), *known)
            whole = rows if whole is None else whole.unionByName(rows, allowMissingColumns=True)
        assert whole is not None, "a file without sheets is not read"
        parts = max(os.cpu_count() or 2, sum(sheet.rows for sheet in sheets) // ROWS_PER_PART)
        return whole.coalesce(parts)  # also keeps the checks from being planned once per header

    def _upsert(self, contract: Contract, raw: DataFrame) -> int:
        """The latest accepted row of each key into the current table by MERGE; how many rows it has then."""
        key = key_fields(contract)
        path = str(self.run.state / "current" / contract.table)
        latest = Window.partitionBy(*key).orderBy(
            *(F.desc(c) for c in ("_sent_at", "_receipt", "_member", "_line"))
        )
        fresh = (
            raw.where((F.col("_batch") == self.run.batch) & F.col("_accepted"))
            .withColumn("_rank", F.row_number().over(latest)).where("_rank = 1")
            .withColumn("_row", F.xxhash64(*(F.col(f"`{c.field}`") for c in contract.current)))
            .drop("_rank", "_accepted", "_batch")
        )  # fmt: skip
        if contract.table not in self.known:
            watch = Observation()
            fresh.observe(watch, F.count(F.lit(1)).alias("rows")).write.format("delta").mode(
                "overwrite"
            ).save(path)
            return int(watch.get["rows"])
        same = " AND ".join(f"old.{name} = fresh.{name}" for name in key)
        merged = (
            DeltaTable.forPath(self.spark, path).alias("old").merge(fresh.alias("fresh"), same)
            .whenMatchedUpdateAll("old._row <> fresh._row AND old._sent_at <= fresh._sent_at")
            .whenNotMatchedInsertAll().execute()
        )  # fmt: skip
        told = merged.first()
        assert told is not None, "a merge tells what it did"
        return self.known[contract.table] + int(told["num_inserted_rows"])


def _broken_row(line: Broken, columns: int) -> list[Any]:
    """A line that is no row: only its place and fault."""
    sent = datetime.strptime(line.receipt[10:24], "%Y%m%d%H%M%S")
    place = [line.receipt, line.member, line.line, sent, False, line.code]
    return [line.receipt[4:9], *[None] * (columns - 1), *place]


def _sums(spark: SparkSession, state: Path) -> dict[str, Any]:
    """Sums over the current tables, stored beside them; totals for the answer."""
    found = {}
    month = "date_format(date_serv, 'yyyy-MM')"
    for name, query in sums(month, lambda table: f"delta.`{state}/current/{table}`").items():
        path = str(state / "sums" / name)
        spark.sql(query).coalesce(1).write.format("delta").mode("overwrite").save(path)
        found[name] = [tuple(row) for row in spark.read.format("delta").load(path).collect()]
    months = [(visits, people) for *_, visits, people in found["facility_month"]]
    return answer(months, found["chapter"], found["chronic_patient"])


def load(run: Run, staged: Staged) -> tuple[list[Counted], Mapping[str, Any]]:
    """All files, the large ones first, four at a time; files that did not come keep their current rows."""
    counts = run.state / "counts.json"
    known: dict[str, int] = json.loads(counts.read_text()) if counts.exists() else {}
    open_keys(run.state)
    with run.phase("start"):
        spark = session(run)
        _register(spark, str(run.state))
    loader = Loader(run, staged, spark, known)
    with ThreadPoolExecutor(TABLES_AT_ONCE) as pool:
        counted = list(pool.map(lambda item: loader.file(*item), staged.files.items()))
    told = {one.table for one in counted}
    counted += [Counted(table, 0, 0, rows) for table, rows in known.items() if table not in told]
    counts.write_text(json.dumps({one.table: one.current_rows for one in counted}))
    with run.phase("aggregate"):
        found = _sums(spark, run.state)
    spark.stop()
    return counted, found


if __name__ == "__main__":
    main(load)
