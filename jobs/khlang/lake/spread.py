"""Tasks as text -> results as text, spread over Spark's workers; no value of a row in any error."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from khlang.errors import KhlangError, StoreError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Work = Callable[[dict[str, Any]], Iterator[dict[str, Any]]]


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
