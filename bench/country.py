"""A country's deliveries in small or whole: zips of all sizes, two days of them, from a seed.

The sizes follow the health service: nearly 10,000 stations and clinics with a few hundred rows, some 900
hospitals with thousands, three dozen regional ones with tens of thousands. The second day sends the registers again:
most copies of a unit are as they were, a few changed, some are new.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from bench.units import Unit, units
from khlang.model.geography import areas, region_of

ZIPS, ROWS = 12_000, 20_000_000
"""A country's day: zips and, nearly, rows (design goal of the national day)."""

SIZES = ((0.900, 1, 1), (0.065, 4, 12), (0.030, 20, 45), (0.005, 65, 130))
"""Share of the facilities, and from how many to how many copies of a unit their zips hold."""

SAME, CHANGED = 0.80, 0.05
"""Of a second day's copies: sent again unchanged, sent with changed rows; the others are new."""

MOST_COPIES, MOST_PERSONS = 520, 150
"""Copies in one zip and persons in one unit: 12,000 facilities fit into nine digits of running numbers."""

FIRST_DAY = datetime(2026, 9, 1, 8)


@dataclass(frozen=True, slots=True)
class Country:
    """What to make: how many zips of the country's 12,000, and the seed."""

    zips: int = 600
    seed: int = 1
    first: int = 0
    copies: int | None = None

    def sizes(self) -> list[int]:
        """Copies of units per zip, in the order of the facilities; equal shares in every small country."""
        if self.copies is not None:
            return [self.copies] * self.zips
        drawn = np.random.default_rng(self.seed)
        classes = np.searchsorted(
            np.cumsum([s[0] for s in SIZES[:-1]]), drawn.permutation(self.zips) / self.zips
        )
        return [int(drawn.integers(SIZES[c][1], SIZES[c][2] + 1)) for c in classes]

    @property
    def hospcodes(self) -> list[str]:
        """Codes of the facilities."""
        return [f"{10_001 + self.first + number:05d}" for number in range(self.zips)]


@dataclass(frozen=True, slots=True)
class Made:
    """What was written: zips, rows, bytes inflated and zipped."""

    zips: int
    rows: int
    bytes: int
    zipped: int


def registry(country: Country, path: Path) -> None:
    """facilities.csv of every facility that sends, spread over all provinces."""
    provinces = [area.code for area in areas().values() if area.level == "province"]
    lies_in = [provinces[int(code) % len(provinces)] for code in country.hospcodes]
    count = country.zips
    rows = {
        "hospcode": country.hospcodes,
        "hospcode9": [f"AA00{code}" for code in country.hospcodes],
        "name": [f"หน่วยบริการสมมุติ {code}" for code in country.hospcodes],
        "level": ["P1"] * count,
        "hostype": ["18"] * count,
        "province": lies_in,
        "health_region": [region_of(code) for code in lies_in],
        "ampur": ["01"] * count,
        "tambon": ["01"] * count,
    }
    pl.DataFrame(rows).write_csv(path)


def deliver(country: Country, day: int, folder: Path, templates: Sequence[Unit]) -> Made:
    """Write the zips of one day (0, 1 ...) into `folder`; equal arguments give equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    tasks = list(enumerate(zip(country.hospcodes, country.sizes(), strict=True)))
    shares = [tasks[part :: 4 * (os.cpu_count() or 1)] for part in range(4 * (os.cpu_count() or 1))]
    with ProcessPoolExecutor(initializer=_keep, initargs=(templates,)) as pool:
        made = list(pool.map(_share, [(share, country.seed, day, folder) for share in shares if share]))
    return Made(*(int(n) for n in np.sum(made, axis=0)))


_HABITS: list[list[Unit]] = []


def _keep(templates: Sequence[Unit]) -> None:
    """Units by the layout that their senders write: the copies of one zip share it."""
    by_layout: dict[bytes, list[Unit]] = {}
    for unit in templates:
        by_layout.setdefault(unit.layout, []).append(unit)
    _HABITS[:] = by_layout.values()


def _share(work: tuple[list[tuple[int, tuple[str, int]]], int, int, Path]) -> tuple[int, int, int, int]:
    tasks, seed, day, folder = work
    total = np.zeros(4, np.int64)
    for number, (hospcode, copies) in tasks:
        bodies = _bodies(number, hospcode, day, list(_copies(copies, day, seed, number)))
        at = FIRST_DAY + timedelta(days=day, seconds=number)
        path = folder / f"F43_{hospcode}_{at:%Y%m%d%H%M%S}.zip"
        path.write_bytes(_zipped(bodies))
        rows = sum(body.count(b"\n") - 1 for body in bodies.values())
        total += (1, rows, sum(map(len, bodies.values())), path.stat().st_size)
    one, rows, inflated, zipped = total.tolist()
    return one, rows, inflated, zipped


def _copies(count: int, day: int, seed: int, number: int) -> Iterator[tuple[int, bool]]:
    """(copy, changed) of a zip: 0, 1, 2 ... on the first day; on a later one some changed, some new."""
    luck = np.random.default_rng([seed, number, day]).random(count)
    for copy in range(count):
        if not day or luck[copy] < SAME:
            yield copy, False
        elif luck[copy] < SAME + CHANGED:
            yield copy, True
        else:
            yield count * day + copy, False


def _bodies(number: int, hospcode: str, day: int, copies: Sequence[tuple[int, bool]]) -> dict[str, bytes]:
    """File -> body of the member: the lines of all copies under one header."""
    parts: dict[str, list[bytes]] = {}
    alike = _HABITS[number % len(_HABITS)]
    for copy, changed in copies:
        unit = alike[(number + copy) % len(alike)]
        soul = (number * MOST_COPIES + copy) * MOST_PERSONS
        updated = f"{FIRST_DAY + timedelta(days=day):%Y%m%d}101500" if changed else "20260901093000"
        for file, lines in unit.print(copy, hospcode, soul, updated).items():
            member = unit.members[file]
            # A planted fault of the header: such a member leads its zip or stays out.
            held = parts.setdefault(file, [member.header])
            if held[0] == member.header:
                held.append(lines)
    return {file: b"".join(lines) for file, lines in parts.items()}


def _zipped(bodies: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as zipped:
        for file, body in bodies.items():
            zipped.writestr(zipfile.ZipInfo(f"{file}.txt", (2026, 9, 1, 8, 0, 0)), body, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def templates(folder: Path, seed: int = 1) -> list[Unit]:
    """The units that a country is printed from."""
    return units(folder / "units", persons=28, facilities=48, months=3, seed=seed)
