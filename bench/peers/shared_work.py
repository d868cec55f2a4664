"""What every peer is asked: columns and their rules, sums to compute, and the form of its answer."""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.peers.shared_zips import Staged, stage
from khlang.model.contract import Column, Contract
from khlang.model.policy import policy

BLANKS = " \t\u00a0\u3000"
"""Blanks that are cut around a value (the standard's senders use no others)."""

BUDDHIST = 543
MOST_DIGITS = 38

CHAPTERS = (
    ("I", "A00", "B99"), ("II", "C00", "D48"), ("III", "D50", "D89"), ("IV", "E00", "E90"), ("V", "F00", "F99"),
    ("VI", "G00", "G99"), ("VII", "H00", "H59"), ("VIII", "H60", "H95"), ("IX", "I00", "I99"), ("X", "J00", "J99"),
    ("XI", "K00", "K93"), ("XII", "L00", "L99"), ("XIII", "M00", "M99"), ("XIV", "N00", "N99"), ("XV", "O00", "O99"),
    ("XVI", "P00", "P96"), ("XVII", "Q00", "Q99"), ("XVIII", "R00", "R99"), ("XIX", "S00", "T98"),
    ("XX", "V01", "Y98"), ("XXI", "Z00", "Z99"), ("XXII", "U00", "U99"),
)  # fmt: skip
"""Chapter of ICD-10, its first and its last code of three characters."""

CHRONIC = {"dm": ("E10", "E14"), "ht": ("I10", "I15")}
"""Sum of patients in CHRONIC: first and last code of three characters."""


def action(column: Column) -> str:
    """keep, drop, pseudonym or scrub."""
    return policy("lake").action(column)


def precision(column: Column) -> int:
    """Digits of a decimal column."""
    return min(MOST_DIGITS, (column.width or 0) + column.scale)


def layouts_with(contract: Contract, column: Column) -> list[int]:
    """Numbers of the layouts that know the column."""
    return [number for number, layout in enumerate(contract.layouts) if column.name in layout.columns]


def text_columns(contract: Contract) -> list[Column]:
    """Columns of free text, which are scrubbed."""
    return [column for column in contract.current if action(column) == "scrub"]


def key_fields(contract: Contract) -> list[str]:
    """Key columns by their names in the tables."""
    return [name.lower() for name in contract.key]


@dataclass(frozen=True, slots=True)
class Counted:
    """What one file of the standard came to."""

    table: str
    raw_rows: int
    refused: int
    current_rows: int


@dataclass(frozen=True, slots=True)
class Run:
    """One load: where the zips and the state are, which load it is (from 1), and seconds by phase."""

    zips: Path
    state: Path
    batch: int
    seconds: Counter[str] = field(default_factory=Counter)
    lock: Any = field(default_factory=threading.Lock)

    @property
    def staging(self) -> Path:
        """The folder of the staging files; removed at the end."""
        return self.state / "staging"

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time of the block to a phase. Tables worked at side by side count each by itself."""
        start = time.perf_counter()
        try:
            yield
        finally:
            with self.lock:
                self.seconds[name] += time.perf_counter() - start  # type: ignore[assignment]


Load = Callable[[Run, Staged], tuple[list[Counted], Mapping[str, Any]]]


def main(load: Load) -> None:
    """`python -m bench.peers.<name> FOLDER_OF_ZIPS STATE_FOLDER`: load a folder, print one JSON object."""
    print(json.dumps(done(load, Path(sys.argv[1]), Path(sys.argv[2])), sort_keys=True), flush=True)


def done(load: Load, zips: Path, state: Path) -> dict[str, Any]:
    """Load a folder of zips into a state folder, as its next load; what it came to."""
    state.mkdir(parents=True, exist_ok=True)
    told = state / "loads"
    run = Run(zips.resolve(), state.resolve(), int(told.read_text()) + 1 if told.exists() else 1)
    shutil.rmtree(run.staging, ignore_errors=True)
    start = time.perf_counter()
    try:
        with run.phase("read"):
            staged = stage(run.zips, run.staging)
        counted, sums = load(run, staged)
    finally:
        shutil.rmtree(run.staging, ignore_errors=True)
    run.seconds["total"] = time.perf_counter() - start  # type: ignore[assignment]
    told.write_text(str(run.batch))
    return _answer(run, staged, counted, sums)


def _answer(run: Run, staged: Staged, counted: list[Counted], sums: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "raw_rows": sum(one.raw_rows for one in counted),
        "current_rows": {one.table: one.current_rows for one in sorted(counted, key=lambda one: one.table)},
        "refused": sum(one.refused for one in counted) + staged.unread,
        "aggregates": dict(sums),
        "seconds": {name: round(seconds, 2) for name, seconds in run.seconds.items()},
    }
