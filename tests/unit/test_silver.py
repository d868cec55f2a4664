"""Accepted rows + state -> current rows: order, change, persons, orphans, and the plan of the work."""

from __future__ import annotations

from datetime import datetime

import polars as pl
import pytest

from khlang.lake.tables import Part
from khlang.model.contract import contracts
from khlang.silver.current import classify, counted, latest, timed
from khlang.silver.link import decided, keyed, links_of, moved, with_person_key
from khlang.silver.orphan import links, rules
from khlang.silver.plan import Files, People, Scope, groups, orphan_tasks, rewrite_tasks, settle_tasks

SEPTEMBER, OCTOBER = datetime(2026, 9, 1), datetime(2026, 10, 1)


def _version(
    key: bytes, row: int, sent: datetime, arrival: int = 1, line: int = 2, pass_number: int = 1
) -> dict[str, object]:
    return {
        "_key": key, "_row": row, "_sent_at": sent, "_arrival": arrival, "_member": 1, "_line": line,
        "_pass": pass_number, "_receipt": f"R{arrival}",
    }  # fmt: skip


def _rows(*versions: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(versions), schema_overrides={"_key": pl.Binary})


@pytest.mark.parametrize("turned", [False, True])
def test_the_time_in_the_name_decides_whatever_arrives_first(turned: bool) -> None:
    versions = [_version(b"k", 1, SEPTEMBER, arrival=9), _version(b"k", 2, OCTOBER, arrival=1)]
    assert latest(_rows(*(versions[::-1] if turned else versions)))["_row"].to_list() == [2]


def test_arrival_then_line_then_pass_decide_between_equal_times() -> None:
    assert latest(_rows(_version(b"k", 1, OCTOBER, 2), _version(b"k", 2, OCTOBER, 1)))["_row"].to_list() == [
        1
    ]
    assert latest(_rows(_version(b"k", 1, OCTOBER, 1, 9), _version(b"k", 2, OCTOBER, 1, 3)))[
        "_row"
    ].to_list() == [1]
    assert latest(_rows(_version(b"k", 1, OCTOBER), _version(b"k", 2, OCTOBER, pass_number=2)))[
        "_row"
    ].to_list() == [2]


def test_a_content_that_came_under_an_earlier_name_too_takes_its_time() -> None:
    rows = _rows(_version(b"k", 1, SEPTEMBER, 1), _version(b"k", 2, OCTOBER, 2))
    assert latest(timed(rows, {"R2": datetime(2026, 8, 1)}))["_row"].to_list() == [1]


def test_rows_are_new_changed_or_unchanged() -> None:
    winners = _rows(_version(b"a", 1, OCTOBER), _version(b"b", 2, OCTOBER), _version(b"c", 3, OCTOBER))
    state = _rows(_version(b"b", 2, SEPTEMBER), _version(b"c", 9, SEPTEMBER))
    found = classify(winners, state)
    assert dict(zip(found["_key"], found["_status"], strict=True)) == {
        b"a": "new",
        b"b": "unchanged",
        b"c": "changed",
    }


def test_every_row_of_a_batch_has_an_end() -> None:
    batch = _rows(_version(b"a", 1, SEPTEMBER, 1), _version(b"a", 2, OCTOBER, 2))
    told = counted(batch, classify(latest(batch), batch.clear()))
    assert told == [
        {"_receipt": "R1", "_status": "superseded", "len": 1},
        {"_receipt": "R2", "_status": "new", "len": 1},
    ]


def _person(**columns: list[str | None]) -> pl.DataFrame:
    person = pl.DataFrame(columns, schema_overrides={"cid": pl.String})
    return keyed(person, decided([]))


def test_a_row_gets_the_person_of_its_patient_and_not_its_own_cid() -> None:
    links_found = links_of(_person(hospcode=["1", "1"], pid=["l1", "l2"], cid=["p1", None]))
    rows = pl.DataFrame({"hospcode": ["1", "1", "1"], "pid": ["l1", "l2", "l3"], "cid": ["p9", "p9", "p9"]})
    assert with_person_key(rows, links_found)["person_key"].to_list() == ["p1", "l2", "l3"]


def test_new_gone_and_changed_links_have_moved_and_equal_ones_have_not() -> None:
    before = links_of(_person(hospcode=["1"] * 4, pid=["l1", "l2", "l3", "l5"], cid=["p1", "p2", "p3", None]))
    after = links_of(_person(hospcode=["1"] * 4, pid=["l1", "l2", "l4", "l6"], cid=["p1", "p9", "p4", None]))
    assert sorted(moved(before, after)["pid"]) == ["l2", "l3", "l4"], (
        "without a CID a patient is its own person"
    )


def test_an_empty_child_value_is_no_link() -> None:
    rule = next(r for r in rules() if r.contract.file == "LABFU" and r.parent.file == "SERVICE")
    rows = pl.DataFrame(
        {
            "hospcode": ["1", "1"], "pid": ["l1", "l1"], "seq": ["v1", None], "_receipt": ["R", "R"],
            "_member": [1, 1], "_line": [2, 3], "_key": [b"a", b"b"],
        },
        schema_overrides={"_member": pl.Int32, "_line": pl.Int32},
    )  # fmt: skip
    found = links(rule, rows)
    assert found.select("link", "_line", "column_name").rows() == [("l1|v1", 2, "SEQ")]


def test_a_referral_answer_looks_for_its_parent_at_the_sending_facility() -> None:
    rule = next(r for r in rules() if r.contract.file == "REFER_RESULT")
    rows = pl.DataFrame(
        {
            "hospcode": ["1"], "hosp_source": ["2"], "referid_source": ["r7"], "_receipt": ["R"],
            "_member": [1], "_line": [2], "_key": [b"a"],
        },
        schema_overrides={"_member": pl.Int32, "_line": pl.Int32},
    )  # fmt: skip
    assert links(rule, rows).select("parent_hospcode", "link").rows() == [("2", "r7")]


def test_facilities_are_packed_in_order_up_to_a_number_of_rows() -> None:
    assert groups({"3": 5, "1": 5, "2": 5, "4": 20}, 10) == [["1", "2"], ["3", "4"]]


def _scope(**changed: object) -> Scope:
    told = {
        "batch": "s1", "attempt": "x", "sources": ("b2",), "rows": {"SERVICE": {"00002": 5}}, "resolve": frozenset(),
    } | changed  # fmt: skip
    return Scope(**told)  # type: ignore[arg-type]


OLD, NEW = Part("b1/f.parquet", 1, 9, "00001", "00009"), Part("b2/f.parquet", 1, 9, "00001", "00009")


def test_a_facility_in_order_reads_only_its_batch_and_a_late_one_all_of_bronze() -> None:
    files = Files([OLD, NEW], [])
    in_order = settle_tasks(_scope(), "SERVICE", files, People(), 100)
    late = settle_tasks(_scope(resolve=frozenset({"00002"})), "SERVICE", files, People(), 100)
    assert [part["path"] for part in in_order[0]["bronze"]] == [NEW.path]
    assert [part["path"] for part in late[0]["bronze"]] == [OLD.path, NEW.path]
    assert [task["resolve"] for task in (*in_order, *late)] == [False, True]


def test_tables_without_new_rows_are_visited_where_people_moved_and_rows_lie() -> None:
    state = Part("s0/f.parquet", 1, 9, "00003", "00004")
    people = People((), (), frozenset({"00003", "00007"}))
    tasks = settle_tasks(_scope(rows={}), "SERVICE", Files([], [state]), people, 100)
    assert [(task["hospcodes"], task["relink"]) for task in tasks] == [(["00003"], True)]


def test_a_touched_file_is_rewritten_once_with_all_notes_about_it() -> None:
    drops = [
        {"table": "silver.person", "paths": ["a", "b"], "reference": "n1"},
        {"table": "silver.person", "paths": ["a"], "reference": "n2"},
    ]
    told = [(task["path"], task["drops"]) for task in rewrite_tasks(_scope(), drops, lambda _: {"a": 5})]
    assert told == [("a", ["n1", "n2"]), ("b", ["n1"])]


def test_orphans_are_looked_for_in_every_touched_facility_once() -> None:
    scope = _scope(rows={"SERVICE": {"00001": 1, "00002": 1}}, resolve=frozenset({"00002"}))
    tasks = orphan_tasks(scope, {"service": [NEW]}, [], 100)
    assert [(task["hospcodes"], task["resolve"]) for task in tasks] == [(["00001"], False), (["00002"], True)]


def test_every_parent_rule_names_columns_of_both_files() -> None:
    found = rules()
    assert len(found) == 71
    for rule in found:
        mine, theirs = ({c.name for c in c_.current} for c_ in (rule.contract, contracts()[rule.parent.file]))
        assert set(rule.parent.columns) <= mine and set(rule.parent.parent_columns) <= theirs
