"""A steward's decision, a later and a corrected CID, a withdrawal: every table of silver follows, and comes back."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest

from khlang.errors import SettingsError
from khlang.lake import tables
from khlang.lake.ledger import Ledger
from khlang.lake.linked import NAME
from khlang.silver.history import FACT
from khlang.silver.job import run as silver
from khlang.stack.seaweed import create_buckets
from lakes import Lake
from landing_lake import dropped, empty_lake, environment
from linked_town import CIDS, FIRST, HERE, OTHER, SECOND, Town, person, seen

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def town(stores: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """The lake after the first month; patients are told by the numbers that were sent."""
    settings = empty_lake(stores.settings, f"p{secrets.token_hex(4)}")
    create_buckets(settings, "lake")
    with environment(settings):
        town = Town(settings, tmp_path_factory.mktemp("links"))
        town.deliver(FIRST)
        silver(settings)
        for hospcode, files in FIRST.items():
            rows = town.rows("bronze.chronic").filter(pl.col("hospcode") == hospcode).sort("_line")
            numbers = [row.partition("|")[0] for row in files["CHRONIC"]]
            town.patients |= {n: (hospcode, pid) for n, pid in zip(numbers, rows["pid"], strict=True)}
        yield town
    dropped(settings)


def test_a_later_cid_and_a_corrected_one_relink_all_rows_and_end_the_link_before(town: Town) -> None:
    before, links = town.keys(), town.links()
    own = {number: pid for number, (_, pid) in town.patients.items()}
    assert before == {number: links[number][0] if number in links else own[number] for number in own}
    assert before["1"] == own["1"] and before["9"] == own["9"] and before["3"] == before["7"]
    town.deliver(SECOND)
    assert silver(town.settings) is not None
    after = town.keys()
    assert after["1"] == after["2"] == town.links()["1"][0] and after["2"] != before["2"]
    assert {n: key for n, key in after.items() if n not in "12"} == {
        n: key for n, key in before.items() if n not in "12"
    }
    began = FACT.index("valid_from")
    of_two = sorted((row for row in town.history() if row[1] == own["2"]), key=lambda row: row[began])
    assert [row[2] for row in of_two] == [before["2"], after["2"]] and of_two[0][-1] == of_two[1][-2]
    assert town.history() == town.from_bronze()


def test_a_run_with_nothing_new_changes_nothing(town: Town) -> None:
    versions = tables.visible(town.settings)
    assert silver(town.settings) is None
    town.deliver({HERE: SECOND[HERE] | seen("5")})  # the register again, with a visit of somebody unknown
    town.patients["5"] = (HERE, town.rows("bronze.chronic").sort("_arrival")["pid"][-1])
    assert silver(town.settings) is not None
    now = tables.visible(town.settings)
    assert {name for name in now if now[name] != versions[name] and name.startswith("silver.")} == {
        "silver.service", "silver.chronic", "silver.diagnosis_opd", "silver.orphan",
    }  # fmt: skip


def _dying_after_each_commit(town: Town, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run silver so that each attempt makes one commit and dies; the last dies before the ledger. How often."""
    commit, lock, died = tables.commit, threading.Lock(), 0
    made = []

    def _once(*told: Any, **more: Any) -> tuple[int, bool]:
        with lock:
            if made:
                raise SystemError("died")
            version, is_new = commit(*told, **more)
            made.extend([told[1]] * is_new)
            return version, is_new

    with monkeypatch.context() as patched:
        patched.setattr(tables, "commit", _once)
        patched.setattr(Ledger, "commit_batch", lambda *_, **__: (_ for _ in ()).throw(SystemError("died")))
        while died == 0 or made:
            made.clear()
            with pytest.raises(SystemError):
                silver(town.settings)
            died += 1
    return died


def test_a_shared_cid_is_parted_in_every_table_though_the_run_dies_after_each_commit(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, orphans, seen_ = town.keys(), town.hashes()["orphan"], town.history()
    said = town.khlang("link", "part", *town.patients["7"], "--cause", "two sexes under one CID")
    assert said.startswith("decision 1: part")
    died = _dying_after_each_commit(town, monkeypatch)
    assert died == 6, "person, person_link, service, chronic, diagnosis_opd, and before the ledger"
    assert town.keys() == before and town.history() == seen_, "nothing of an unfinished batch shows"
    town.khlang("link", "join", *town.patients["8"], before["4"], "--cause", "same person, two CIDs")
    assert silver(town.settings) is not None
    own = town.patients["7"][1]
    assert town.keys() == before | {"7": own}, "what was decided after the batch began waits for the next one"
    assert town.links()["7"] == (own, "decision") and town.hashes()["orphan"] == orphans
    assert town.history() == town.from_bronze()


def test_two_cids_of_one_person_are_joined_with_the_next_run_and_both_decisions_hold_on(town: Town) -> None:
    before = town.keys()
    town.deliver({OTHER: {"PERSON": [person("7", CIDS[2], "2"), person("8", CIDS[0])]} | seen("7", "8")})
    assert silver(town.settings) is not None and silver(town.settings) is None
    assert town.keys() == before | {"8": before["4"]}, "a CID that is sent later undoes no decision"
    assert town.history() == town.from_bronze()
    with pytest.raises(SettingsError, match=r"link\.decided"):
        town.khlang("link", "part", *town.patients["8"], "--cause", "again")


def test_only_patients_and_persons_that_the_lake_knows_are_decided_on(town: Town) -> None:
    nobody = "1." + "A" * 22
    for words in (("part", HERE, f"l{nobody}"), ("part", OTHER, town.patients["4"][1]),
                  ("join", *town.patients["4"], f"p{nobody}")):  # fmt: skip
        with pytest.raises(SettingsError, match=r"link\.unknown"):
            town.khlang("link", *words, "--cause", "none")


def test_undone_decisions_leave_every_table_as_deliveries_alone_make_it(town: Town) -> None:
    parted = town.keys()
    town.khlang("link", "undo", "1", "--cause", "looked again")
    town.khlang("link", "undo", "2", "--cause", "looked again")
    assert silver(town.settings) is not None and silver(town.settings) is None
    keys = town.keys()
    assert keys["7"] == keys["3"] != parted["7"] and keys["8"] not in (parted["8"], parted["4"])
    assert {source for _, source in town.links().values()} == {"cid"}
    assert town.history() == town.from_bronze()
    states = [
        line.split('"state": "')[1].split('"')[0]
        for line in town.khlang("link", "list", "--json").splitlines()
    ]
    assert states == ["undone", "undone", "done", "done"]


def test_a_withdrawn_delivery_takes_its_links_back_and_says_since_when(town: Town) -> None:
    own = town.patients["1"][1]
    for receipt in (town.receipts[2], town.receipts[3]):
        with Ledger.open(town.settings) as ledger:
            ledger.withdraw(receipt, "wrong month")
    done = silver(town.settings)
    assert done is not None and town.keys()["1"] == own and town.links()["1"] == (own, "pid")
    back = town.rows(NAME).filter(pl.col("_taken_back") == done["batch"])
    assert sorted(back["pid"].unique()) == sorted(town.patients[number][1] for number in "12")
    assert town.history() == town.from_bronze()
