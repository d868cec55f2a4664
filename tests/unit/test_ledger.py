"""The ledger: states move forward only, one content counts once, nothing is forgotten."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from khlang.errors import CatalogError, KhlangError
from khlang.lake.keys import KeyStore
from khlang.lake.ledger import Judged, Ledger, migrate, receipt_number
from khlang.lake.ledger.audit import first_bad
from khlang.lake.ledger.models import MOVES, STATES, Base
from khlang.settings import Settings

from .deliveries import SENT, entries, received, settled
from .landing_lake import facility, lake, ledger

__all__ = ["lake", "ledger"]
pytestmark = pytest.mark.stack


def _force(ledger: Ledger, statement: str, **values: object) -> None:
    """A statement past all our code: only the database's own guards are in its way."""
    with ledger.engine.begin() as connection:
        connection.execute(text(statement), values)


def test_migrations_and_models_say_the_same_and_migrating_again_changes_nothing(
    lake: Settings, ledger: Ledger
) -> None:
    migrate(lake)
    with ledger.engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)
    assert differences == []


def test_two_processes_may_migrate_at_once(lake: Settings) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(migrate, [lake, lake]))


def test_receipts_are_short_different_and_in_the_order_of_arrival(ledger: Ledger) -> None:
    first, second = ledger.arrivals(1)[0], ledger.arrivals(3)
    assert first < second[0] < second[1] < second[2]
    assert receipt_number(12)[:9] == "R0000012-" and len(receipt_number(12)) == 14
    assert len({receipt_number(12) for _ in range(100)}) > 90


def test_a_checked_delivery_has_its_members_and_hides_unknown_names(ledger: Ledger) -> None:
    delivery = settled(ledger, files=("PERSON", None))
    assert delivery.state == "checked" and delivery.code is None
    members = ledger.members([delivery.receipt])
    assert [(m.position, m.name, m.file, m.codes) for m in members] == [
        (1, "PERSON.txt", "PERSON", ()),
        (2, "unknown-2", None, ("file.unknown",)),
    ]


def test_a_rejected_delivery_keeps_its_code_and_has_no_members(ledger: Ledger) -> None:
    delivery = received(ledger)
    found = ledger.settle([Judged(delivery.receipt, "zip.bomb")])[delivery.receipt]
    assert (found.state, found.code, ledger.members([found.receipt])) == ("rejected", "zip.bomb", ())


def test_the_same_content_again_is_a_duplicate_of_the_first(ledger: Ledger) -> None:
    first = settled(ledger, content="c" * 64)
    again = settled(ledger, content="c" * 64, sent_at=SENT + timedelta(days=1))
    assert (again.state, again.code, again.duplicate_of) == ("duplicate", "zip.duplicate", first.receipt)
    assert ledger.members([again.receipt]) == ()
    assert ledger.delivery(first.receipt).sent_at == SENT


def test_the_same_content_of_another_facility_is_no_duplicate(ledger: Ledger) -> None:
    assert settled(ledger, content="d" * 64).state == "checked"
    assert settled(ledger, content="d" * 64, hospcode="99002").state == "checked"


def test_two_of_one_content_in_one_call_are_one_and_its_duplicate(ledger: Ledger) -> None:
    first, second = received(ledger), received(ledger)
    verdicts = [Judged(d.receipt, None, "e" * 64, entries("PERSON")) for d in (second, first)]
    found = ledger.settle(verdicts)
    assert found[first.receipt].state == "checked", "the one that arrived first counts"
    assert found[second.receipt].duplicate_of == first.receipt


def test_an_earlier_name_moves_the_time_of_a_content_and_a_later_one_does_not(ledger: Ledger) -> None:
    first = settled(ledger, content="f" * 64)
    earlier, later = SENT - timedelta(days=3), SENT + timedelta(days=3)
    settled(ledger, content="f" * 64, sent_at=later)
    assert first.receipt not in ledger.retimings()
    settled(ledger, content="f" * 64, sent_at=earlier)
    assert ledger.retimings()[first.receipt] == earlier
    found = ledger.delivery(first.receipt)
    assert (found.sent_at, found.name_time) == (earlier, SENT)


def test_a_withdrawn_content_may_be_sent_again(ledger: Ledger) -> None:
    first = settled(ledger, content="a1" * 32)
    assert ledger.withdraw(first.receipt, "wrong month").state == "withdrawn"
    assert first.receipt in ledger.withdrawn()
    assert settled(ledger, content="a1" * 32).state == "checked"


@pytest.mark.parametrize("state", ["rejected", "duplicate", "withdrawn", "received"])
def test_only_an_accepted_delivery_can_be_withdrawn(ledger: Ledger, state: str) -> None:
    delivery = received(ledger)
    if state != "received":
        _force(ledger, "UPDATE delivery SET state = :s WHERE receipt = :r", s=state, r=delivery.receipt)
    with pytest.raises(KhlangError, match=r"delivery\.state"):
        ledger.withdraw(delivery.receipt, "wrong")
    assert ledger.delivery(delivery.receipt).state == state


def _reach(ledger: Ledger, receipt: str, state: str) -> None:
    """Move a received delivery to a state along an allowed way."""
    ways: dict[str, list[str]] = {"received": []}
    for source in STATES:
        for target in MOVES.get(source, ()):
            if source in ways and target not in ways:
                ways[target] = [*ways[source], target]
    for step in ways[state]:
        _force(ledger, "UPDATE delivery SET state = :s WHERE receipt = :r", s=step, r=receipt)


@pytest.mark.parametrize("state", STATES)
def test_the_database_itself_refuses_every_move_that_is_not_forward(ledger: Ledger, state: str) -> None:
    delivery = received(ledger)
    _reach(ledger, delivery.receipt, state)
    for target in STATES:
        if target != state and target not in MOVES.get(state, ()):
            with pytest.raises(DBAPIError, match=r"delivery\.backward"):
                _force(
                    ledger, "UPDATE delivery SET state = :s WHERE receipt = :r", s=target, r=delivery.receipt
                )
    assert ledger.delivery(delivery.receipt).state == state


@pytest.mark.parametrize(
    ("change", "guard"),
    [
        ("UPDATE delivery SET sha256 = 'x' WHERE receipt = :r", "delivery.fixed"),
        ("UPDATE delivery SET arrival = 0 WHERE receipt = :r", "delivery.fixed"),
        ("UPDATE delivery SET name_time = now() WHERE receipt = :r", "delivery.fixed"),
        ("UPDATE delivery SET sent_at = sent_at + interval '1 day' WHERE receipt = :r", "delivery.later"),
        ("DELETE FROM delivery WHERE receipt = :r", "delivery.kept"),
    ],
)
def test_what_was_received_neither_changes_nor_goes(ledger: Ledger, change: str, guard: str) -> None:
    delivery = received(ledger)
    with pytest.raises(DBAPIError, match=guard.replace(".", r"\.")):
        _force(ledger, change, r=delivery.receipt)


def test_a_delivery_begins_as_received(ledger: Ledger) -> None:
    copied = "INSERT INTO delivery (receipt, arrival, arrived_at, name, size, sha256, place, wrapped_key,"
    copied += " key_version, state) VALUES ('RX', -1, now(), 'x', 1, 'x', 'x', '', 1, 'current')"
    with pytest.raises(DBAPIError, match=r"delivery\.start"):
        _force(ledger, copied)


def test_the_database_itself_holds_one_accepted_delivery_per_content(ledger: Ledger) -> None:
    settled(ledger, content="b2" * 32)
    other = received(ledger)
    with pytest.raises(IntegrityError, match="uq_delivery_content"):
        _force(
            ledger,
            "UPDATE delivery SET state = 'checked', content = :c WHERE receipt = :r",
            c="b2" * 32,
            r=other.receipt,
        )


def test_an_unknown_receipt_is_named_in_both_languages(ledger: Ledger) -> None:
    with pytest.raises(KhlangError, match=r"receipt\.unknown") as refused:
        ledger.delivery("R9999999-XXXXX")
    assert "R9999999-XXXXX" in refused.value.th


def test_a_changed_facility_is_in_force_from_then_on_and_the_old_one_before(ledger: Ledger) -> None:
    before = datetime.now(UTC)
    changed = facility("99003", "ชื่อใหม่")
    loaded_now = ledger.load_facilities([changed, facility("99009"), facility("99001")])
    assert (loaded_now.added, loaded_now.changed, loaded_now.unchanged) == (1, 1, 1)
    assert {f.name for f in ledger.facilities() if f.hospcode == "99003"} == {"ชื่อใหม่"}
    assert {f.name for f in ledger.facilities(before) if f.hospcode == "99003"} == {"รพ.สต.ตัวอย่าง"}
    assert "99009" not in {f.hospcode for f in ledger.facilities(before)}
    assert {"99001", "99002"} <= {f.hospcode for f in ledger.facilities()}, "the unnamed ones stay"


def test_a_registry_that_would_change_the_past_or_lead_nowhere_is_refused(ledger: Ledger) -> None:
    held = ledger.facilities()
    day = timedelta(days=1)
    for changed, at, code in (
        (facility("99001", "อื่น"), datetime.now(UTC) + day, "facilities.from"),
        (facility("99001", "อื่น"), datetime.now(UTC) - 1000 * day, "facilities.from"),
        (
            replace(facility("99001"), closed=date(2026, 9, 30), successor="98765"),
            None,
            "facilities.successor",
        ),
    ):
        with pytest.raises(CatalogError, match=code):
            ledger.load_facilities([changed], at)
    assert ledger.facilities() == held


def test_a_facility_that_closed_is_registered_with_its_successor(ledger: Ledger) -> None:
    closed = replace(facility("99002"), closed=date(2026, 9, 30), successor="99001")
    ledger.load_facilities([closed])
    assert ledger.registered(["99002", "00000"]) == {"99002": closed}


def test_the_audit_is_a_chain_that_names_its_first_bad_entry(ledger: Ledger) -> None:
    for number in range(4):
        ledger.audit("officer", "withdraw", f"R{number}")
    assert ledger.verify_audit() is None
    for change, bad in (
        ("UPDATE audit SET subject = 'R9' WHERE id = 2", 2),
        ("UPDATE audit SET at = at + interval '1 second' WHERE id = 3", 3),
        ("DELETE FROM audit WHERE id = 2", 2),
        ("UPDATE audit SET id = CASE id WHEN 2 THEN 3 WHEN 3 THEN 2 ELSE id END", 2),
    ):
        with ledger.engine.connect() as connection:
            connection.execute(
                text("ALTER TABLE audit DROP CONSTRAINT pk_audit, DISABLE TRIGGER audit_append")
            )
            connection.execute(text(change))
            connection.execute(text("CREATE TEMP TABLE altered AS SELECT * FROM audit"))
            rows = connection.execute(text("SELECT * FROM altered ORDER BY id")).all()
            connection.rollback()
        assert first_bad(rows) == bad  # type: ignore[arg-type]


@pytest.mark.parametrize("change", ["UPDATE audit SET subject = 'R9'", "DELETE FROM audit"])
def test_the_database_itself_keeps_the_audit(ledger: Ledger, change: str) -> None:
    ledger.audit("officer", "withdraw", "R1")
    with pytest.raises(DBAPIError, match=r"audit\.kept"):
        _force(ledger, change)


def test_acts_at_the_same_time_stay_one_chain(ledger: Ledger) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: ledger.audit("officer", "deliver", f"R{n}"), range(24)))
    assert ledger.verify_audit() is None


def test_keys_policies_and_releases_are_remembered_without_a_secret(lake: Settings, ledger: Ledger) -> None:
    keys = KeyStore.open(lake).listed()
    for _ in range(2):
        ledger.note_keys(keys)
        ledger.note_policy("lake", "digest")
    with ledger.engine.connect() as connection:
        stored = connection.execute(text("SELECT purpose, version, key_id FROM key_version")).all()
        policies = connection.execute(text("SELECT count(*) FROM policy_digest")).scalar_one()
    assert sorted((row[0], row[1], row[2]) for row in stored) == [(k.purpose, k.version, k.id) for k in keys]
    assert policies == 1
    now = datetime.now(UTC)
    number = ledger.add_release(now, {"gold.indicator": 3}, "abc", 7, now)
    assert [(r.id, r.rows, r.table_versions) for r in ledger.releases()] == [
        (number, 7, {"gold.indicator": 3})
    ]


def test_the_ledger_shows_no_wrapped_key(ledger: Ledger) -> None:
    assert "wrapped'" not in repr(settled(ledger))
