"""Classes of Spark, Delta and S3A -> one archive beside the jars: sessions start in half the time (JEP 350)."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "jobs"))

from khlang.gold import examples  # noqa: E402
from khlang.lake import session  # noqa: E402
from khlang.model.indicator import indicators  # noqa: E402
from khlang.model.mart import marts  # noqa: E402
from khlang.settings import Settings  # noqa: E402

NOWHERE = "http://127.0.0.1:1"
"""Nothing listens there: the store's client is loaded, asks once and is refused."""
KEYS = {f"{store}_{part}_key": "none" for store in ("lake", "landing") for part in ("access", "secret")}


def main() -> None:
    """Do once what jobs do (SQL of the catalog, Delta, S3A, Python workers); the JVM archives what it loaded."""
    made, fresh = session.class_archive(), session.class_archive().with_suffix(".new")
    made.unlink(missing_ok=True)
    fresh.unlink(missing_ok=True)
    default = Settings.model_fields["jvm_options"].default
    with tempfile.TemporaryDirectory() as home:
        settings: Any = {"home": Path(home), "lake_endpoint": NOWHERE, **KEYS}
        train(
            Settings(jvm_options=f"{default} -XX:ArchiveClassesAtExit={fresh} -Xlog:cds=off", **settings),
            f"{home}/table",
        )
    fresh.replace(made)


def train(settings: Settings, table: str) -> None:
    """Work of every kind on next to no rows, then an orderly end of the JVM, which is when it writes."""
    spark = session.spark(settings, "class archive")
    examples.declare_functions(spark)
    spark.conf.set("spark.sql.adaptive.enabled", "false")
    for mart in ("visit",):
        examples.mart_rows(spark, marts()[mart], marts()[mart].examples[0])
    for indicator in ("dm_control",):
        examples.indicator_rows(spark, indicators()[indicator], indicators()[indicator].examples[0])
    for mode in ("overwrite", "append"):
        spark.range(9).selectExpr("id", "'x' as word").write.format("delta").mode(mode).save(table)
    spark.read.format("delta").load(table).groupBy("word").count().toArrow()
    spark.sparkContext.parallelize([1, 2], 2).map(str).collect()
    _ask_the_store(spark)
    gateway = spark.sparkContext._gateway
    spark.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()  # the JVM ends when its parent's pipe does
    gateway.proc.wait(300)


def _ask_the_store(spark: Any) -> None:
    """Load S3A and the SDK beneath it; the refusal is what is expected."""
    hadoop = spark.sparkContext._jsc.hadoopConfiguration()
    for name, value in {"attempts.maximum": "0", "retry.limit": "0", "connection.timeout": "1s"}.items():
        hadoop.set(f"fs.s3a.{name}", value)
    path = spark._jvm.org.apache.hadoop.fs.Path("s3a://nowhere/at/all")
    try:
        path.getFileSystem(hadoop).getFileStatus(path)
    except Exception as refused:  # any error will do: there is no store
        print(type(refused).__name__, file=sys.stderr)


if __name__ == "__main__":
    main()
