"""A lake with two facilities whose patients are told apart by the numbers that were sent: for tests of links."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from typer.testing import CliRunner

from khlang.__main__ import discover
from khlang.bronze.job import run as bronze
from khlang.conform.conform import stored_schema
from khlang.lake.fingerprint import fingerprint
from khlang.lake.ledger import Ledger
from khlang.lake.linked import CURRENT, NAME
from khlang.lake.reader import table
from khlang.landing.deliver import deliver_all
from khlang.model.contract import contracts
from khlang.settings import Settings
from khlang.silver.history import FACT, runs, told
from khlang.silver.link import decided
from zips import zipped

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
