"""Each guard taken out in turn: the same small canary set, and the scan finds what the guard had kept back."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from guards import GUARDS
from khlang.lake.ledger import Ledger
from khlang.lake.scan.canaries import Canaries as Searched
from khlang.lake.scan.everything import scan_everything
from khlang.lake.scan.report import Report
from khlang.prove.places import grouped
from khlang.settings import PROJECT, Settings
from khlang.stack.seaweed import create_buckets
from khlang.synth.canary_zips import Canaries, invent_few
from lakes import Lake

from ..unit.landing_lake import dropped, empty_lake, facility

pytestmark = [pytest.mark.stack, pytest.mark.long, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def canaries() -> Canaries:
    return invent_few(7)


@pytest.fixture
def empty(stores: Lake) -> Iterator[Settings]:
    settings = empty_lake(stores.settings, f"g{secrets.token_hex(4)}")
    create_buckets(settings, "lake")
    with Ledger.open(settings) as ledger:
        ledger.load_facilities([facility("00901")])
    yield settings
    dropped(settings)


def _environment(settings: Settings) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KHLANG_")}
    own = {name: str(getattr(settings, name)) for name in
           ("home", "base_port", "bucket_prefix", "key_store", "database_url", "landing_lock_days")}  # fmt: skip
    return kept | {f"KHLANG_{name.upper()}": value for name, value in own.items()} | {
        "PYTHONPATH": str(PROJECT / "jobs")
    }  # fmt: skip


def _searched(settings: Settings, canaries: Canaries, guard: str, folder: Path) -> Report:
    """Delivered, loaded into bronze and searched, without that guard."""
    (folder / "sent").mkdir()
    for number, sent in enumerate(canaries.sent):
        if not sent.key:
            place = folder / "sent" / f"{number:02}"
            place.mkdir()
            (place / sent.name).write_bytes(sent.content)
    log = folder / "log"
    log.mkdir()
    for words in (["deliver", str(folder / "sent")], ["run", "bronze"]):
        _run(settings, guard, words, log / f"{words[0]}.log")
    return scan_everything(settings, Searched.of(canaries.mint.frame()), paths=[log])


def _run(settings: Settings, guard: str, words: Sequence[str], log: Path) -> None:
    with log.open("wb") as out:
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("guards.py")), guard, *words],
            env=_environment(settings), cwd=PROJECT, stdout=out, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
    assert done.returncode in (0, 5), log.read_text("utf-8", "replace")[-2000:]


def _holds(settings: Settings, canaries: Canaries, guard: str, folder: Path) -> None:
    """Nothing is found with every guard in its place; without one, something is."""
    begun = time.monotonic()
    report = _searched(settings, canaries, guard, folder)
    found = grouped(report.hits(), settings.root)
    print(f"\n  {guard}: {sum(one.count for one in found)} found in {len({one.place for one in found})} places, "
          f"{report.totals['bytes']:,} bytes, {time.monotonic() - begun:.0f} s")  # fmt: skip
    assert not report.unread and report.totals["bytes"] > 1_000_000
    assert bool(found) is (guard != "none"), "\n".join(f"{one.place}: {one.kind}" for one in found[:20])


@pytest.mark.parametrize("guard", GUARDS)
def test_the_scan_finds_what_any_guard_had_kept_back(
    guard: str, empty: Settings, canaries: Canaries, tmp_path: Path
) -> None:
    _holds(empty, canaries, guard, tmp_path)
