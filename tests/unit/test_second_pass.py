"""A text that was withheld comes in once its patient is known: only that row, once, with its line counted once."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from khlang.bronze.again import released, told_facilities
from khlang.bronze.standing import COLUMNS, Scope, fault_counts, last_pass
from khlang.conform.conform import Conformed
from khlang.conform.member import MemberResult
from khlang.conform.text.names import Names
from khlang.lake.ledger import DeliveredMember, Ledger, Reread
from khlang.lake.passes import again_path, is_again
from khlang.lake.tables import Part
from khlang.silver.current import classify, counted, last_passes, latest
from khlang.silver.plan import Files, People, reread, settle_tasks
from khlang.silver.plan import Scope as SilverScope

from .deliveries import SENT, settled
from .landing_lake import unwritten
from .members import FACILITY, conformed, member

__all__ = ["unwritten"]
HEADER = "HOSPCODE|PID|DATERECORD|DRUGALLERGY|DNAME|INFORMANT|INFORMHOSP|D_UPDATE"


def _line(pid: str, text: str) -> str:
    return f"{FACILITY}|{pid}|20260901|A{pid}|{text}|1|{FACILITY}|20260901080000"


def _allergies(*pids: str, **text: str) -> Conformed:
    """What conform makes of a note about each of three patients when these are known."""
    lines = [_line(pid, text.get(pid, f"แพ้ยา หฟกด บอก {pid}")) for pid in ("1", "2", "3")]
    people = pl.DataFrame([{"HOSPCODE": FACILITY, "PID": pid, "NAME": "หฟกด"} for pid in pids])
    names = Names.from_frames(people, None, None) if pids else None
    return conformed("DRUGALLERGY", member("\r\n".join([HEADER, *lines])), names=names)


def _stored(done: Conformed) -> pl.DataFrame:
    return done.rows.select(COLUMNS).drop_nulls("_faults")


def test_only_rows_whose_text_is_released_are_the_next_pass() -> None:
    before, after = _allergies(), _allergies("1", "3")
    freed = released(after.rows, _stored(before))
    assert freed["_line"].to_list() == [2, 4] and set(freed["_pass"]) == {2}
    assert all("หฟกด" not in text and "<NAME>" in text for text in freed["dname"])
    assert freed.columns == after.rows.columns and freed.schema == after.rows.schema
    place = ["_receipt", "_member", "_line", "_sent_at", "_arrival", "_key"]
    assert freed.select(place).equals(before.rows.filter(pl.col("_line").is_in([2, 4])).select(place))


def test_the_pass_after_the_second_is_the_third_and_a_released_row_is_not_released_again() -> None:
    stored = _stored(_allergies()).with_columns(pl.lit(2, pl.Int32).alias("_pass"))
    assert released(_allergies("1").rows, stored)["_pass"].to_list() == [3]
    freed = _allergies("1").rows
    assert not released(freed, _stored(_allergies("1"))).height


def test_a_later_pass_keeps_the_time_under_which_the_row_was_stored() -> None:
    stored = _stored(_allergies()).with_columns(pl.lit(SENT).dt.cast_time_unit("us").alias("_sent_at"))
    assert released(_allergies("1").rows, stored)["_sent_at"].to_list() == [SENT]


@pytest.mark.parametrize("withheld", [["DNAME"], ["DNAME", "SECOND"]])
def test_a_row_that_would_lose_another_text_stays_as_it_is(withheld: list[str]) -> None:
    def _held(*columns: str) -> pl.Expr:
        faults = [{"column": column, "code": "note.withheld"} for column in columns]
        return pl.lit(faults, pl.List(_fault_type())).alias("_faults")

    after = _allergies("1", "2", "3").rows.with_columns(_held("OTHER"))
    assert not released(after, _stored(_allergies()).with_columns(_held(*withheld))).height


def _fault_type() -> pl.Struct:
    return pl.Struct({"column": pl.String, "code": pl.String})


def test_a_row_with_two_withheld_texts_is_taken_when_one_is_released() -> None:
    both = [{"column": "DNAME", "code": "note.withheld"}, {"column": "OTHER", "code": "note.withheld"}]
    stored = _stored(_allergies()).with_columns(_faults=pl.lit(both, pl.List(_fault_type())))
    after = _allergies("1").rows.with_columns(_faults=pl.lit(both[1:], pl.List(_fault_type())))
    assert released(after, stored)["_line"].to_list() == [2, 3, 4]


def test_a_row_whose_key_is_another_by_now_is_no_later_pass_of_the_stored_one() -> None:
    stored = _stored(_allergies()).with_columns(pl.lit(b"other").alias("_key"))
    assert not released(_allergies("1").rows, stored).height


def test_the_last_pass_of_a_line_tells_its_faults() -> None:
    before = _allergies()
    rows = pl.concat([released(_allergies("1").rows, _stored(before)).select(COLUMNS), _stored(before)])
    assert fault_counts(last_pass(rows)) == {
        ("R1", 1): {("note.withheld", "DNAME"): 2, ("note.identifier", "DNAME"): 1}
    }


def test_files_of_later_passes_are_known_by_their_names() -> None:
    later, first = again_path("b2", "a", 3, "00002"), "b1/a-00003-00001-00009.parquet"
    assert is_again(later) and not is_again(first)
    parts = [Part(later, 1, 1, "00002", "00002"), Part(first, 1, 9, "00001", "00009")]
    assert Scope({"b1"}, ["00002"]).paths(parts) == [later, first]
    assert Scope({"b1"}, ["00003"]).paths(parts) == [first]
    assert Scope({"b2"}, ["00002"]).paths(parts) == [later]


def test_only_person_members_make_a_facility_known() -> None:
    found = _members_of(("PERSON", "99001"), ("SERVICE", "99002"), (None, "99003"), ("PERSON", None))
    assert told_facilities(*found) == {"99001"}


def _members_of(*told: tuple[str | None, str | None]) -> tuple[list[DeliveredMember], dict[str, str | None]]:
    """Members of deliveries, one each, and the facilities of the deliveries."""
    members = [DeliveredMember(f"R{n}", 1, "m", file, 1, "") for n, (file, _) in enumerate(told)]
    return members, {f"R{n}": hospcode for n, (_, hospcode) in enumerate(told)}


def _versions(*passes: int) -> pl.DataFrame:
    place = {"_receipt": "R1", "_member": 1, "_line": 2, "_sent_at": SENT, "_arrival": 1, "_key": b"k"}
    rows = [{**place, "_pass": number, "_row": number} for number in passes]
    return pl.DataFrame(rows, schema_overrides={"_key": pl.Binary})


@pytest.mark.parametrize(
    ("passes", "ends"), [((1,), {"new": 1}), ((1, 2), {"new": 1}), ((2, 1, 3), {"new": 1}), ((2,), {})]
)
def test_a_line_has_one_end_however_many_passes_came(passes: tuple[int, ...], ends: dict[str, int]) -> None:
    stored = _versions(*passes).with_columns(_batch=pl.lit("b1"), _accepted=True, _repeated=False)
    batch = last_passes(stored)
    winners = classify(latest(batch), batch.clear())
    assert winners["_pass"].to_list() == [max(passes)]
    mine = pl.col("_came") == "b1"
    told = counted(batch.filter(mine), winners.filter(mine))
    assert {row["_status"]: row["len"] for row in told} == ends


def test_a_facility_with_later_passes_is_resolved_from_all_of_its_rows_in_that_table() -> None:
    old, new = (
        Part("b1/f.parquet", 1, 9, "00001", "00009"),
        Part(again_path("b2", "a", 0, "00002"), 1, 1, "00002", "00002"),
    )
    earlier = Part(again_path("b0", "a", 0, "00005"), 1, 1, "00005", "00005")
    scope = SilverScope("s2", "x", ("b2",), {"PERSON": {"00002": 1}}, frozenset())
    files = Files([old, new, earlier], [Part("s1/f.parquet", 1, 9, "00001", "00009")])
    assert reread(scope, files.bronze) == {"00002"}
    (task,) = settle_tasks(scope, "SERVICE", files, People(), 100)
    assert task["resolve"] and task["hospcodes"] == ["00002"]
    assert [part["path"] for part in task["bronze"]] == [old.path, new.path]


WITHHELD = {("note.withheld", "DNAME"): 2, ("row.width", None): 1}


def _load(ledger: Ledger) -> None:
    """Load what is checked; every member reports the same faults."""
    batch = ledger.open_batch("bronze")
    assert batch is not None
    results = [
        MemberResult(m.receipt, m.position, (), 10, 9, 1, 0, dict(WITHHELD))
        for m in ledger.members(d.receipt for d in batch.deliveries)
    ]
    ledger.record_members(batch, results)
    rows = {"bronze.drugallergy": {"rows": 10 * len(results)}}
    ledger.commit_batch(batch, {}, rows)


@pytest.mark.stack
def test_the_ledger_knows_which_loaded_members_hold_withheld_texts(ledger: Ledger) -> None:
    first = settled(ledger, files=("DRUGALLERGY",))
    gone = settled(ledger, files=("DRUGALLERGY",))
    settled(ledger, files=("DRUGALLERGY",), hospcode="99002")
    assert ledger.withheld(["99001"]) == (), "nothing is loaded"
    _load(ledger)
    settled(ledger, content=str(first.content), files=("DRUGALLERGY",))
    settled(ledger, files=("DRUGALLERGY",))
    ledger.withdraw(gone.receipt, "wrong")
    (held,) = ledger.withheld(["99001"])
    assert (held.receipt, held.position, held.file, held.hospcode) == (
        first.receipt,
        1,
        "DRUGALLERGY",
        "99001",
    )
    assert (held.sent_at, held.arrival, held.place) == (first.sent_at, first.arrival, first.place)
    assert held.batch.startswith("bronze-")


@pytest.mark.stack
def test_faults_of_a_later_pass_move_with_the_batch_and_no_line_is_counted_anew(ledger: Ledger) -> None:
    first = settled(ledger, files=("DRUGALLERGY",))
    _load(ledger)
    (before,) = ledger.members([first.receipt])
    settled(ledger)
    batch = ledger.open_batch("bronze")
    assert batch is not None
    ledger.record_members(batch, [MemberResult(batch.deliveries[0].receipt, 1, (), 10, 10, 0)])
    told = Reread(first.receipt, 1, {("note.identifier", "DNAME"): 2, ("row.width", None): 1})
    counts = {"bronze.person": {"rows": 10}, "bronze.drugallergy": {"rows": 0, "again": 2}}
    assert ledger.fault_counts(first.receipt) == {1: WITHHELD}
    ledger.commit_batch(batch, {}, counts, [told])
    assert ledger.fault_counts(first.receipt) == {1: told.faults}
    assert ledger.withheld(["99001"]) == ()
    assert ledger.members([first.receipt]) == (replace(before, repaired=2),)
    ledger.commit_batch(batch, {}, counts, [replace(told, faults={})])
    assert ledger.fault_counts(first.receipt) == {1: told.faults}, "a committed batch is not committed again"
