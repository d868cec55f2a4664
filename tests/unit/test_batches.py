"""Batches: resumed after a death, balanced before they are seen, visible as a whole."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from khlang.conform.member import MemberResult
from khlang.errors import BalanceError, KhlangError, StoreError
from khlang.lake.ledger import Batch, Ledger
from lakes import Lake

from .deliveries import SENT, counted, loaded, settled
from .landing_lake import database, dropped, filled

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def blank(stores: Lake) -> Iterator[str]:
    """Name of a migrated database that nobody writes to."""
    mark = f"b{secrets.token_hex(4)}"
    settings = filled(database(stores.settings, mark))
    yield f"khlang_{mark}"
    dropped(settings)


@pytest.fixture
def ledger(stores: Lake, blank: str) -> Iterator[Ledger]:
    """A ledger that nobody has written to."""
    settings = database(stores.settings, f"t{secrets.token_hex(4)}", blank)
    with Ledger.open(settings) as opened:
        yield opened
    dropped(settings)


def bronze(ledger: Ledger, *results: MemberResult) -> Batch:
    """An open bronze batch with these reports."""
    batch = ledger.open_batch("bronze")
    assert batch is not None
    ledger.record_members(batch, results)
    return batch


def test_a_batch_takes_all_that_is_checked_in_order_of_arrival_or_is_not_made(ledger: Ledger) -> None:
    assert ledger.open_batch("bronze") is None
    first, second = settled(ledger), settled(ledger, hospcode="99002")
    settled(ledger, content=str(first.content), sent_at=SENT + timedelta(1))
    batch = ledger.open_batch("bronze", "git", "contract", "policy")
    assert batch is not None and not batch.resumed
    assert [delivery.receipt for delivery in batch.deliveries] == [first.receipt, second.receipt]


def test_an_unfinished_batch_is_resumed_and_takes_nothing_new(ledger: Ledger) -> None:
    first = settled(ledger)
    batch = ledger.open_batch("bronze")
    later = settled(ledger)
    again = ledger.open_batch("bronze")
    assert batch is not None and again is not None
    assert again.id == batch.id and again.resumed
    assert [delivery.receipt for delivery in again.deliveries] == [first.receipt]
    ledger.record_members(again, [counted(first)])
    ledger.commit_batch(again, {}, {"bronze.person": {"rows": 10}})
    following = ledger.open_batch("bronze")
    assert following is not None and [d.receipt for d in following.deliveries] == [later.receipt]


def test_the_database_itself_holds_one_open_batch_per_stage(ledger: Ledger) -> None:
    settled(ledger)
    ledger.open_batch("bronze")
    forced = "INSERT INTO batch (id, stage, git_sha, contract_digest, policy_digest) VALUES ('x', 'bronze','','','')"
    with pytest.raises(DBAPIError, match="uq_batch_open"), ledger.engine.begin() as connection:
        connection.execute(text(forced))


def test_a_committed_batch_shows_its_versions_and_moves_its_deliveries(ledger: Ledger) -> None:
    delivery = settled(ledger, files=("PERSON", None))
    batch = bronze(ledger, counted(delivery))
    assert ledger.visible() == {}
    ledger.commit_batch(batch, {"bronze.person": 4, "bronze.home": 0}, {"bronze.person": {"rows": 10}})
    assert ledger.visible() == {"bronze.person": 4, "bronze.home": 0}
    assert ledger.delivery(delivery.receipt).state == "loaded"
    (member, unknown) = ledger.members([delivery.receipt])
    assert (member.delivered, member.accepted, member.refused, member.repeated, member.repaired) == (
        10,
        8,
        2,
        1,
        3,
    )
    assert member.codes == ("file.encoding",)
    assert unknown.delivered is None
    faults = {("row.width", None): 2, ("digits.thai", "CID"): 3}
    assert ledger.fault_counts(delivery.receipt) == {1: faults}


def test_committing_or_reporting_again_changes_nothing(ledger: Ledger) -> None:
    delivery, batch = loaded(ledger, 4)
    ledger.commit_batch(batch, {"bronze.person": 9}, {})
    assert ledger.visible() == {"bronze.person": 4}
    with pytest.raises(KhlangError, match=r"batch\.closed"):
        ledger.record_members(batch, [counted(delivery, 1)])
    with pytest.raises(KhlangError, match=r"batch\.closed"):
        ledger.record_tables(batch, {}, {})
    with pytest.raises(DBAPIError, match=r"batch\.committed"), ledger.engine.begin() as connection:
        connection.execute(text("UPDATE batch SET state = 'open'"))


def test_a_report_that_is_repeated_replaces_the_first(ledger: Ledger) -> None:
    delivery = settled(ledger)
    batch = bronze(ledger, counted(delivery, 7, 3))
    ledger.record_members(batch, [counted(delivery, 8, 2)])
    assert ledger.members([delivery.receipt])[0].accepted == 8
    assert ledger.fault_counts(delivery.receipt)[1][("row.width", None)] == 2


@pytest.mark.parametrize(("delivered", "accepted", "refused"), [(10, 8, 1), (10, 8, 3), (9, 8, 2), (0, 0, 1)])
def test_a_member_that_does_not_balance_stops_the_whole_batch(
    ledger: Ledger, delivered: int, accepted: int, refused: int
) -> None:
    sound, unsound = settled(ledger), settled(ledger)
    wrong = MemberResult(unsound.receipt, 1, (), delivered, accepted, refused)
    batch = bronze(ledger, counted(sound), wrong)
    with pytest.raises(BalanceError, match=rf"balance\.member.*{unsound.receipt}, member 1"):
        ledger.commit_batch(batch, {"bronze.person": 1}, {"bronze.person": {"rows": 10 + delivered}})
    assert ledger.visible() == {}
    assert {ledger.delivery(d.receipt).state for d in (sound, unsound)} == {"checked"}
    assert ledger.open_batch("bronze") is not None, "the batch stays open"


def test_a_member_that_nobody_read_stops_the_batch(ledger: Ledger) -> None:
    delivery = settled(ledger, files=("PERSON", "HOME"))
    batch = bronze(ledger, counted(delivery))
    with pytest.raises(BalanceError, match="a member was not read"):
        ledger.commit_batch(batch, {}, {"bronze.person": {"rows": 10}})


@pytest.mark.parametrize("rows", [9, 11, 0, None])
def test_rows_that_were_not_written_stop_the_batch(ledger: Ledger, rows: int | None) -> None:
    batch = bronze(ledger, counted(settled(ledger)))
    counts = {} if rows is None else {"bronze.person": {"rows": rows}}
    with pytest.raises(BalanceError, match=r"balance\.rows.*bronze\.person"):
        ledger.commit_batch(batch, {"bronze.person": 1}, counts)


def test_lines_of_a_member_with_a_bad_header_are_refused_and_give_no_rows(ledger: Ledger) -> None:
    delivery = settled(ledger)
    batch = bronze(ledger, MemberResult(delivery.receipt, 1, ("file.header",), 10, 0, 10))
    ledger.commit_batch(batch, {"bronze.person": 1}, {})
    (balance,) = ledger.balance()
    assert (balance.file, balance.delivered, balance.accepted, balance.refused) == ("PERSON", 10, 0, 10)


@pytest.mark.parametrize("position", [2, 0])
def test_reports_of_strange_members_and_deliveries_are_refused(ledger: Ledger, position: int) -> None:
    delivery = settled(ledger)
    batch = ledger.open_batch("bronze")
    other = settled(ledger)
    assert batch is not None
    with pytest.raises(KhlangError, match=r"batch\.member"):
        ledger.record_members(batch, [counted(delivery, position=position)])
    with pytest.raises(KhlangError, match=r"batch\.foreign"):
        ledger.record_members(batch, [counted(other)])


def test_a_visible_version_never_goes_back(ledger: Ledger) -> None:
    loaded(ledger, 4)
    batch = bronze(ledger, counted(settled(ledger)))
    with pytest.raises(StoreError, match=r"version\.backward.*bronze\.person"):
        ledger.commit_batch(batch, {"bronze.person": 3}, {"bronze.person": {"rows": 10}})
    assert ledger.visible() == {"bronze.person": 4}
    ledger.commit_batch(batch, {"bronze.person": 4}, {"bronze.person": {"rows": 10}})


def test_the_version_map_is_known_as_it_stood_at_any_time(ledger: Ledger) -> None:
    start = datetime.now(UTC)
    loaded(ledger, 4)
    between = datetime.now(UTC)
    loaded(ledger, 5)
    assert ledger.visible_at(start) == {}
    assert ledger.visible_at(between) == {"bronze.person": 4}
    assert ledger.visible_at(datetime.now(UTC)) == {"bronze.person": 5} == ledger.visible()


def test_each_stage_takes_the_batches_of_the_stage_before_once(ledger: Ledger) -> None:
    delivery, first = loaded(ledger, 1)
    _, second = loaded(ledger, 2)
    silver = ledger.open_batch("silver")
    assert silver is not None
    assert silver.sources == tuple(sorted((first.id, second.id))) and len(silver.deliveries) == 2
    assert ledger.open_batch("gold") is None
    ledger.commit_batch(silver, {"silver.person": 0}, {"silver.person": {"new": 15, "unchanged": 1}})
    assert ledger.delivery(delivery.receipt).state == "current"
    assert ledger.open_batch("silver") is None
    gold = ledger.open_batch("gold")
    assert gold is not None and gold.sources == (silver.id,) and len(gold.deliveries) == 2
    ledger.commit_batch(gold, {"gold.visit": 0}, {})
    assert ledger.delivery(delivery.receipt).state == "current"
    publish = ledger.open_batch("publish")
    assert publish is not None and publish.sources == (gold.id,)


@pytest.mark.parametrize("counts", [{"new": 7}, {"new": 9}, {"new": 4, "changed": 3}, {"rows": 8}, {}])
def test_accepted_lines_without_an_end_stop_silver(ledger: Ledger, counts: dict[str, int]) -> None:
    delivery, _ = loaded(ledger, 1)
    silver = ledger.open_batch("silver")
    assert silver is not None
    with pytest.raises(BalanceError, match=r"balance\.table.*silver\.person"):
        ledger.commit_batch(silver, {"silver.person": 0}, {"silver.person": counts})
    assert ledger.delivery(delivery.receipt).state == "loaded"
    ended = {"new": 2, "changed": 2, "unchanged": 2, "repeated": 1, "superseded": 1}
    ledger.commit_batch(silver, {"silver.person": 0}, {"silver.person": ended})


def test_a_moved_time_and_a_withdrawal_wake_silver_without_new_rows(ledger: Ledger) -> None:
    delivery, _ = loaded(ledger, 1)
    silver = ledger.open_batch("silver")
    assert silver is not None and silver.changes == ()
    ledger.commit_batch(silver, {"silver.person": 0}, {"silver.person": {"new": 8}})
    earlier = SENT - timedelta(days=1)
    settled(ledger, content=str(delivery.content), sent_at=earlier)
    assert ledger.open_batch("bronze") is None
    silver = ledger.open_batch("silver")
    assert silver is not None and silver.deliveries == ()
    assert [(c.receipt, c.kind, c.sent_at) for c in silver.changes] == [
        (delivery.receipt, "retimed", earlier)
    ]
    ledger.commit_batch(silver, {"silver.person": 1}, {})
    ledger.withdraw(delivery.receipt, "wrong")
    silver = ledger.open_batch("silver")
    assert silver is not None and [(c.receipt, c.kind) for c in silver.changes] == [
        (delivery.receipt, "withdrawn")
    ]
    ledger.commit_batch(silver, {"silver.person": 2}, {})
    assert ledger.open_batch("silver") is None


def test_a_delivery_withdrawn_in_the_middle_of_a_batch_stays_withdrawn(ledger: Ledger) -> None:
    delivery = settled(ledger)
    batch = bronze(ledger, counted(delivery))
    ledger.withdraw(delivery.receipt, "wrong")
    ledger.commit_batch(batch, {"bronze.person": 1}, {"bronze.person": {"rows": 10}})
    assert ledger.delivery(delivery.receipt).state == "withdrawn"
    assert ledger.balance() == ()
    silver = ledger.open_batch("silver")
    assert silver is not None
    ledger.commit_batch(silver, {"silver.person": 0}, {"silver.person": {}})
    assert ledger.delivery(delivery.receipt).state == "withdrawn"
