"""A committed file of silver -> the same file without the rows that were replaced or went away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import polars as pl

from khlang.errors import BalanceError
from khlang.lake.linked import NAME as LINK
from khlang.lake.linked import link_schema
from khlang.lake.parquet import arrow_schema, write
from khlang.lake.stores import boto
from khlang.model.contract import contracts
from khlang.settings import load
from khlang.silver.current import silver_schema
from khlang.silver.orphan import NAME as ORPHAN
from khlang.silver.orphan import orphan_schema
from khlang.silver.stored import drops_of, read


def schema_of(name: str) -> dict[str, pl.DataType]:
    """Columns of a silver table by its name ("silver.service", "silver.orphan")."""
    if name == ORPHAN:
        return orphan_schema()
    if name == LINK:
        return link_schema()
    return silver_schema(contracts()[name.partition(".")[2].upper()])


def rewrite(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Phase 2: one file without the noted keys; an emptied file yields nothing new.

    Raises BalanceError when a noted row is not in the file it was found in.
    """
    settings, name = load(), task["table"]
    schema = schema_of(name)
    rows = read(settings, name, [task["path"]], schema, list(schema), pl.lit(True))
    noted = pl.concat([drops_of(settings, reference, task["path"]) for reference in task["drops"]]).unique()
    kept = rows.join(noted, on="_key", how="anti", maintain_order="left")
    if kept.height + noted.height != rows.height:
        raise BalanceError("silver.rewrite", "a replaced row is not in the file it was found in", place=name)
    if kept.height:
        path = f"{task['batch']}/{task['attempt']}-r{task['number']:05d}.parquet"
        written = write(boto(settings, "lake"), settings, name, path, kept, arrow_schema(schema))
        yield {"kind": "file", **asdict(written)}
    yield {"kind": "replaced", "table": name, "path": task["path"]}
