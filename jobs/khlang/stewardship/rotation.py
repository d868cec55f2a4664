"""The lake's pseudonyms under a new version of the key: every table of bronze and silver, visible in one moment.

A pseudonym of the new version is the keyed hash of the old pseudonym (docs/decisions/0011): nothing is read from
landing, every old pseudonym leads to its new one, and a run that died goes on where it stopped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

import polars as pl

from khlang.bronze.publish import written_files
from khlang.conform.conform import stored_schema
from khlang.lake import tables
from khlang.lake.evidence import attempt_name, note
from khlang.lake.keys import LAKE, KeyStore
from khlang.lake.ledger import Ledger
from khlang.lake.locks import writer
from khlang.lake.parquet import arrow_schema, write
from khlang.lake.spread import Workers
from khlang.lake.stores import boto
from khlang.lake.tables import Part
from khlang.settings import Settings, load
from khlang.silver.orphan import NAME as ORPHAN
from khlang.silver.rewrite import schema_of
from khlang.silver.stored import read
from khlang.stewardship.carry import carried, files_with_people, orphans_carried

ZONES = ("bronze", "silver", "gold")
TASK_ROWS = 200_000
_CARRIED = re.compile(r"^k[0-9]+-[0-9a-f]{8}-")

Say = Callable[[str], None]


def rotate(settings: Settings, say: Say = lambda _: None) -> Mapping[str, Any]:
    """Carry the lake to the newest version of its key, which is made unless an earlier run made it.

    Returns batch, versions, tables and rows. Raises BusyError when another process writes a zone or a batch is
    unfinished; PrivacyError when a stored value is not of the version in force.
    """
    with ExitStack() as stack:
        held = [stack.enter_context(writer(settings, zone)) for zone in ZONES]
        ledger = stack.enter_context(Ledger.open(settings))
        since, store = ledger.key_in_force(), KeyStore.open(settings)
        batch = ledger.begin_rotation()
        to = store.key(LAKE).version if store.key(LAKE).version > since else store.add(LAKE).version
        ledger.note_keys(store.listed())
        workers = Workers(settings, f"khlang {batch}")
        visible = {n: v for n, v in ledger.visible().items() if n.partition(".")[0] in ("bronze", "silver")}
        versions, rows = {}, 0
        for number, name in enumerate(sorted(visible, key=lambda name: (name == ORPHAN, name)), 1):
            made = _carry_table(settings, workers, batch, name, (since, to), visible)
            rows, versions[name] = rows + made, tables.open_table(settings, name).version()
            say(f"{number} of {len(visible)} tables, {rows:,} rows carried")
        for lock in held:
            lock.check()
        keys = store.pseudonymiser(LAKE, to)

        def _carry(values: Sequence[str]) -> Sequence[str]:
            return [str(value) for value in _of_letters(values, keys, since)]

        ledger.commit_rotation(batch, store.key(LAKE, to), versions, _carry)
        ledger.audit("keys", "rotate", f"{LAKE} v{since} to v{to}")
        return {"batch": batch, "since": since, "version": to, "tables": len(versions), "rows": rows}


def _of_letters(values: Sequence[str], keys: Any, since: int) -> list[str | None]:
    from khlang.stewardship.carry import of_persons

    found: list[str | None] = of_persons(
        pl.Series("value", list(values), dtype=pl.String), keys, since
    ).to_list()
    return found


def _carry_table(
    settings: Settings,
    workers: Workers,
    batch: str,
    name: str,
    versions: tuple[int, int],
    visible: Mapping[str, int],
) -> int:
    """One table in one commit; 0 rows when an earlier attempt had committed it."""
    application = f"{batch}/{name}"
    table = tables.open_table(settings, name)
    if table.transaction_version(application) is not None:
        return 0
    parts = tables.parts(table)
    work = {"table": name, "since": versions[0], "version": versions[1], "attempt": attempt_name()}
    if name == ORPHAN:
        work["children"] = {n: v for n, v in visible.items() if n.startswith("silver.") and n != ORPHAN}
    tasks = [{**work, "paths": [part.path for part in group]} for group in _groups(parts)]
    done = workers.run(tasks, carry_files, sum(part.rows for part in parts))
    tables.commit(settings, name, application, written_files(done).get(name, []), parts, note(batch))
    return sum(part.rows for part in parts)


def _groups(parts: Sequence[Part]) -> list[list[Part]]:
    """Files of a table packed for a task each."""
    packed: list[list[Part]] = []
    filled = TASK_ROWS
    for part in sorted(parts, key=lambda part: part.path):
        if filled >= TASK_ROWS:
            packed.append([])
            filled = 0
        packed[-1].append(part)
        filled += part.rows
    return packed


def carry_files(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A worker's part: each file read, carried and written beside, under a name that keeps batch and facilities."""
    settings, name = load(), task["table"]
    keys = KeyStore.open(settings).pseudonymiser(LAKE, task["version"])
    schema = _schema(name)
    for path in task["paths"]:
        rows = read(settings, name, [path], schema, list(schema), pl.lit(True))
        if name == ORPHAN:
            children = _children(settings, rows, task, keys)
            fresh = orphans_carried(rows, children, keys, task["since"])
        else:
            contract = files_with_people()[name.partition(".")[2]]
            fresh = carried(contract, rows, keys, task["since"])
        folder, _, file = path.rpartition("/")
        beside = f"{folder}/k{task['version']}-{task['attempt']}-{_CARRIED.sub('', file)}"
        written = write(boto(settings, "lake"), settings, name, beside, fresh, arrow_schema(schema))
        yield {"kind": "file", **asdict(written)}


def _schema(name: str) -> dict[str, pl.DataType]:
    zone, _, table = name.partition(".")
    return stored_schema(files_with_people()[table]) if zone == "bronze" else schema_of(name)


def _children(settings: Settings, orphans: pl.DataFrame, task: dict[str, Any], keys: Any) -> pl.DataFrame:
    """(table_name, _child, _fresh) of the rows that have no parent, from the tables as they were before."""
    form = {"table_name": pl.String, "_child": pl.Binary, "_fresh": pl.Binary}
    found = [pl.DataFrame(schema=form)]
    for (table,), mine in orphans.group_by("table_name"):
        contract = files_with_people()[str(table)]
        name = f"silver.{table}"
        parts = tables.parts(tables.open_table(settings, name, task["children"][name]))
        low, high = str(mine["hospcode"].min()), str(mine["hospcode"].max())
        paths = [part.path for part in parts if part.overlaps(low, high)]
        schema = _schema(name)
        rows = read(
            settings, name, paths, schema, list(schema), pl.col("_key").is_in(mine["_child"].implode())
        )
        fresh = carried(contract, rows, keys, task["since"])
        found.append(
            pl.DataFrame(
                [
                    pl.Series("table_name", [str(table)] * rows.height, dtype=pl.String),
                    rows["_key"].alias("_child"),
                    fresh["_key"].alias("_fresh"),
                ]
            )
        )
    return pl.concat(found).unique()
