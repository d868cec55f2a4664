"""Stricter rules in a whole lake, by the command: killed half-way, run again, nothing of before on any disk."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from khlang.lake import tables
from khlang.lake.ledger import Ledger
from khlang.settings import PROJECT
from lakes import Lake
from test_second_pass import AFTER, BEFORE, Town, _held_batch, _notes, _people, town

__all__ = ["town"]
pytestmark = [pytest.mark.stack, pytest.mark.long]

TABLE = "bronze.drugallergy"
OLD = "QX7654321"
"""A value of the column that the stricter rules drop."""
CONTRACT = "jobs/khlang/catalog/contracts/th43/drugallergy.toml"
COLUMN = 'name="HOSP9_INFORMHOSP", type="char", width=9, required=true, class="'


def _stricter(lake: Lake, folder: Path) -> Lake:
    """The same lake under a package in which one column's class is another."""
    shutil.copytree(PROJECT / "jobs", folder / "jobs", ignore=shutil.ignore_patterns("__pycache__"))
    contract = folder / CONTRACT
    text = contract.read_text("utf-8")
    assert text.count(f'{COLUMN}public"') == 1
    contract.write_text(text.replace(f'{COLUMN}public"', f'{COLUMN}address"'), "utf-8")
    return replace(lake, more=(("PYTHONPATH", str(folder / "jobs")),))


def _with_value(notes: dict[str, str]) -> dict[str, str]:
    """The notes with one more column that holds the value in every row."""
    head, *lines = notes["DRUGALLERGY.txt"].split("\r\n")
    return {
        "DRUGALLERGY.txt": "\r\n".join([f"{head}|HOSP9_INFORMHOSP", *(f"{line}|{OLD}" for line in lines)])
    }


def _die_between_commit_and_ledger(lake: Lake) -> None:
    """Rebuild, and kill the process when a table has its commit and the ledger does not know of it."""
    with Ledger.open(lake.settings) as ledger:
        seen = ledger.visible()[TABLE]
        driver = lake.start("run", "bronze", "--rebuild")
        with _held_batch(ledger.engine):
            while tables.open_table(lake.settings, TABLE).version() == seen:
                assert driver.poll() is None, driver.communicate()[0]
                time.sleep(0.1)
            os.killpg(driver.pid, signal.SIGKILL)
            driver.communicate(timeout=60)
        assert ledger.visible()[TABLE] == seen


def _rules(lake: Lake) -> dict[str, object]:
    found: dict[str, object] = json.loads(lake.run("status", "--json", expect=(0, 7)))["rules"]
    return found


def test_a_rebuild_that_was_killed_ends_with_nothing_of_before_on_any_disk(
    town: Town, tmp_path: Path
) -> None:
    lake = town.lake
    for hospcode in (BEFORE, AFTER):
        town.deliver(hospcode, _people(hospcode, "1", "2") | _with_value(_notes(hospcode, "A1", "A2", "B2")))
        town.run("bronze")
    town.run("silver", "gold")
    assert _rules(lake)["outdated"] == []
    (tmp_path / "values.csv").write_text(f"kind,value,scan\ncode,{OLD},true\n", "utf-8")
    scan = ("scan", "--canaries", str(tmp_path / "values.csv"))
    lake.run(*scan, expect=[4])
    before = {
        zone: [town.rows(zone, code).height for code in (BEFORE, AFTER)] for zone in ("bronze", "silver")
    }

    strict = _stricter(lake, tmp_path)
    assert len(_rules(strict)["outdated"]) == 2  # type: ignore[arg-type]
    _die_between_commit_and_ledger(strict)
    assert len(_rules(strict)["outdated"]) == 2, "nothing of an unfinished chunk counts"  # type: ignore[arg-type]
    print(strict.run("run", "bronze", "--rebuild"))
    rules = _rules(strict)
    assert (rules["outdated"], rules["waiting"], rules["purge_due"]) == ([], 0, False)
    after = {
        zone: [town.rows(zone, code).height for code in (BEFORE, AFTER)] for zone in ("bronze", "silver")
    }
    assert after == before
    digests = set()
    for name in (TABLE, "silver.drugallergy", "gold.facility_month", "gold.indicator"):
        commits = tables.open_table(lake.settings, name).history()  # the purge writes commits of its own
        digests.add(next(commit["policy_digest"] for commit in commits if "batch" in commit))
    assert digests == {rules["digest"]}
    strict.run(*scan, expect=[0])
