"""The demo: where it puts invented zips, and the words of its end on a terminal of 80 columns."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from khlang.commands.demo import inbox_key
from khlang.demo.report import Lines, show_balance, show_front_door, show_receipt, show_stages
from khlang.demo.scheduler import TaskRun
from khlang.demo.watch import JOBS
from khlang.lake.ledger import Ledger
from khlang.model.contract import contracts
from khlang.settings import Settings

from .deliveries import loaded, settled
from .landing_lake import lake, ledger

__all__ = ["lake", "ledger"]


def _lines(console: Console) -> list[str]:
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined,no-any-return]


def test_the_balance_names_every_file_whole_on_a_terminal_of_80_columns() -> None:
    console = Console(file=io.StringIO(), width=80)
    rows = [Lines(file, 12_345_678, 12_345_000, 678, 12_000_000) for file in contracts()]
    show_balance(console, [*rows, Lines("INVESTIGATION_REFER", 5, 3, 1, 3)])
    lines = _lines(console)
    assert all(cell_len(line) <= 80 for line in lines) and not any("…" in line for line in lines)
    firsts = {line.split("│")[1].strip() for line in lines if line.startswith("│")}
    assert set(contracts()) <= firsts and any(first.endswith("≠") for first in firsts)
    assert sum("12,345,678" in line for line in lines) == len(rows)


def test_the_rate_says_what_it_counts() -> None:
    console = Console(file=io.StringIO(), width=80)
    start = datetime(2026, 11, 1, tzinfo=UTC)
    tasks = [TaskRun("d", "r", job, "success", 1, start, start + timedelta(seconds=10)) for job in JOBS]
    show_stages(console, tasks, 36_832)
    told = " ".join(" ".join(_lines(console)).split())
    assert "lines/s" in told and "the 36,832 lines of the zips of this run" in told and "rows/s" not in told
    assert "3,683" in told and "737" in told


@pytest.mark.stack
def test_one_receipt_of_the_run_is_shown_with_the_command_one_with_refused_lines_first(
    ledger: Ledger,
) -> None:
    refused, _ = loaded(ledger, 1)
    plain, late = settled(ledger), settled(ledger)
    current = [replace(delivery, state="current") for delivery in (plain, refused)]
    for arrived, number in (([*current, late], refused.receipt), ([late], late.receipt)):
        console = Console(file=io.StringIO(), width=80)
        show_receipt(console, ledger, arrived)
        assert re.search(rf"khlang receipt {number}\n", console.file.getvalue())  # type: ignore[attr-defined]


@pytest.mark.stack
def test_the_demo_says_how_a_facility_signs_in_and_what_it_says_opens(lake: Settings, ledger: Ledger) -> None:
    console = Console(file=io.StringIO(), width=80)
    show_front_door(console, lake, ledger, [settled(ledger)])
    told = "\n".join(_lines(console))
    found = re.search(r"facility (\d{5}),.* passphrase (\S+)$", told, re.MULTILINE)
    assert found and f"http://127.0.0.1:{lake.port('front_door')}" in told
    assert ledger.opens(found[1], found[2]) == ledger.pass_version(found[1])


def test_a_zip_that_is_sent_again_on_another_day_gets_a_place_of_its_own() -> None:
    name = "F43_43260_20261103160644.zip"
    first, again = inbox_key(Path("inbox/20261103") / name), inbox_key(Path("inbox/20261106") / name)
    assert first != again
    assert first.split("/")[0] == again.split("/")[0] == "43260"


def test_a_zip_without_a_facility_in_its_name_comes_from_nobody_in_particular() -> None:
    assert inbox_key(Path("inbox/20261104/export.zip")).startswith("other/")
