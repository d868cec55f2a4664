"""Deliveries that are made anew -> the files of bronze that go, and what of them stays because others share them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from khlang.bronze.standing import Scope
from khlang.conform.conform import stored_schema
from khlang.lake import tables
from khlang.lake.parquet import arrow_schema, write
from khlang.lake.passes import is_again
from khlang.lake.stores import boto, storage_options
from khlang.lake.tables import Part, ranged
from khlang.model.contract import contracts
from khlang.settings import Settings, load

THREADS = 8


@dataclass(frozen=True, slots=True)
class Touched:
    """A committed file that holds rows of the deliveries; `shared`: rows of others stay, in a file of their own."""

    table: str
    part: Part
    shared: bool


def touched(
    settings: Settings, visible: Mapping[str, int], scope: Scope, receipts: Collection[str]
) -> list[Touched]:
    """Every file of bronze that holds rows of these deliveries: their first passes and the later ones."""

    def _of_table(name: str) -> list[Touched]:
        parts = {part.path: part for part in tables.parts(tables.open_table(settings, name, visible[name]))}
        found = []
        for path in scope.paths(parts.values()):
            held = set(receipts_of(settings, name, [path]))
            if held & set(receipts):
                found.append(Touched(name, parts[path], bool(held - set(receipts))))
        return found

    names = [f"bronze.{contract.table}" for contract in contracts().values()]
    with ThreadPoolExecutor(THREADS) as pool:
        listed = pool.map(_of_table, [name for name in names if name in visible])
        return [one for found in listed for one in found]


def receipts_of(settings: Settings, name: str, paths: Sequence[str]) -> list[str]:
    """Deliveries of which the files hold rows."""
    if not paths:
        return []
    places = [f"{tables.uri(settings, name)}/{path}" for path in paths]
    rows = pl.scan_parquet(places, storage_options=storage_options(settings), hive_partitioning=False)
    return rows.select(pl.col("_receipt").unique()).collect()["_receipt"].to_list()


def keep_tasks(found: Sequence[Touched], receipts: Collection[str], attempt: str) -> list[dict[str, Any]]:
    """One task for each shared file; a lake's files have names that tell batch, pass and facilities."""
    shared = [one for one in found if one.shared]
    return [
        {
            "table": one.table, "path": one.part.path, "receipts": sorted(receipts), "low": one.part.low,
            "high": one.part.high, "kept": _kept_path(one.part, attempt, number),
        }
        for number, one in enumerate(shared)
    ]  # fmt: skip


def _kept_path(part: Part, attempt: str, number: int) -> str:
    """Path of the rest of a file: under the batch of its rows, and of the same pass."""
    mark = "-again-" if is_again(part.path) else "-kept-"
    facilities = [code for code in (part.low, part.high) if code is not None]
    return ranged(f"{part.path.partition('/')[0]}/{attempt}{mark}k{number:05d}", facilities or ["00000"])


def keep_rest(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of a file that belong to other deliveries, as a file; as they are, column for column."""
    settings, name = load(), task["table"]
    schema = stored_schema(contracts()[name.partition(".")[2].upper()])
    scan = pl.scan_parquet(
        f"{tables.uri(settings, name)}/{task['path']}", schema=schema, missing_columns="insert",
        extra_columns="ignore", storage_options=storage_options(settings), hive_partitioning=False,
    )  # fmt: skip
    rows = scan.filter(~pl.col("_receipt").is_in(task["receipts"])).select(list(schema)).collect()
    client = boto(settings, "lake")
    yield {"kind": "file", **asdict(write(client, settings, name, task["kept"], rows, arrow_schema(schema)))}


def standing_rows(
    settings: Settings, versions: Mapping[str, int], batches: Collection[str]
) -> dict[tuple[str, str], int]:
    """(batch, table) -> rows of the batch that the table holds at the version; 0 where none is left."""

    def _of_table(name: str) -> Counter[tuple[str, str]]:
        held: Counter[tuple[str, str]] = Counter({(batch, name): 0 for batch in batches})
        for part in tables.parts(tables.open_table(settings, name, versions[name])):
            batch = part.path.partition("/")[0]
            if batch in batches:
                held[batch, name] += part.rows
        return held

    with ThreadPoolExecutor(THREADS) as pool:
        return {place: rows for held in pool.map(_of_table, versions) for place, rows in held.items()}
