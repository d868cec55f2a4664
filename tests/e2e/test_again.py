"""A delivery is read again after a rule of the ministry changed: its rows, its receipt and silver follow."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from khlang.lake.fingerprint import fingerprint
from khlang.settings import PROJECT
from lakes import Lake
from test_second_pass import AFTER, BEFORE, Town, _notes, _people, town

__all__ = ["town"]
pytestmark = [pytest.mark.stack, pytest.mark.long]

CHANGES = {
    'codes="drugallergy_informant", ': "",
    'name="DRUGALLERGY", type="char", width=24': 'name="DRUGALLERGY", type="char", width=2',
}
"""Any code of the informant is known from now on; a drug's code, which is part of the key, has two characters."""


def _with_other_rules(lake: Lake, folder: Path) -> Lake:
    """The same lake under a package with the changed contract."""
    shutil.copytree(PROJECT / "jobs", folder / "jobs", ignore=shutil.ignore_patterns("__pycache__"))
    contract = folder / "jobs/khlang/catalog/contracts/th43/drugallergy.toml"
    text = contract.read_text("utf-8")
    for old, new in CHANGES.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    contract.write_text(text, "utf-8")
    return replace(lake, more=(("PYTHONPATH", str(folder / "jobs")),))


def _told(lake: Lake, receipt: str) -> tuple[list[int], list[tuple[int, str | None, str]]]:
    """Of a receipt's notes: delivered, accepted, refused; the faults that are not of a note."""
    found: dict[str, Any] = json.loads(lake.run("receipt", receipt, "--json"))
    member = found["members"][0]
    faults = [
        (f["line"], f["column"], f["code"]) for f in member["faults"] if not f["code"].startswith("note.")
    ]
    return [member["delivered"], member["accepted"], member["refused"]], faults


def _state(town: Town) -> list[tuple[Any, ...]]:
    return town.rows("silver", AFTER).select("drugallergy", "informant", "_pass").rows()


def test_a_delivery_read_again_under_other_rules_comes_out_as_they_say(town: Town, tmp_path: Path) -> None:
    lake = town.lake
    notes = _notes(AFTER, "A1", "A2", "B22")
    notes["DRUGALLERGY.txt"] = notes["DRUGALLERGY.txt"].replace(f"|1|{BEFORE}", f"|9|{BEFORE}", 1)
    receipt = town.deliver(AFTER, notes | _people(AFTER, "1", "2"))
    town.run("bronze", "silver")
    unknown, first = [(2, "INFORMANT", "code.unknown")], _state(town)
    assert _told(lake, receipt) == ([3, 3, 0], unknown)
    assert first == [("A1", None, 1), ("A2", "1", 1), ("B22", "1", 1)]
    before = fingerprint(town.rows("silver", AFTER), ["pid", "drugallergy", "informant", "person_key"])

    lake.run("again", receipt)
    town.run("bronze", "silver")
    assert _told(lake, receipt) == ([3, 3, 0], unknown) and _state(town) == first, "the rules are the same"

    other = _with_other_rules(lake, tmp_path)
    month = f"{AFTER}/2026-10"
    other = replace(other, more=(*other.more, ("KHLANG_AGAIN", month)))
    other.run("run", "bronze")
    assert _state(town) == first, "a batch that silver has not seen shows nowhere"
    other.run("run", "silver")
    assert _told(lake, receipt) == ([3, 2, 1], [(4, "DRUGALLERGY", "text.too_long")])
    assert _state(town) == [("A1", "9", 2), ("A2", "1", 1)]
    assert town.rows("bronze", AFTER).select("drugallergy", "_pass").height == 5, "bronze keeps what it had"

    lake.run("again", month)
    town.run("bronze", "silver")
    assert _told(lake, receipt) == ([3, 3, 0], unknown)
    assert _state(town) == [("A1", None, 3), ("A2", "1", 1), ("B22", "1", 3)]
    after = fingerprint(town.rows("silver", AFTER), ["pid", "drugallergy", "informant", "person_key"])
    assert after == before
    said = lake.told("again", "99001/2026-10", expect=[2])
    assert "again.unknown" in said


def test_a_withdrawn_delivery_leaves_what_was_before_it(town: Town) -> None:
    columns = ["pid", "drugallergy", "informant", "dname", "person_key"]
    town.deliver(BEFORE, _people(BEFORE, "1", "2") | _notes(BEFORE, "A1", "A2"))
    town.run("bronze", "silver")
    before = fingerprint(town.rows("silver", BEFORE), columns)
    wrong = _notes(BEFORE, "A1", "B2")
    wrong["DRUGALLERGY.txt"] = wrong["DRUGALLERGY.txt"].replace(f"|1|{BEFORE}", f"|2|{BEFORE}")
    receipt = town.deliver(BEFORE, wrong)
    town.run("bronze", "silver")
    assert town.rows("silver", BEFORE)["drugallergy"].to_list() == ["A1", "A2", "B2"]
    town.lake.run("withdraw", receipt, "--cause", "sent by mistake")
    town.run("silver")
    assert fingerprint(town.rows("silver", BEFORE), columns) == before
    assert json.loads(town.lake.run("receipt", receipt, "--json"))["state"] == "withdrawn"
    assert "delivery.state" in town.lake.told("withdraw", receipt, "--cause", "again", expect=[1])
    town.deliver(BEFORE, wrong)
    town.run("bronze", "silver")
    assert town.rows("silver", BEFORE)["drugallergy"].to_list() == ["A1", "A2", "B2"], (
        "sent once more, it counts"
    )
