"""The Spark session of a job: Delta on the lake store through S3A, started as cheaply as can be."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from khlang.errors import SettingsError
from khlang.lake.stores import s3a_options
from khlang.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

OLDEST_JAVA = 17
LARGE = "-XX:+UseParallelGC"
"""Options of a JVM that works on many rows, unless the settings name others."""


def spark(settings: Settings, app_name: str, large: bool = False) -> SparkSession:
    """Start (or get) the session of this process; the store's keys stand in no argument, plan or log.

    `large`: the JVM itself reads and joins so many rows that compiling its code well pays.
    """
    prepare_environment()
    from pyspark.conf import SparkConf
    from pyspark.sql import SparkSession

    conf = SparkConf(loadDefaults=False).setAll(list(options(settings, app_name, large).items()))
    session = SparkSession.builder.config(conf=conf).getOrCreate()
    hadoop = session.sparkContext._jsc.hadoopConfiguration()
    for name, value in s3a_options(settings).items():
        hadoop.set(name, value)
    session.sparkContext.setLogLevel("WARN")
    return session


def options(settings: Settings, app_name: str, large: bool = False) -> dict[str, str]:
    """Spark's options without any credential: they are shown by `ps`, plans and event logs."""
    folder = settings.root / "spark"
    for part in ("local", "warehouse"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    return {
        "spark.app.name": app_name,
        "spark.master": settings.master,
        "spark.driver.memory": settings.driver_memory,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraClassPath": f"{jars_folder()}/*",
        "spark.executor.extraClassPath": f"{jars_folder()}/*",
        "spark.driver.extraJavaOptions": _java_options(settings, large),
        "spark.local.dir": str(folder / "local"),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        **_FIXED,
        **(_events(folder / "events") if settings.spark_events else {}),
    }


def _events(folder: Path) -> dict[str, str]:
    """Jobs, stages and tasks as Spark's history server reads them; they name files and columns, no values."""
    folder.mkdir(exist_ok=True)
    return {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.compress": "false",
        "spark.eventLog.dir": folder.as_uri(),
    }


_FIXED = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.speculation": "false",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.shuffle.partitions": str(max(2, os.cpu_count() or 2)),
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.databricks.delta.optimizeWrite.enabled": "false",
    "spark.databricks.delta.autoCompact.enabled": "false",
    "spark.hadoop.fs.s3a.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
    "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
    "spark.port.maxRetries": "32",
}


def prepare_environment() -> None:
    """Java, the workers' Python and Spark's address, before the JVM starts."""
    os.environ["JAVA_HOME"] = str(java_home())
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    for unwanted in ("SPARK_HOME", "SPARK_CONF_DIR", "PYSPARK_SUBMIT_ARGS"):
        os.environ.pop(unwanted, None)


def environments() -> Path:
    """The folder that holds this Python's environment and, beside it, jars and perhaps a Java."""
    return Path(sys.prefix).parent


def jars_folder() -> Path:
    """The locked jars (infra/spark/jars.lock), fetched by the set-up."""
    folder = environments() / "jars"
    if not folder.is_dir():
        raise SettingsError(
            "spark.jars", "the jars are not there", "ไม่พบแฟ้ม jar", str(folder), "run `make setup`"
        )
    return folder


def class_archive() -> Path:
    """Where the set-up leaves the classes that every session loads, ready to be mapped (infra/local/archive.py)."""
    return environments() / "spark.jsa"


def java_home() -> Path:
    """JAVA_HOME, else java on the path, else the one of the set-up; 17 or newer."""
    given = os.environ.get("JAVA_HOME")
    found = shutil.which("java")
    homes = [Path(given)] if given else []
    homes += [Path(found).resolve().parents[1]] if found else []
    homes.append(environments() / "java")
    for home in homes:
        if java_release(home) >= OLDEST_JAVA:
            return home
    raise SettingsError(
        "java.missing",
        f"no Java {OLDEST_JAVA} or newer",
        f"ไม่พบ Java {OLDEST_JAVA} ขึ้นไป",
        ", ".join(map(str, homes)),
        "install openjdk-17-jre-headless, or run `make setup`",
    )


def java_release(home: Path) -> int:
    """Feature release of a Java home (17, 21 ...); 0 when there is none."""
    release = home / "release"
    if not (home / "bin" / "java").exists():
        return 0
    text = release.read_text() if release.exists() else _ask_java(home)
    match = re.search(r'(?:JAVA_VERSION=|version )"(\d+)', text)
    return int(match.group(1)) if match else 0


def _ask_java(home: Path) -> str:
    asked = subprocess.run([home / "bin" / "java", "-version"], capture_output=True, text=True, check=False)
    return asked.stderr


def _java_options(settings: Settings, large: bool) -> str:
    is_chosen = settings.jvm_options != Settings.model_fields["jvm_options"].default
    chosen = LARGE if large and not is_chosen else settings.jvm_options
    scratch = settings.root / "tmp" / "java"
    scratch.mkdir(parents=True, exist_ok=True)
    own = ["-XX:-UsePerfData", "-Dfile.encoding=UTF-8", f"-Djava.io.tmpdir={scratch}", chosen]
    if class_archive().is_file():  # another Java or other jars: the JVM leaves it aside without a word
        own += [f"-XX:SharedArchiveFile={class_archive()}", "-Xlog:cds=off"]
    return " ".join(own).strip()
