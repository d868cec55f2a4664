"""The gate before planners: only declared texts and counts pass, a hit names table and column and never a value."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sqlalchemy import MetaData, Table

from khlang.conform.pseudonym import LETTERS, Pseudonymiser
from khlang.errors import PrivacyError
from khlang.model.contract import contracts
from khlang.model.share import SharedColumn, SharedTable, shares
from khlang.settings import PROJECT
from khlang.shares import gate, serving
from khlang.shares.gate import cleared, named, only_declared
from khlang.shares.serving import release_table, shared_rows, shared_tables

from .planted import CID, EMAIL, PHONE

PLANNER = shares()["planner"]
TABLES = shared_tables(PLANNER, MetaData())
GOOD: dict[str, Any] = {
    "release_id": 1, "indicator": "ht_control", "level": "province", "area": "50", "iso": "TH-50",
    "area_th": "เชียงใหม่", "area_en": "Chiang Mai", "fiscal_year": 2569, "month": "2026-08", "hidden": False,
    "definition_version": "1", "facilities_heard": 3, "facilities_expected": 4, "numerator": 20, "denominator": 40,
    "value": 0.5, "as_of": datetime(2026, 11, 6, 3, tzinfo=UTC),
}  # fmt: skip
PSEUDONYM = Pseudonymiser.throwaway().of("person", pl.Series(["1"]))[0]


def _row(table: Table, **changed: Any) -> tuple[Any, ...]:
    rules = gate.indicators()["ht_control"]
    right = GOOD | {"name_th": rules.name_th, "name_en": rules.name_en}
    return tuple((right | changed).get(column.name, 10) for column in table.columns)


def _texts() -> Iterator[tuple[str, str]]:
    for table in PLANNER.tables:
        yield from ((table.name, column.name) for column in table.columns if column.type == "text")


def _numbers() -> Iterator[tuple[str, str]]:
    kinds = ("integer", "bigint", "double")
    for table in PLANNER.tables:
        yield from ((table.name, column.name) for column in table.columns if column.type in kinds)


def test_right_rows_pass_unchanged() -> None:
    for table in TABLES.values():
        assert cleared(table, [_row(table)]).rows == (_row(table),)


@pytest.mark.parametrize(("name", "column"), _texts())
@pytest.mark.parametrize("value", [CID, PHONE, EMAIL, "นายสมชาย สมมุติ", PSEUDONYM, "anything"])
def test_a_text_of_no_declared_set_stops_the_release(name: str, column: str, value: str) -> None:
    with pytest.raises(PrivacyError, match=r"publish\.leak") as refused:
        cleared(TABLES[name], [_row(TABLES[name]), _row(TABLES[name], **{column: value})])
    assert refused.value.place == f"serving.{name}.{column}" and value not in str(refused.value)


@pytest.mark.parametrize(("name", "column"), _numbers())
@pytest.mark.parametrize("value", [int(CID), float(CID), CID, float("inf"), True])
def test_a_number_that_may_be_someone_stops_the_release(name: str, column: str, value: Any) -> None:
    with pytest.raises(PrivacyError, match=r"publish\.leak") as refused:
        cleared(TABLES[name], [_row(TABLES[name], **{column: value})])
    assert refused.value.place == f"serving.{name}.{column}" and str(value) not in str(refused.value)


@pytest.fixture
def open_text() -> Table:
    """A table with a column of text that no catalogue lists."""
    column = SharedColumn("remark", "text", "Remark", "หมายเหตุ")
    one = SharedTable("notes", "gold.notes_published", (), (column,))
    return shared_tables(type(PLANNER)("x", "x", "x", "x", (one,)), MetaData())["notes"]


@pytest.mark.parametrize(
    "value",
    ["1101700207030", "1-1017-00207-03-0", "๑๑๐๑๗๐๐๒๐๗๐๓๐", "โทร 081-234-5678", EMAIL, "นายสมชาย สมมุติ",
     *(f"{letter}1.{'A-_9' * 5}zz" for letter in sorted(set(LETTERS.values())))],
)  # fmt: skip
def test_an_open_text_passes_no_identifier_and_no_pseudonym(open_text: Table, value: str) -> None:
    with pytest.raises(PrivacyError, match=r"publish\.leak") as refused:
        cleared(open_text, [(f"see {value}",)])
    assert refused.value.place == "serving.notes.remark" and value not in str(refused.value)


def test_an_open_text_without_identifiers_passes(open_text: Table) -> None:
    rows = (("coverage is low in 2569",), ("ข้อมูลยังไม่ครบ",), (None,))
    assert cleared(open_text, rows).rows == rows


def test_a_row_with_a_column_more_stops_the_release() -> None:
    table = TABLES["facility_month"]
    with pytest.raises(PrivacyError, match=r"publish\.leak"):
        cleared(table, [(*_row(table), "more")])


@pytest.mark.parametrize("column", ["indicator", "area", "level", "month"])
def test_a_code_that_is_looked_up_is_judged_before(column: str) -> None:
    one = next(table for table in PLANNER.tables if table.name == "indicator_published")
    with pytest.raises(PrivacyError, match=r"publish\.leak") as refused:
        shared_rows(one, [GOOD | {column: CID}], 1, 7)
    assert refused.value.place == f"serving.{one.name}.{column}" and CID not in str(refused.value)


def test_the_history_of_releases_passes_the_gate_too() -> None:
    table = release_table(MetaData())
    now = datetime.now(UTC)
    tables = [f"{zone}.{one.table}" for zone in ("bronze", "silver") for one in contracts().values()]
    right = (1, now, now, {"gold.indicator": 3} | dict.fromkeys(tables, 1), "a" * 40, 100)
    assert cleared(table, [right]).rows == (right,)
    for at, wrong in ((3, {CID: 1}), (3, {"gold.indicator": CID}), (4, CID)):
        with pytest.raises(PrivacyError, match=r"publish\.leak"):
            cleared(table, [(*right[:at], wrong, *right[at + 1 :])])


def test_a_table_that_no_share_declares_stops_the_release() -> None:
    only_declared("serving", ["release", "a"], {"release", "a", "b"})
    with pytest.raises(PrivacyError, match=r"publish\.leak"):
        only_declared("serving", ["release", "copy_of_person"], {"release"})


def test_every_column_of_text_that_is_shared_has_a_closed_set() -> None:
    assert {column for _, column in _texts()} <= set(gate.known_texts())


def _calls(path: Path) -> Iterator[tuple[str, str]]:
    """(function, what it calls) of a module."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef):
            yield from ((node.name, ast.unparse(c.func)) for c in ast.walk(node) if isinstance(c, ast.Call))


def test_every_path_into_the_planners_schema_passes_the_gate() -> None:
    sources = sorted((PROJECT / "jobs" / "khlang").rglob("*.py"))
    makers = [p.name for p in sources for _, call in _calls(p) if call.rpartition(".")[2] == "Cleared"]
    assert makers == ["gate.py"]  # nobody else makes what the job writes
    job = PROJECT / "jobs" / "khlang" / "shares" / "job.py"
    assert {name for name, call in _calls(job) if call == "cursor.copy"} == {"_append"}
    signatures = {
        node.name: ast.unparse(node.args)
        for node in ast.walk(ast.parse(job.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    assert "passed: Cleared" in signatures["_append"] and "passed: Cleared" in signatures["_replace"]
    inserts = [ast.unparse(call) for call in ast.walk(ast.parse(job.read_text("utf-8")))
               if isinstance(call, ast.Call) and "insert" in ast.unparse(call.func)]  # fmt: skip
    assert (
        all("ReleaseRow" in each for each in inserts) and inserts
    )  # the ledger's own row, not the planners'


def test_nobody_else_names_the_planners_schema_to_write_there() -> None:
    wording = ("insert into", "copy ", "create table", "create view", "create materialized")
    for path in sorted((PROJECT / "jobs" / "khlang").rglob("*.py")):
        if path.parent.name == "shares":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and "serving" in node.value.lower()
            ):
                assert not any(word in node.value.lower() for word in wording), path


def test_no_setting_reaches_the_gate() -> None:
    text = (PROJECT / "jobs" / "khlang" / "shares" / "gate.py").read_text("utf-8")
    assert "settings" not in text.replace("There is no setting", "") and "environ" not in text
    assert serving.gate is gate and named.__module__ == gate.__name__
