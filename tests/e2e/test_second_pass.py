"""A note comes before its patient's PERSON row at one facility and after it at another: the same text in the end."""

from __future__ import annotations

import io
import json
import os
import signal
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sqlalchemy import Engine, text

from khlang.lake import tables
from khlang.lake.fingerprint import fingerprint
from khlang.lake.ledger import Ledger
from khlang.lake.reader import table
from khlang.model.contract import contracts
from lakes import Lake

pytestmark = [pytest.mark.stack, pytest.mark.long]

BEFORE, AFTER = "99011", "99012"
"""Facilities: of the one the note comes before the PERSON rows, of the other after them."""

REGISTRY = "hospcode,hospcode9,name,level,hostype,province,health_region,ampur,tambon\n" + "".join(
    f"{code},EA00{code},รพ.สต.ตัวอย่าง,P1,18,50,1,02,01\n" for code in (BEFORE, AFTER)
)
ALLERGY = "HOSPCODE|PID|DATERECORD|DRUGALLERGY|DNAME|INFORMANT|INFORMHOSP|D_UPDATE"
PERSON = "HOSPCODE|CID|PID|NAME|LNAME|D_UPDATE"
FIRST_NAME = {"1": "ฌาฏิพงฆ์", "2": "ฒุฑามาฆ"}
TABLE = "bronze.drugallergy"


def _cid(pid: str) -> str:
    """An invented citizen id with a right check digit."""
    digits = f"11017{pid:0>7}"
    total = sum(int(digit) * (13 - at) for at, digit in enumerate(digits))
    return f"{digits}{(11 - total % 11) % 10}"


def _notes(hospcode: str, *drugs: str) -> dict[str, str]:
    """A note for each drug code, which ends in its patient's number."""
    lines = [
        f"{hospcode}|{drug[-1]}|20260901|{drug}|{FIRST_NAME[drug[-1]]} แพ้ยา แอมพิซิลลิน|1|{BEFORE}|20260901080000"
        for drug in drugs
    ]
    return {"DRUGALLERGY.txt": "\r\n".join([ALLERGY, *lines])}


def _people(hospcode: str, *pids: str) -> dict[str, str]:
    lines = [f"{hospcode}|{_cid(pid)}|{pid}|{FIRST_NAME[pid]}|ใจตัวอย่าง|20260901080000" for pid in pids]
    return {"PERSON.txt": "\r\n".join([PERSON, *lines])}


class Town:
    """A lake with the two facilities."""

    def __init__(self, lake: Lake, folder: Path) -> None:
        self.lake, self.folder, self.day = lake, folder, 0

    def deliver(self, hospcode: str, members: dict[str, str]) -> str:
        """Deliver a zip; its receipt."""
        self.day += 1
        body = io.BytesIO()
        with zipfile.ZipFile(body, "w") as made:
            for name, content in members.items():
                made.writestr(name, content)
        path = self.folder / f"F43_{hospcode}_202611{self.day:02d}120000.zip"
        path.write_bytes(body.getvalue())
        (told,) = self.lake.json_lines("deliver", str(path))
        assert told["state"] == "checked"
        return str(told["receipt"])

    def run(self, *jobs: str, expect: int = 0) -> None:
        for job in jobs:
            self.lake.run("run", job, expect=[expect])

    def told(self, receipt: str) -> tuple[list[tuple[int, str]], list[int]]:
        """Of a receipt's notes, its first member: (line, code) of their faults; delivered, accepted, refused."""
        found: dict[str, Any] = json.loads(self.lake.run("receipt", receipt, "--json"))
        member = found["members"][0]
        notes = sorted((f["line"], f["code"]) for f in member["faults"] if f["code"].startswith("note."))
        return notes, [member["delivered"], member["accepted"], member["refused"]]

    def counted(self, receipt: str) -> dict[str, int]:
        """The ledger's counts of the notes' faults."""
        with Ledger.open(self.lake.settings) as ledger:
            counts = ledger.fault_counts(receipt).get(1, {})
        return {code: count for (code, _), count in counts.items() if code.startswith("note.")}

    def rows(self, zone: str, hospcode: str) -> pl.DataFrame:
        """Visible rows of the notes, by drug and pass."""
        found = table(f"{zone}.drugallergy", settings=self.lake.settings).polars()
        return found.filter(pl.col("hospcode") == hospcode).sort("drugallergy", "_pass")

    def die_between_commit_and_ledger(self) -> None:
        """Run bronze and kill it when the table has its commit and the ledger does not know of it."""
        settings = self.lake.settings
        with Ledger.open(settings) as ledger:
            seen = ledger.visible()[TABLE]
            driver = self.lake.start("run", "bronze")
            with _held_batch(ledger.engine):
                while tables.open_table(settings, TABLE).version() == seen:
                    assert driver.poll() is None, driver.communicate()[0]
                    time.sleep(0.1)
                os.killpg(driver.pid, signal.SIGKILL)
                driver.communicate(timeout=60)
            assert ledger.visible()[TABLE] == seen


@contextmanager
def _held_batch(engine: Engine) -> Iterator[None]:
    """Hold the row of the open bronze batch, so that nobody reports to it."""
    asked = text("SELECT id FROM batch WHERE stage = 'bronze' AND state = 'open' FOR UPDATE")
    deadline = time.monotonic() + 120
    with engine.connect() as connection:
        while connection.execute(asked).first() is None:
            connection.rollback()
            assert time.monotonic() < deadline, "no batch was opened"
            time.sleep(0.02)
        yield


@pytest.fixture(scope="module")
def town(own_stores: Lake, tmp_path_factory: pytest.TempPathFactory) -> Town:
    """The lake, knowing both facilities."""
    folder = tmp_path_factory.mktemp("zips")
    (folder / "facilities.csv").write_text(REGISTRY, "utf-8")
    own_stores.run("facilities", "load", str(folder / "facilities.csv"))
    return Town(own_stores, folder)


def test_a_note_that_came_before_its_patient_ends_as_one_that_came_after(town: Town) -> None:
    early = town.deliver(BEFORE, _notes(BEFORE, "A1", "A2"))
    town.deliver(AFTER, _people(AFTER, "1", "2"))
    town.run("bronze", "silver")
    withheld = [(2, "note.withheld"), (3, "note.withheld")]
    assert town.rows("silver", BEFORE)["dname"].to_list() == [None, None]
    assert town.told(early) == (withheld, [2, 2, 0])

    # The batch that brings the first patient, and another note about the second, dies between its commits and the
    # ledger; the second patient arrives before it is run again. What was committed counts: her notes still wait.
    again = town.deliver(BEFORE, _notes(BEFORE, "B2") | _people(BEFORE, "1"))
    late = town.deliver(AFTER, _notes(AFTER, "A1", "A2", "B2"))
    town.die_between_commit_and_ledger()
    assert town.told(early) == (withheld, [2, 2, 0]), "nothing of an unfinished batch shows"
    town.deliver(BEFORE, _people(BEFORE, "2"))
    town.run("bronze")
    assert town.told(early) == ([(2, "note.identifier"), (3, "note.withheld")], [2, 2, 0])
    assert town.counted(early) == {"note.identifier": 1, "note.withheld": 1}
    assert town.told(again) == ([(2, "note.withheld")], [1, 1, 0])
    assert town.counted(again) == {"note.withheld": 1}
    town.run("bronze", "silver")
    assert town.told(early) == ([(2, "note.identifier"), (3, "note.identifier")], [2, 2, 0])
    assert town.told(again) == ([(2, "note.identifier")], [1, 1, 0])
    assert (town.counted(early), town.counted(again)) == ({"note.identifier": 2}, {"note.identifier": 1})
    assert town.counted(late) == {"note.identifier": 3}

    # Each line is stored once, its released text beside it; silver has one row per key.
    stored = town.rows("bronze", BEFORE).select("drugallergy", "_pass").rows()
    assert stored == [("A1", 1), ("A1", 2), ("A2", 1), ("A2", 2), ("B2", 1), ("B2", 2)]
    before, after = town.rows("silver", BEFORE), town.rows("silver", AFTER)
    assert before["_pass"].to_list() == [2, 2, 2] and after["_pass"].to_list() == [1, 1, 1]
    assert before["dname"].to_list() == ["<NAME> แพ้ยา แอมพิซิลลิน"] * 3
    assert before["_receipt"].to_list() == [early, early, again]
    own = {"hospcode", "pid"}
    columns = [c.field for c in contracts()["DRUGALLERGY"].current if c.field not in own] + ["person_key"]
    assert fingerprint(before, columns) == fingerprint(after, columns)
    town.run("bronze", "silver", expect=99)
