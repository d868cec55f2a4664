"""The demo's invented extracts, and which month of them is delivered next."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from khlang.lake.ledger import Ledger
from khlang.settings import Settings

START, MONTHS, FIRST_MONTHS = date(2026, 5, 1), 6, 2
PLAIN_NAME = re.compile(r"F43_\d{5}_\d{14}\.zip")


@dataclass(frozen=True, slots=True)
class Size:
    """How much is invented: facilities, and persons in the mean catchment of one."""

    facilities: int
    persons: int


@dataclass(frozen=True, slots=True)
class Post:
    """What one run of the demo delivers: the registry of its set, the months, their zips in order."""

    registry: Path
    months: tuple[str, ...]
    zips: tuple[Path, ...]


def next_post(settings: Settings, ledger: Ledger, size: Size, say: Callable[[str], None]) -> Post:
    """The first two months for an empty lake, else the next month; when a set is used up, a new one is made."""
    # the extracts hold people: invented ones, but they stay where raw zips stay, so that a scan means something
    known = {delivery.name for delivery in ledger.deliveries()}
    for number, folder in enumerate(_sets(settings.root / "landing" / "demo"), start=1):
        if not (folder / "facilities.csv").exists():
            _invent(folder, size, number, say)
        left = [month for month in _months(folder) if _fresh(folder, month, known)]
        if left:
            chosen = tuple(left[: FIRST_MONTHS if len(left) == MONTHS else 1])
            zips = tuple(path for month in chosen for path in _zips(folder, month))
            return Post(folder / "facilities.csv", chosen, zips)
    raise AssertionError("there is always a next set")


def _sets(home: Path) -> Iterator[Path]:
    number = 0
    while True:
        number += 1
        yield home / f"set-{number}"


def _invent(folder: Path, size: Size, seed: int, say: Callable[[str], None]) -> None:
    """Invent into a folder beside, renamed when it is whole: a broken run leaves no half set."""
    import shutil

    from khlang.synth import job
    from khlang.synth.plan import Plan

    draft = folder.with_name(f"{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    job.run(Plan(size.facilities, MONTHS, size.persons, START, seed), draft, say)
    shutil.rmtree(draft / "truth")  # who is behind the invented ids is nobody's business here
    draft.rename(folder)


def _months(folder: Path) -> list[str]:
    return sorted({day.name[:6] for day in (folder / "inbox").iterdir()})


def _zips(folder: Path, month: str) -> list[Path]:
    return sorted((folder / "inbox").glob(f"{month}*/*"))


def _fresh(folder: Path, month: str, known: set[str]) -> bool:
    """Has any zip of the month, called as a zip should be, not arrived yet?"""
    return any(PLAIN_NAME.fullmatch(path.name) and path.name not in known for path in _zips(folder, month))
