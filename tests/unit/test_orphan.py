"""Rows of a batch and orphans known before -> orphans as they are now, each with the place of its present row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest

from khlang.lake.tables import Written
from khlang.model.contract import contracts
from khlang.settings import Settings
from khlang.silver import orphan
from khlang.silver.current import silver_schema
from khlang.silver.orphan import NAME, links, orphan_schema, rules

Row = dict[str, Any]
HERE, OTHER = "00001", "00002"


def _service(pid: str, seq: str, receipt: str = "R2", key: bytes = b"k", hospcode: str = HERE) -> Row:
    place = {"_receipt": receipt, "_member": 1, "_line": 2, "_key": key}
    return {"hospcode": hospcode, "pid": pid, "seq": seq, **place}


def _person(pid: str, hospcode: str = HERE) -> Row:
    return {
        "hospcode": hospcode,
        "pid": pid,
        "_receipt": "R2",
        "_member": 1,
        "_line": 2,
        "_key": pid.encode(),
    }


class Silver:
    """Tables in memory: (table, file) -> rows; what phase 3 writes and drops is kept."""

    def __init__(self, known: pl.DataFrame | None = None, **files: list[Row]) -> None:
        """`service_new` holds the rows that the batch wrote of SERVICE, `service_old` those before it."""
        self.known = known
        self.files = {tuple(name.rsplit("_", 1)): rows for name, rows in files.items()}
        self.written = pl.DataFrame(schema=orphan_schema())
        self.dropped: list[bytes] = []

    def read(
        self, settings: Settings, name: str, paths: Sequence[str], schema: dict[str, pl.DataType],
        columns: Sequence[str], condition: pl.Expr, path_column: str | None = None,
    ) -> pl.DataFrame:  # fmt: skip
        """In the place of `khlang.silver.stored.read`."""
        table = name.partition(".")[2]
        if name == NAME:
            found = self.known if self.known is not None else pl.DataFrame(schema=orphan_schema())
            return found.with_columns(pl.lit("s0/o").alias("_path")).filter(condition)
        rows = [row for path in paths for row in self.files.get((table, path.partition("/")[2]), [])]
        whole = pl.DataFrame(rows, schema=silver_schema(contracts()[table.upper()]))
        return whole.filter(condition).select(*columns)

    def write(
        self, client: Any, settings: Settings, name: str, path: str, rows: pl.DataFrame, _: Any
    ) -> Written:
        """In the place of `khlang.lake.parquet.write`."""
        self.written = rows
        return Written(name, path, 1, rows.height, None, None)

    def drop(self, settings: Settings, task: Row, old: pl.DataFrame) -> Row:
        """In the place of `khlang.silver.stored.put_drops`."""
        self.dropped = old["_key"].to_list()
        return {}

    def looked(self, monkeypatch: pytest.MonkeyPatch, *hospcodes: str, resolve: bool = False) -> Silver:
        """Phase 3 run for some facilities."""
        monkeypatch.setattr(orphan, "read", self.read)
        monkeypatch.setattr(orphan, "write", self.write)
        monkeypatch.setattr(orphan, "put_drops", self.drop)
        monkeypatch.setattr(orphan, "boto", lambda *_: None)
        every = [
            {"path": f"{batch}/{age}", "low": None, "high": None}
            for batch, age in (("s1", "new"), ("s0", "old"))
        ]
        files = {contract.table: every for contract in contracts().values()}
        task = {
            "hospcodes": list(hospcodes or (HERE,)),
            "resolve": resolve,
            "batch": "s1",
            "attempt": "x",
            "number": 0,
        }
        list(orphan.find_orphans(task | {"files": files, "orphans": []}))
        return self


def _known(row: Row, table: str = "SERVICE", parent: str = "PERSON") -> pl.DataFrame:
    rule = next(r for r in rules() if (r.contract.file, r.parent.file) == (table, parent))
    return links(rule, pl.DataFrame([row], schema=silver_schema(contracts()[table])))


def test_a_parent_of_the_same_batch_one_from_before_and_none(monkeypatch: pytest.MonkeyPatch) -> None:
    service = [_service("l1", "v1", key=b"a"), _service("l2", "v2", key=b"b"), _service("l3", "v3", key=b"c")]
    silver = Silver(service_new=service, person_new=[_person("l1")], person_old=[_person("l2")])
    assert silver.looked(monkeypatch).written.select("parent", "link", "_child").rows() == [
        ("PERSON", "l3", b"c")
    ]
    assert silver.dropped == []


def test_a_parent_at_another_facility_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    silver = Silver(service_new=[_service("l1", "v1")], person_new=[_person("l1", OTHER)])
    assert silver.looked(monkeypatch, HERE, OTHER).written["link"].to_list() == ["l1"]


def test_an_orphan_whose_parent_came_is_none_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    known = _known(_service("l1", "v1"))
    silver = Silver(known, person_new=[_person("l1")]).looked(monkeypatch)
    assert silver.dropped == known["_key"].to_list() and not silver.written.height


def test_an_orphan_that_nothing_touched_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    silver = Silver(_known(_service("l1", "v1"))).looked(monkeypatch)
    assert silver.dropped == [] and not silver.written.height


def test_an_orphan_sent_again_with_a_change_has_the_place_of_its_new_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = _known(_service("l1", "v1", "R1"))
    silver = Silver(known, service_new=[_service("l9", "v1", "R2")]).looked(monkeypatch)
    assert silver.dropped == known["_key"].to_list() == silver.written["_key"].to_list()
    assert silver.written.select("link", "_receipt").rows() == [("l9", "R2")]


def test_an_orphan_whose_row_names_no_parent_any_more_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    known = _known(_service("l1", "v1"))
    unlinked = _service("l1", "v1") | {"pid": None}
    silver = Silver(known, service_new=[unlinked]).looked(monkeypatch)
    assert silver.dropped == known["_key"].to_list() and not silver.written.height


def test_a_facility_resolved_anew_loses_the_orphans_of_rows_that_are_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = _known(_service("l1", "v1"))
    silver = Silver(known).looked(monkeypatch, resolve=True)
    assert silver.dropped == known["_key"].to_list()
