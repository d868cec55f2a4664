"""The lake's pseudonyms under a new version of the key: every table of bronze and silver, visible in one moment.

A pseudonym of the new version is the keyed hash of the old pseudonym (docs/decisions/0011): nothing is read from
landing, every old pseudonym leads to its new one, and a run that died goes on where it stopped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import polars as pl

from khlang.bronze.publish import written_files
from khlang.conform.conform import stored_schema
from khlang.conform.pseudonym import Pseudonymiser
from khlang.lake import tables
from khlang.lake.evidence import attempt_name, note
from khlang.lake.keys import LAKE, KeyStore
from khlang.lake.ledger import Ledger
from khlang.lake.linked import NAME as LINK
from khlang.lake.locks import writer
from khlang.lake.parquet import arrow_schema, write
from khlang.lake.spread import Workers
from khlang.lake.stores import boto
from khlang.lake.tables import Part, Written
from khlang.settings import Settings, load
from khlang.silver.orphan import NAME as ORPHAN
from khlang.silver.rewrite import schema_of
from khlang.silver.stored import read
from khlang.stewardship.carry import carried, files_with_people, of_persons, orphans_carried

ZONES = ("bronze", "silver", "gold")
TASK_ROWS, GROUP_ROWS = 200_000, 5_000_000
COMMIT_THREADS = 8
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
        visible = {n: v for n, v in ledger.visible().items() if n.partition(".")[0] in ("bronze", "silver")}
        run = Run(settings, Workers(settings, f"khlang {batch}"), batch, (since, to), visible)
        versions, rows = run.carry(say)
        for lock in held:
            lock.check()
        keys = store.pseudonymiser(LAKE, to)

        ledger.commit_rotation(batch, store.key(LAKE, to), versions, partial(_of_ledger, keys, since))
        ledger.audit("keys", "rotate", f"{LAKE} v{since} to v{to}")
        return {"batch": batch, "since": since, "version": to, "tables": len(versions), "rows": rows}


def _of_ledger(keys: Pseudonymiser, since: int, values: Sequence[str]) -> list[str]:
    """Pseudonyms of citizens and patients that the ledger keeps."""
    moved = of_persons(pl.Series("value", list(values), dtype=pl.String), keys, since)
    return [str(value) for value in moved]


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt at a rotation: tables in groups, each group's files on the workers, then a commit per table."""

    settings: Settings
    workers: Workers
    batch: str
    versions: tuple[int, int]
    visible: Mapping[str, int]

    def carry(self, say: Say) -> tuple[dict[str, int], int]:
        """Every table; returns the version that each ends at, and the rows carried by this attempt."""
        ends: dict[str, int] = {}
        carried_rows = 0
        with ThreadPoolExecutor(COMMIT_THREADS) as pool:
            opened = dict(zip(self.visible, pool.map(self._open, self.visible), strict=True))
            waiting = {name: parts for name, (parts, _) in opened.items() if parts}
            ends |= {name: version for name, (parts, version) in opened.items() if not parts}
            for names in _tables_together(waiting):
                tasks = [task for name in names for task in self._tasks(name, waiting[name])]
                rows = sum(part.rows for name in names for part in waiting[name])
                written = written_files(self.workers.run(tasks, carry_files, rows))
                added = [written.get(name, []) for name in names]
                made = pool.map(self._commit, names, added, [waiting[name] for name in names])
                ends |= dict(zip(names, made, strict=True))
                carried_rows += rows
                say(f"{len(ends)} of {len(self.visible)} tables, {carried_rows:,} rows carried")
        return ends, carried_rows

    def _open(self, name: str) -> tuple[list[Part], int]:
        """Files that are to be carried: none when an earlier attempt had committed the table, or it is empty."""
        table = tables.open_table(self.settings, name)
        done = table.transaction_version(f"{self.batch}/{name}") is not None
        return [] if done else tables.parts(table), table.version()

    def _tasks(self, name: str, parts: Sequence[Part]) -> list[dict[str, Any]]:
        since, to = self.versions
        work: dict[str, Any] = {"table": name, "since": since, "version": to, "attempt": attempt_name()}
        if name == ORPHAN:
            work["children"] = {
                n: v for n, v in self.visible.items() if n.startswith("silver.") and n not in (ORPHAN, LINK)
            }
        return [{**work, "paths": [part.path for part in group]} for group in _groups(parts)]

    def _commit(self, name: str, written: Sequence[Written], parts: Sequence[Part]) -> int:
        version, _ = tables.commit(
            self.settings, name, f"{self.batch}/{name}", written, parts, note(self.batch)
        )
        return version


def _tables_together(waiting: Mapping[str, Sequence[Part]]) -> Iterator[list[str]]:
    """Tables whose rows are carried before their commits: what a run that dies has to do again."""
    together: list[str] = []
    filled = 0
    for name in sorted(waiting):
        rows = sum(part.rows for part in waiting[name])
        if together and filled + rows > GROUP_ROWS:
            yield together
            together, filled = [], 0
        together.append(name)
        filled += rows
    if together:
        yield together


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
        fresh = _fresh(settings, rows, task, keys)
        folder, _, file = path.rpartition("/")
        beside = f"{folder}/k{task['version']}-{task['attempt']}-{_CARRIED.sub('', file)}"
        written = write(boto(settings, "lake"), settings, name, beside, fresh, arrow_schema(schema))
        yield {"kind": "file", **asdict(written)}


def _fresh(settings: Settings, rows: pl.DataFrame, task: dict[str, Any], keys: Pseudonymiser) -> pl.DataFrame:
    """The rows of one file, carried."""
    name, since = task["table"], task["since"]
    if name == ORPHAN:
        return orphans_carried(rows, _children(settings, rows, task, keys), keys, since)
    if name == LINK:  # its own key names the row and stays
        pid = keys.forward("patient", rows["pid"], since)
        return rows.with_columns(
            pid.alias("pid"), of_persons(rows["person_key"], keys, since).alias("person_key")
        )
    return carried(files_with_people()[name.partition(".")[2]], rows, keys, since)


def _schema(name: str) -> dict[str, pl.DataType]:
    zone, _, table = name.partition(".")
    return stored_schema(files_with_people()[table]) if zone == "bronze" else schema_of(name)


def _children(
    settings: Settings, orphans: pl.DataFrame, task: dict[str, Any], keys: Pseudonymiser
) -> pl.DataFrame:
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
