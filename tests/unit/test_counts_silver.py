"""How often silver turns to the store and where its tasks run: counts that must not grow with rules or batches."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any, cast

import polars as pl
import pyarrow as pa
import pytest

from khlang.lake import spread as spreading
from khlang.lake import tables
from khlang.lake.spread import Workers
from khlang.lake.stores import boto
from khlang.lake.tables import Part, Written
from khlang.settings import Settings
from khlang.silver import orphan, work
from khlang.silver.batch import Curation
from khlang.silver.plan import Scope, held, numbered

from .landing_lake import lake

__all__ = ["lake"]

Read = tuple[str, tuple[str, ...]]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Read]:
    """(table, files) of every read of a worker; each finds nothing."""
    made: list[Read] = []

    def _read(
        settings: Settings, name: str, paths: Sequence[str], schema: dict[str, pl.DataType],
        columns: Sequence[str], condition: pl.Expr, path_column: str | None = None,
    ) -> pl.DataFrame:  # fmt: skip
        made.append((name, tuple(paths)))
        more = {path_column: pl.String()} if path_column else {}
        return pl.DataFrame(schema={column: schema[column] for column in columns} | more)

    monkeypatch.setattr(orphan, "read", _read)
    monkeypatch.setattr(work, "read", _read)
    return made


def _part(path: str) -> dict[str, str]:
    return {"path": path, "low": "00001", "high": "00009"}


def test_orphans_read_each_child_once_and_each_parent_once_more_and_no_state_without_need(
    reads: list[Read],
) -> None:
    tables_ = {rule.contract.table for rule in orphan.rules()} | {
        rule.parent_contract.table for rule in orphan.rules()
    }
    files = {table: [_part("s1/new.parquet"), _part("s0/old.parquet")] for table in tables_}
    task = {"hospcodes": ["00002"], "resolve": False, "batch": "s1", "attempt": "x", "number": 0}
    assert list(orphan.find_orphans(task | {"files": files, "orphans": []})) == []
    opened = Counter(name for name, paths in reads if paths)
    parents = {f"silver.{rule.parent_contract.table}" for rule in orphan.rules()}
    children = {f"silver.{rule.contract.table}" for rule in orphan.rules()}
    assert len(orphan.rules()) == 71 and len(parents) == 6
    assert opened == Counter(children) + Counter(parents)
    assert {path for _, paths in reads for path in paths} == {"s1/new.parquet"}


def test_a_table_reads_its_bronze_once_and_people_only_for_rows_that_came(reads: list[Read]) -> None:
    task = {
        "file": "SERVICE", "hospcodes": ["00002"], "resolve": False, "batch": "s1", "batches": ["b1"],
        "attempt": "x", "number": 0, "bronze": [_part("b1/a.parquet")], "silver": [], "sent_at": {},
        "withdrawn": [], "person_before": [_part("s0/p.parquet")], "person_after": [_part("s1/p.parquet")],
        "relink": True,
    }  # fmt: skip
    assert [result["kind"] for result in work.settle(task)] == ["counts"]
    assert [read for read in reads if read[1]] == [("bronze.service", ("b1/a.parquet",))]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each table was opened to list its files."""
    counted: Counter[str] = Counter()

    def _open(settings: Settings, name: str, version: int | None = None) -> str:
        counted[name] += 1
        return name

    monkeypatch.setattr(tables, "open_table", _open)
    monkeypatch.setattr(tables, "parts", lambda table: [Part("s0/a.parquet", 1, 9, "00001", "00002")])
    return counted


def _curation(**visible: int) -> Curation:
    scope = Scope("s1", "x", ("b1",), {}, frozenset())
    return Curation(cast(Workers, None), Settings(), scope, visible, {}, cast(Any, None))


def test_a_version_is_listed_once_and_what_the_batch_leaves_is_known_without_asking(
    opened: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "commit", lambda *_: (4, True))
    name = "silver.service"
    curation = _curation(**{name: 3})
    assert curation.parts(name, 3) == curation.parts(name, 3)
    curation._commit(name, [Written(name, "s1/b.parquet", 1, 5, "00003", "00003")], {"s0/a.parquet"})
    assert [part.path for part in curation.parts(name, 4)] == ["s1/b.parquet"]
    assert opened == {name: 1}


def test_a_commit_that_does_not_follow_the_visible_version_is_listed_anew(
    opened: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "silver.service"
    for found in ((5, True), (4, False)):
        monkeypatch.setattr(tables, "commit", lambda *_, found=found: found)
        monkeypatch.setattr(tables, "discard", lambda *_: None)
        curation = _curation(**{name: 3})
        opened.clear()
        curation._commit(name, [Written(name, "s1/b.parquet", 1, 5, "00003", "00003")], set())
        curation.parts(name, found[0])
        assert opened == {name: 2}


def test_what_opening_a_table_reads_does_not_grow_with_the_batches_before_it(lake: Settings) -> None:
    name = f"silver.t{secrets.token_hex(3)}"
    client = boto(lake, "lake")
    bucket, prefix = tables.bucket_and_path(lake, name)
    client_buckets = {one["Name"] for one in client.list_buckets()["Buckets"]}
    if bucket not in client_buckets:
        client.create_bucket(Bucket=bucket)
    tables.create(lake, name, pa.schema([("hospcode", pa.string())]))
    for number in range(23):
        tables.commit(lake, name, f"b{number}", [Written(name, f"{number}.parquet", 1, 1, "00001", "00001")])
    log = client.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/_delta_log/")["Contents"]
    names = [entry["Key"].rpartition("/")[2] for entry in log]
    newest = max(int(each[:20]) for each in names if each.endswith(".checkpoint.parquet"))
    since = [each for each in names if each.endswith(".json") and int(each[:20]) > newest]
    assert "_last_checkpoint" in names and len(since) <= 10
    assert len(tables.parts(tables.open_table(lake, name))) == 23


def _told(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"number": task["number"]}


@pytest.mark.parametrize(
    ("master", "rows", "sessions"),
    [("local[*]", 500, 0), ("local[*]", 501, 1), ("spark://one:7077", 1, 1)],
)
def test_small_work_starts_no_session_and_a_cluster_gets_all(
    master: str, rows: int, sessions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr(spreading, "spark", lambda settings, name: started.append(name) or SimpleNamespace())
    monkeypatch.setattr(spreading, "spread", lambda session, tasks, act: [r for t in tasks for r in act(t)])
    workers = Workers(Settings(master=master, small_rows=500), "khlang test")
    tasks = numbered([{"rows": 1}, {"rows": 5}])
    assert workers.run([], _told, rows) == []
    for _ in range(2):
        assert workers.run(tasks, _told, rows) == [{"number": 0}, {"number": 1}]
    assert len(started) == sessions


def test_the_longest_task_is_the_first() -> None:
    assert [task["rows"] for task in numbered([{"rows": 1}, {"rows": 7}, {"rows": 3}])] == [7, 3, 1]


def test_facilities_are_looked_for_only_where_a_file_may_hold_them() -> None:
    parts = [
        Part("a", 1, 1, "00003", "00005"),
        Part("b", 1, 1, "00004", "00007"),
        Part("c", 1, 1, "00010", "00010"),
    ]
    assert held(parts, ["00002", "00011", "00010", "00006", "00008"]) == ["00006", "00010"]
    assert held([Part("a", 1, 1, None, None)], ["00002"]) == ["00002"] and held([], ["00002"]) == []
