"""Tasks as text -> results as text, spread over Spark's workers; no value of a row in any error."""

from __future__ import annotations

import json
import os
import re
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any

from khlang.errors import KhlangError, StoreError
from khlang.lake.session import spark
from khlang.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_LOCAL = re.compile(r"local\[([0-9]+|\*)\]")

Work = Callable[[dict[str, Any]], Iterator[dict[str, Any]]]


class Workers:
    """Where the tasks of one job run: small work in threads of this process, the rest on Spark's workers.

    The session starts when it is first needed. A cluster gets all work.
    """

    def __init__(self, settings: Settings, name: str) -> None:
        """`name` is what the session is called."""
        self._settings, self._name = settings, name

    @property
    def _is_local(self) -> bool:
        return self._settings.master.startswith("local")

    @cached_property
    def cores(self) -> int:
        """How many tasks run side by side."""
        named = _LOCAL.fullmatch(self._settings.master)
        if named is None:
            return int(self.session.sparkContext.defaultParallelism)
        return int(named[1]) if named[1].isdigit() else os.cpu_count() or 1

    @cached_property
    def session(self) -> SparkSession:
        """The Spark session, started now."""
        return spark(self._settings, self._name)

    def run(self, tasks: Sequence[dict[str, Any]], work: Work, rows: int) -> list[dict[str, Any]]:
        """Every task's results; `rows` is about how many rows the tasks read together."""
        if not tasks:
            return []
        # Up to here a JVM and its Python workers cost more than the work: 10 CPU seconds against 5.
        if self._is_local and rows <= self._settings.small_rows:
            return _here(tasks, work, self.cores)
        return spread(self.session, tasks, work)


def _here(tasks: Sequence[dict[str, Any]], work: Work, threads: int) -> list[dict[str, Any]]:
    """The tasks in threads of this process, their texts as they would travel."""
    texts = [json.dumps(task) for task in tasks]
    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(lambda text: list(_safe(work, text)), texts))
    return [json.loads(result) for results in found for result in results]


def _safe(work: Work, task: str) -> Iterator[str]:
    """Run one task; an unforeseen error keeps its type and its places in the code, never its message."""
    try:
        for result in work(json.loads(task)):
            yield json.dumps(result)
    except KhlangError:
        raise
    except Exception as wrong:
        frames = traceback.extract_tb(wrong.__traceback__)
        ours = [f"{frame.filename.rpartition('/khlang/')[2]}:{frame.lineno}" for frame in frames]
        message = f"{type(wrong).__name__} in a worker"
        raise StoreError("task.failed", message, place=" < ".join(reversed(ours[-4:]))) from None


def spread(spark: SparkSession, tasks: Sequence[dict[str, Any]], work: Work) -> list[dict[str, Any]]:
    """Each task in a Spark task of its own; `work` is a module's function, imported by the workers.

    Tasks and results are small and hold no identifiers: keys, names and bytes are opened by reference.
    """
    if not tasks:
        return []
    texts = [json.dumps(task) for task in tasks]
    context = spark.sparkContext
    found = context.parallelize(texts, len(texts)).flatMap(lambda text: _safe(work, text)).collect()
    return [json.loads(text) for text in found]
