"""A steward's decision, a later and a corrected CID, a withdrawal: every table of silver follows, and comes back."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from khlang.__main__ import discover
from khlang.bronze.job import run as bronze
from khlang.conform.conform import stored_schema
from khlang.errors import SettingsError
from khlang.gold.job import run as gold
from khlang.lake import tables
from khlang.lake.fingerprint import fingerprint
from khlang.lake.ledger import Ledger
from khlang.lake.linked import CURRENT, NAME
from khlang.lake.reader import table
from khlang.landing.deliver import deliver_all
from khlang.model.contract import contracts
from khlang.settings import Settings
from khlang.silver.history import FACT, runs, told
from khlang.silver.job import run as silver
from khlang.silver.link import decided
from khlang.stack.seaweed import create_buckets
from lakes import Lake
from landing_lake import dropped, empty_lake, environment
from zips import zipped

pytestmark = pytest.mark.stack

HERE, OTHER = "99001", "99002"
CIDS = ("1234567890121", "1234567890139", "1234567890147", "1234567890155", "1234567890163")
HEADS = {
    "PERSON": "HOSPCODE|CID|PID|PRENAME|NAME|LNAME|SEX|BIRTH|NATION|TYPEAREA|DISCHARGE|D_UPDATE",
    "SERVICE": "HOSPCODE|PID|SEQ|DATE_SERV|D_UPDATE",
    "CHRONIC": "HOSPCODE|PID|DATE_DIAG|CHRONIC|D_UPDATE",
    "DIAGNOSIS_OPD": "HOSPCODE|PID|SEQ|DATE_SERV|DIAGTYPE|DIAGCODE|CLINIC|D_UPDATE",
}
Told = dict[str, list[str]]


def person(pid: str, cid: str, sex: str = "1") -> str:
    """A row of PERSON."""
    return f"{cid}|{pid}|003|สมมุติ{pid}|ตัวอย่าง|{sex}|19800515|099|1|9|20260901080000"


def seen(*pids: str) -> Told:
    """A visit with a diagnosis, and an entry in the registry, of each patient."""
    return {
        "SERVICE": [f"{pid}|V{pid}|20260901|20260901080000" for pid in pids],
        "DIAGNOSIS_OPD": [f"{pid}|V{pid}|20260901|1|E119|00100|20260901080000" for pid in pids],
        "CHRONIC": [f"{pid}|20200131|E119|20260901080000" for pid in pids],
    }


FIRST = {
    HERE: {"PERSON": [person("1", ""), person("2", CIDS[0]), person("3", CIDS[2]), person("4", CIDS[3])]}
    | seen("1", "2", "3", "4", "9"),
    OTHER: {"PERSON": [person("7", CIDS[2], "2"), person("8", CIDS[4])]} | seen("7", "8"),
}
"""3 and 7 share a CID and differ in sex; 4 and 8 are one person with two CIDs; 9 is not in PERSON."""
SECOND = {HERE: {"PERSON": [person("1", CIDS[1]), person("2", CIDS[1])]}}
"""1 has a CID at last, the one of 2 is corrected: they are the same person."""


@dataclass
class Town:
    """A lake with two facilities, its jobs in this process."""

    settings: Settings
    folder: Path
    patients: dict[str, tuple[str, str]] = field(default_factory=dict)
    receipts: list[str] = field(default_factory=list)
    days: int = 0

    def deliver(self, sent: dict[str, Told]) -> None:
        """A zip of each facility, the next day."""
        self.days += 1
        paths = []
        for hospcode, files in sent.items():
            members = {
                f"{file}.txt": "".join(
                    f"{line}\r\n" for line in (HEADS[file], *(f"{hospcode}|{row}" for row in rows))
                )
                for file, rows in files.items()
            }
            path = self.folder / f"F43_{hospcode}_202611{self.days:02d}120000.zip"
            path.write_bytes(zipped({name: text.encode() for name, text in members.items()}))
            paths.append(path)
        self.receipts += [one.receipt for one in deliver_all(self.settings, paths)]
        bronze(self.settings)

    def rows(self, name: str) -> pl.DataFrame:
        """A table at its visible version."""
        return table(name, settings=self.settings).polars()

    def khlang(self, *words: str) -> str:
        """A command; what it says."""
        done = CliRunner().invoke(discover(), list(words))
        if done.exception is not None:
            raise done.exception
        return done.output

    def keys(self) -> dict[str, str]:
        """PID -> person_key of the patient's rows, the same in every table of silver that has some."""
        found: dict[str, set[str]] = {}
        for file in HEADS:
            rows = self.rows(f"silver.{file.lower()}")
            for hospcode, pid, key in rows.select("hospcode", "pid", "person_key").iter_rows():
                number = next(n for n, place in self.patients.items() if place == (hospcode, pid))
                found.setdefault(number, set()).add(key)
        assert all(len(keys) == 1 for keys in found.values()), "tables differ in who a patient is"
        return {number: keys.pop() for number, keys in found.items()}

    def links(self) -> dict[str, tuple[str, str]]:
        """PID -> (person_key, source) of the current links."""
        rows = table(NAME, CURRENT, settings=self.settings).polars()
        numbers = {place: number for number, place in self.patients.items()}
        told_ = rows.select("hospcode", "pid", "person_key", "source").iter_rows()
        return {numbers[hospcode, pid]: (key, source) for hospcode, pid, key, source in told_}

    def history(self) -> list[tuple[Any, ...]]:
        """Every link that stands."""
        standing = self.rows(NAME).filter(pl.col("_taken_back").is_null())
        return standing.select(*FACT, "valid_to").sort(FACT, nulls_last=True).rows()

    def from_bronze(self) -> list[tuple[Any, ...]]:
        """The same worked out from all of bronze and the decisions that hold, without the table."""
        with Ledger.open(self.settings) as ledger:
            gone = list(ledger.withdrawn())
            holds = decided((d.hospcode, d.patient, d.person_key, d.id) for d in ledger.taken_decisions())
        rows = self.rows("bronze.person").filter(pl.col("_accepted") & ~pl.col("_repeated"))
        rows = rows.filter(~pl.col("_receipt").is_in(gone)).select(list(stored_schema(contracts()["PERSON"])))
        found = runs(told(rows, holds), holds)
        return found.select(*FACT, "valid_to").sort(FACT, nulls_last=True).rows()

    def hashes(self) -> dict[str, str]:
        """Hash of every table of silver by the columns of exact rule 15, and of the orphans whole."""
        found = {}
        for file in HEADS:
            rows = self.rows(f"silver.{file.lower()}")
            columns = [column.field for column in contracts()[file].current]
            found[file] = fingerprint(rows, [*columns, "person_key"])
        orphans = self.rows("silver.orphan")
        return found | {"orphan": fingerprint(orphans, orphans.columns)}


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


@pytest.mark.long
def test_marts_and_indicators_that_count_persons_follow_a_decision_and_its_undoing(
    stores: Lake, tmp_path: Path
) -> None:
    settings = empty_lake(stores.settings, f"p{secrets.token_hex(4)}")
    create_buckets(settings, "lake")
    with environment(settings):
        town = Town(settings, tmp_path)
        town.deliver(FIRST)
        told_ = [_counted(town)]
        rows = town.rows("silver.chronic").sort("hospcode", "_line")
        four, eight = rows.filter(pl.col("hospcode") == HERE)[3], rows.filter(pl.col("hospcode") == OTHER)[1]
        patient = str(eight["pid"].item())
        said = town.khlang(
            "link", "join", OTHER, patient, str(four["person_key"].item()), "--cause", "two CIDs"
        )
        told_.append(_counted(town))
        town.khlang("link", "undo", said.split(":")[0].split()[1], "--cause", "looked again")
        told_.append(_counted(town))
        assert gold(settings) is None
    dropped(settings)
    alone, joined, again = told_
    assert alone == again
    assert (alone["chronic"], joined["chronic"]) == (6, 5), (
        "3 and 7 are one person; 4 and 8 from the decision on"
    )
    assert (alone["op_per_person"], joined["op_per_person"]) == (6, 5)
    assert alone["conflicts"] == joined["conflicts"] == {"cid.sex": 2}


def _counted(town: Town) -> dict[str, Any]:
    """Silver and gold, then the numbers of persons and of conflicts."""
    assert silver(town.settings) is not None and gold(town.settings) is not None
    known = (
        (pl.col("indicator") == "op_per_person") & (pl.col("level") == "country") & (pl.col("month") == "")
    )
    indicator = town.rows("gold.indicator").filter(known)
    conflicts = json.loads(town.khlang("link", "conflicts", "--json"))
    return {
        "chronic": town.rows("gold.chronic").height,
        "op_per_person": indicator["denominator"].item(),
        "conflicts": conflicts,
    }
