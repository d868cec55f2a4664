"""A delivery that is read again: what comes out otherwise is the next pass, and nobody waits for it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl
import pytest

from khlang.bronze.again import differing, waiting
from khlang.bronze.standing import OUTCOME
from khlang.conform.conform import Conformed
from khlang.errors import SettingsError
from khlang.lake.ledger import Ledger, Recount, Reread, batches
from khlang.landing.offer import in_turns
from khlang.model.calendar import month_told
from khlang.silver.current import last_passes

from .deliveries import counted, settled
from .landing_lake import unwritten
from .members import FACILITY, chronic, conformed, member

__all__ = ["unwritten"]
ROW = f"{FACILITY}|{{}}|20200131|E119|{{}}|20260801120000"


def _read(*discharges: str) -> Conformed:
    """What conform makes of patients with these codes of discharge."""
    lines = [ROW.format(number, code) for number, code in enumerate(discharges, 1)]
    return conformed("CHRONIC", member(chronic(*lines)))


def _stored(done: Conformed) -> pl.DataFrame:
    return done.rows.select(OUTCOME)


def test_only_rows_that_come_out_otherwise_are_the_next_pass() -> None:
    before, after = _read("03", "77", "03"), _read("03", "02", "03")
    found = differing(after.rows, _stored(before))
    assert (found["_line"].to_list(), found["_pass"].to_list()) == ([3], [2])
    assert found.columns == after.rows.columns and found.schema == after.rows.schema
    assert not differing(after.rows, _stored(after)).height


def test_a_row_that_is_refused_or_repeated_by_now_differs() -> None:
    done = _read("03", "03")
    for column in ("_accepted", "_repeated"):
        stored = _stored(done).with_columns(pl.col(column) ^ (pl.col("_line") == 2))
        assert differing(done.rows, stored)["_line"].to_list() == [2]


def test_faults_alone_make_a_row_differ_and_their_order_does_not() -> None:
    done = _read(" 3", "03")
    stored = _stored(done)
    assert not differing(done.rows, stored.with_columns(pl.col("_faults").list.reverse())).height
    assert differing(done.rows, stored.with_columns(pl.col("_faults").list.head(1)))["_line"].to_list() == [2]


def test_a_member_of_which_lines_are_lost_stays_as_it_is() -> None:
    whole, shorter = _read("03", "77"), _read("02")
    assert not differing(shorter.rows, _stored(whole)).height


def test_lines_that_could_not_be_read_before_are_a_second_pass_without_a_first() -> None:
    done = _read("03", "03")
    found = differing(done.rows, _stored(done).clear())
    assert (found["_line"].to_list(), set(found["_pass"])) == ([2, 3], {2})


def _lines(*told: tuple[int, int, bool, str]) -> pl.DataFrame:
    place = {"_receipt": "R1", "_member": 1, "_repeated": False}
    rows = [{**place, "_line": n, "_pass": p, "_accepted": a, "_batch": b} for n, p, a, b in told]
    return pl.DataFrame(rows)


def test_a_line_that_a_later_pass_refuses_is_gone_and_one_that_it_accepts_is_there() -> None:
    rows = _lines(
        (2, 1, True, "b1"), (2, 2, False, "b2"), (3, 1, False, "b1"), (3, 2, True, "b2"), (4, 2, True, "b2")
    )
    found = last_passes(rows).sort("_line").select("_line", "_pass", "_came").rows()
    assert found == [(3, 2, "b1"), (4, 2, None)]


def test_a_zip_tells_of_the_month_before_its_name() -> None:
    assert month_told(datetime(2026, 11, 1, 8, 30)) == "2026-10"
    assert month_told(datetime(2026, 1, 31, 23, 59)) == "2025-12"


def test_every_facility_has_its_turn_in_the_inbox() -> None:
    keys = ["1/a", "1/b", "1/c", "2/a", "3/a", "3/b", "loose.zip"]
    listed: list[dict[str, Any]] = [{"Key": key} for key in keys]
    assert [entry["Key"] for entry in in_turns(listed)] == [
        "1/a",
        "2/a",
        "3/a",
        "loose.zip",
        "1/b",
        "3/b",
        "1/c",
    ]


def _load(ledger: Ledger) -> None:
    batch = ledger.open_batch("bronze")
    assert batch is not None
    ledger.record_members(batch, [counted(found) for found in batch.deliveries])
    ledger.commit_batch(batch, {}, {"bronze.person": {"rows": 10 * len(batch.deliveries)}})


@pytest.mark.stack
def test_what_is_loaded_is_asked_for_once_by_receipt_or_by_facility_and_month(ledger: Ledger) -> None:
    first, other = settled(ledger), settled(ledger, hospcode="99002")
    with pytest.raises(SettingsError, match=r"again\.unknown"):
        ledger.ask_again([first.receipt], "test")
    _load(ledger)
    assert first.sent_at is not None
    month = f"99001/{month_told(first.sent_at)}"
    assert ledger.ask_again([first.receipt, month], "test") == (first.receipt,)
    assert ledger.ask_again([first.receipt], "test") == (first.receipt,), "asked for already"
    for unknown in ("R0000000-AAAAA", "99001/1999-01", "99009/2026-10", "99001/2026-13"):
        with pytest.raises(SettingsError, match=r"again\.unknown"):
            ledger.ask_again([unknown], "test")
    batch = ledger.open_batch("bronze")
    assert batch is not None and batch.deliveries == ()
    assert [change.receipt for change in batch.changes] == [first.receipt]
    (again,) = waiting(ledger, batch)
    assert (again.receipt, again.whole, again.hospcode) == (first.receipt, True, "99001")
    assert other.receipt not in {one.receipt for one in waiting(ledger, batch)}


@pytest.mark.stack
def test_lines_are_counted_anew_when_the_batch_becomes_visible(ledger: Ledger) -> None:
    first = settled(ledger)
    _load(ledger)
    ledger.ask_again([first.receipt], "test")
    batch = ledger.open_batch("bronze")
    assert batch is not None
    told = Reread(first.receipt, 1, {("code.zeros", "CHRONIC"): 3}, Recount(("file.encoding",), 10, 9, 1, 2))
    ledger.commit_batch(batch, {}, {"bronze.person": {"rows": 0, "again": 4}}, [told])
    (found,) = ledger.members([first.receipt])
    assert (found.codes, found.delivered, found.accepted, found.refused) == (("file.encoding",), 10, 9, 1)
    assert (found.repeated, found.repaired) == (2, 3)
    silver = ledger.open_batch("silver")
    assert silver is not None and silver.changes == (), "silver is not asked for what bronze took"
    assert len(silver.sources) == 2


@pytest.mark.stack
def test_a_batch_takes_every_facilitys_newest_before_anybodys_years_of_old_zips(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = [settled(ledger) for _ in range(4)]
    daily = settled(ledger, hospcode="99002")
    monkeypatch.setattr(batches, "MOST_DELIVERIES", 2)
    batch = ledger.open_batch("bronze")
    assert batch is not None
    taken = {delivery.receipt for delivery in batch.deliveries}
    assert len(taken) == 2 and daily.receipt in taken
    newest = max(old, key=lambda one: (one.sent_at or datetime.min, one.arrival))
    assert newest.receipt in taken
