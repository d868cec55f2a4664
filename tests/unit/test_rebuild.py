"""Rules that get stricter: bronze and silver anew from landing, nothing of before in any byte of any version."""

from __future__ import annotations

import polars as pl
import pytest

from khlang.bronze import rebuild as rebuilding
from khlang.bronze.job import run as bronze
from khlang.conform.conform import stored_schema
from khlang.conform.digest import rules_digest
from khlang.errors import BalanceError, BusyError, StoreError
from khlang.lake import purge
from khlang.lake.ledger import Ledger
from khlang.lake.ledger import rebuild as asked
from khlang.lake.vault import Vault
from khlang.model.contract import contracts
from khlang.silver.job import run as silver
from khlang.stack.status import outdated_rules

from .other_rules import Copied, copied
from .rebuilt_lake import CONTRACT, OLD, STRICTER, Small, small

__all__ = ["copied", "small"]
pytestmark = pytest.mark.stack


def _stricter(copied: Copied) -> str:
    return copied.change(CONTRACT, f'{STRICTER}public"', f'{STRICTER}address"')


def _counts(small: Small) -> list[tuple[object, ...]]:
    return [(b.file, b.members, b.delivered, b.accepted, b.refused) for b in small.ledger.balance()]


def test_a_value_that_stricter_rules_drop_is_in_no_byte_of_any_version_after_the_rebuild(
    small: Small, copied: Copied
) -> None:
    first, balance = rules_digest(), _counts(small)
    but = ("bronze.drugallergy.hosp9_informhosp", "silver.drugallergy.hosp9_informhosp", "_row")
    before, keys = small.hashes(*but), small.rows("silver.drugallergy")["_key"].sort()
    digest = _stricter(copied)
    told = outdated_rules(small.settings)
    assert told["digest"] == digest != first and len(told["outdated"]) == 2
    assert {b["digest"] for b in told["outdated"]} == {first}
    assert [(b["deliveries"], b["tables"]) for b in told["outdated"]] == [
        (2, {"bronze.chronic": 5, "bronze.drugallergy": 5}), (1, {"bronze.chronic": 3, "bronze.drugallergy": 3}),
    ]  # fmt: skip
    small.rebuild()
    with pytest.raises(BusyError, match=r"purge\.early"):
        purge.run(small.settings)
    silver(small.settings)
    assert small.bytes_with(*OLD), "the old files lie there until the purge"
    assert outdated_rules(small.settings)["purge_due"]
    small.purge()
    assert small.bytes_with(*OLD) == []
    after = outdated_rules(small.settings)
    assert (after["outdated"], after["waiting"], after["purge_due"]) == ([], 0, False)
    assert _counts(small) == balance and small.hashes(*but) == before
    assert small.rows("silver.drugallergy")["_key"].sort().equals(keys)
    for name in ("bronze.drugallergy", "silver.drugallergy"):
        assert small.rows(name)["hosp9_informhosp"].null_count() == small.rows(name).height


@pytest.mark.long
def test_every_commit_and_every_batch_names_the_rules(small: Small, copied: Copied) -> None:
    first, second = rules_digest(), _stricter(copied)
    small.rebuild()
    silver(small.settings)
    for name in ("bronze.drugallergy", "silver.drugallergy"):
        told = [c["policy_digest"] for c in small.versions_note(name) if "batch" in c]
        assert told[0] == second and set(told[1:]) == {first}
    with small.ledger.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT stage, policy_digest FROM batch ORDER BY opened_at").all()
        seen = connection.exec_driver_sql("SELECT digest FROM policy_digest WHERE audience = 'lake'").all()
    assert rows == [("bronze", first)] * 2 + [("silver", first), ("bronze", second), ("silver", second)]
    assert {row[0] for row in seen} == {first, second}


@pytest.mark.long
def test_unchanged_rules_give_equal_values_and_nothing_is_outdated(small: Small) -> None:
    before, state = small.hashes(), small.rows("silver.drugallergy").sort("_key")
    assert small.rebuild() is None, "nothing is under other rules"
    assert small.rebuild("all") is not None
    silver(small.settings)
    assert small.hashes() == before
    assert small.rows("silver.drugallergy").sort("_key").equals(state), "silver has nothing to write"
    assert set(small.rows("bronze.chronic")["_batch"]) != set(state["_batch"])


@pytest.mark.long
def test_a_rebuild_that_dies_between_commits_and_ledger_is_completed_by_the_next_run(
    small: Small, copied: Copied, monkeypatch: pytest.MonkeyPatch
) -> None:
    but = ("bronze.drugallergy.hosp9_informhosp", "silver.drugallergy.hosp9_informhosp", "_row")
    before, seen = small.hashes(*but), small.rows("bronze.drugallergy")
    _stricter(copied)
    monkeypatch.setattr(asked, "MOST_REBUILT", 1)

    class Killed(BaseException):
        pass

    def _dies(*_: object, **__: object) -> None:
        raise Killed

    done = 0
    with monkeypatch.context() as deadly:
        commit = Ledger.commit_batch

        def _second_dies(*of: object, **told: object) -> None:
            nonlocal done
            done += 1
            (commit if done == 1 else _dies)(*of, **told)  # type: ignore[operator]

        deadly.setattr(Ledger, "commit_batch", _second_dies)
        with pytest.raises(Killed):
            small.rebuild()
    told = outdated_rules(small.settings)
    assert told["waiting"] == 1 and len(told["outdated"]) == 2
    assert small.rows("bronze.drugallergy").height == seen.height, "no half of a chunk shows"
    bronze(small.settings)
    assert outdated_rules(small.settings)["waiting"] == 1, "a plain run completes what was begun and no more"
    silver(small.settings)
    assert outdated_rules(small.settings)["waiting"] == 1, "what waits for bronze is not silver's"
    small.rebuild()
    silver(small.settings)
    small.purge()
    assert small.hashes(*but) == before and small.bytes_with(*OLD) == []
    assert outdated_rules(small.settings)["outdated"] == []


@pytest.mark.long
def test_an_attempt_under_other_rules_is_never_taken_for_the_ones_in_force(
    small: Small, copied: Copied
) -> None:
    small.deliver("99002", 3, OLD[2], range(7, 9))
    assert small.ledger.open_batch("bronze", "", "", "before") is not None
    bronze(small.settings)
    (told,) = outdated_rules(small.settings)["outdated"]
    assert told["digest"] == "mixed" and told["deliveries"] == 1


@pytest.mark.long
def test_later_passes_and_withdrawn_deliveries_are_made_anew_too(small: Small, copied: Copied) -> None:
    receipts = sorted(set(small.rows("bronze.chronic")["_receipt"]))
    gone = receipts[-1]
    small.ledger.withdraw(gone, "wrong")
    copied.change(CONTRACT, 'codes="drugallergy_informant", ', 'codes="8-9", ')
    small.ledger.ask_again(receipts[:1], "test")
    bronze(small.settings)
    _stricter(copied)
    stored = small.rows("bronze.drugallergy")
    assert set(stored["_pass"]) == {1, 2}, "one delivery was read again"
    lines = stored.select("_receipt", "_member", "_line").unique().height
    small.rebuild()
    rows = small.rows("bronze.drugallergy")
    assert rows.height == lines and set(rows["_pass"]) == {1}
    assert gone in set(rows["_receipt"]) and rows["hosp9_informhosp"].null_count() == lines
    silver(small.settings)
    small.purge()
    assert small.bytes_with(*OLD) == []
    assert gone not in set(small.rows("silver.drugallergy")["_receipt"])


@pytest.mark.long
def test_a_zip_that_left_landing_is_named_and_nothing_is_begun(
    small: Small, copied: Copied, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = sorted(set(small.rows("bronze.chronic")["_receipt"]))[1]
    _stricter(copied)
    holds = Vault.holds
    monkeypatch.setattr(Vault, "holds", lambda self, one: one.receipt != gone and holds(self, one))
    with pytest.raises(StoreError, match=rf"rebuild\.landing.*{gone}"):
        small.rebuild()
    assert small.ledger.unfinished(["bronze"]) == () and len(outdated_rules(small.settings)["outdated"]) == 2


@pytest.mark.long
def test_a_rebuild_waits_for_a_batch_of_silver_that_was_cut_off(small: Small, copied: Copied) -> None:
    small.deliver("99002", 3, OLD[2], range(7, 9))
    bronze(small.settings)
    assert small.ledger.open_batch("silver") is not None
    _stricter(copied)
    with pytest.raises(BusyError, match=r"rebuild\.silver"):
        small.rebuild()
    silver(small.settings)
    assert small.rebuild() is not None
    silver(small.settings)
    assert small.rows("silver.drugallergy")["hosp9_informhosp"].drop_nulls().is_empty()


@pytest.mark.long
def test_rows_left_under_other_rules_fail_the_rebuild(
    small: Small, copied: Copied, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stricter(copied)
    monkeypatch.setattr(rebuilding, "_by_table", lambda old: {})
    with pytest.raises(BalanceError, match=r"rebuild\.left"):
        small.rebuild()


@pytest.mark.long
def test_other_deliveries_of_a_file_stay_as_they_are(
    small: Small, copied: Copied, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chunk takes one of the two deliveries whose rows share files."""
    shared = small.rows("bronze.drugallergy").filter(pl.col("hospcode") == "99002")
    _stricter(copied)
    monkeypatch.setattr(asked, "MOST_REBUILT", 1)
    monkeypatch.setattr(rebuilding, "_require_none_left", lambda *_: None)
    opened = Ledger.open_batch
    left = iter([True, False])
    monkeypatch.setattr(
        Ledger, "open_batch", lambda self, *a, rebuild=False, **k: None if rebuild and not next(left)
        else opened(self, *a, rebuild=rebuild, **k),
    )  # fmt: skip
    small.rebuild()
    rows = small.rows("bronze.drugallergy").select(list(stored_schema(contracts()["DRUGALLERGY"])))
    assert (
        rows.filter(pl.col("hospcode") == "99002")
        .sort("_line")
        .equals(shared.select(rows.columns).sort("_line"))
    )
    assert rows.height == 8 and not (set(rows["hosp9_informhosp"]) & {OLD[0]})


@pytest.mark.long
def test_rows_that_the_rules_refuse_by_now_leave_silver(small: Small, copied: Copied) -> None:
    copied.change(
        CONTRACT, 'name="DRUGALLERGY", type="char", width=24', 'name="DRUGALLERGY", type="char", width=1'
    )
    assert small.rows("silver.drugallergy").height == 7
    small.rebuild()
    silver(small.settings)
    assert small.rows("silver.drugallergy").height == 0 and small.rows("silver.chronic").height == 7
    assert {count[0]: count[3:] for count in _counts(small)} == {"CHRONIC": (8, 0), "DRUGALLERGY": (0, 8)}


@pytest.mark.long
def test_a_later_pass_under_other_rules_is_made_anew_though_the_first_one_is_in_force(
    small: Small, copied: Copied
) -> None:
    receipt, first = min(set(small.rows("bronze.chronic")["_receipt"])), rules_digest()
    before = small.hashes()
    copied.change(CONTRACT, 'codes="drugallergy_informant", ', 'codes="8-9", ')
    small.ledger.ask_again([receipt], "test")
    bronze(small.settings)
    silver(small.settings)
    assert copied.change(CONTRACT, 'codes="8-9", ', 'codes="drugallergy_informant", ') == first
    (told,) = outdated_rules(small.settings)["outdated"]
    assert (told["deliveries"], told["tables"]) == (0, {"bronze.drugallergy": 3})
    small.rebuild()
    silver(small.settings)
    assert outdated_rules(small.settings)["outdated"] == [] and small.hashes() == before
