"""Patients become other persons: what silver rewrites, against their own rows and against the whole lake."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from bench.country import FIRST_DAY, Country
from bench.day import prepare, run_day
from bench.lake import BenchLake, lake
from bench.units import Unit
from khlang.lake import tables
from khlang.lake.linked import NAME as LINK
from khlang.lake.tables import Part
from khlang.model.contract import contracts
from khlang.silver.current import has_person
from khlang.synth.identity import check_digit

Say = Callable[[str], None]
LOADING = ("landing", "bronze", "silver")
_PLAIN = b"HOSPCODE|CID|PID|"
"""How the PERSON of most facilities begins; those whose program writes it otherwise are left out here."""
_FIRST_CID = 900_000_000_000
"""First twelve digits of the CIDs that patients get: no unit's person has such."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many patients of which facilities (their first zips) get another CID, in a lake of so many facilities."""

    facilities: int
    zips: tuple[Path, ...]
    each: int

    @property
    def patients(self) -> int:
        """All of them."""
        return self.each * len(self.zips)


def relink(folder: Path, templates: Sequence[Unit], facilities: int, say: Say) -> list[dict[str, Any]]:
    """1 % of the patients of one facility, of all, and of one facility in a lake four times as large."""
    rows = []
    for size, places in ((facilities, (1, facilities)), (4 * facilities, (1,))):
        with lake(folder / f"lake{size}") as own:
            first = folder / f"day{size}"
            made = prepare(own, Country(size, copies=4), first, templates, 0, say)
            run_day(own, made, first, lambda _: None, LOADING)
            for day, told in enumerate(places, 1):
                zips = [path for path in sorted(first.glob("*.zip")) if _people(path)[0].startswith(_PLAIN)][
                    :told
                ]
                each = max(1, (len(_people(zips[0])) - 1) // 100)
                wanted = Wanted(size, tuple(zips), each)
                rows.append(_measured(own, wanted, folder / f"again{size}-{day}", day))
                say(f"  {rows[-1]}")
    return rows


def _people(path: Path) -> list[bytes]:
    """The lines of a zip's PERSON, its header first."""
    with zipfile.ZipFile(path) as opened:
        member = next(name for name in opened.namelist() if name.upper().endswith("PERSON.TXT"))
        return opened.read(member).splitlines()


def _measured(own: BenchLake, wanted: Wanted, folder: Path, day: int) -> dict[str, Any]:
    """Deliver the changed PERSON rows, run silver, compare the files of all tables before and after."""
    folder.mkdir(parents=True)
    sent = sum(_again(path, folder, wanted.each, day) for path in wanted.zips)
    own.fill_inbox(folder)
    for stage in LOADING[:-1]:
        own.job(stage)
    before = _files(own)
    spent, done = own.job("silver")
    after = _files(own)
    added = [part for name in after for path, part in after[name].items() if path not in before.get(name, {})]
    removed = [part for name in before for path, part in before[name].items() if path not in after[name]]
    copied = [part for part in added if _is_copy(part)]
    fresh = sum(part.rows for part in added) - sum(part.rows for part in copied)
    assert sent == wanted.patients, f"{sent} patients were sent"
    return {
        "facilities": wanted.facilities,
        "told_by": len(wanted.zips),
        "patients": wanted.patients,
        "lake_rows": sum(part.rows for name in after for part in after[name].values()),
        "relinked_rows": _relinked(own, done["batch"]),
        "new_rows": fresh,
        "copied_rows": sum(part.rows for part in copied),
        "files_touched": len(removed),
        "files": sum(map(len, before.values())),
        "seconds": round(spent.seconds, 1),
        "cpu_s": round(spent.cpu, 1),
    }


def _is_copy(part: Part) -> bool:
    """Whether a file holds what was left of one that was rewritten."""
    return part.path.rpartition("-")[2].startswith("r")


def _files(own: BenchLake) -> Mapping[str, Mapping[str, Part]]:
    """Table of silver with persons, and that of the links -> its files by path."""
    names = [f"silver.{contract.table}" for contract in contracts().values() if has_person(contract)] + [LINK]
    visible = tables.visible(own.settings)
    opened = ((name, tables.open_table(own.settings, name, visible[name])) for name in names)
    return {name: {part.path: part for part in tables.parts(table)} for name, table in opened}


def _relinked(own: BenchLake, batch: str) -> int:
    """Rows of all tables that belong to the patients whose link the batch began."""
    asked = pl.col("_batch") == batch
    who = tables.frame(own.settings, LINK).filter(asked).select("hospcode", "pid").unique().collect()
    names = [f"silver.{contract.table}" for contract in contracts().values() if has_person(contract)]
    rows = (tables.frame(own.settings, name).select("hospcode", "pid").collect() for name in names)
    return sum(found.join(who, on=["hospcode", "pid"], how="semi").height for found in rows)


def _again(path: Path, folder: Path, patients: int, day: int) -> int:
    """A later zip of the same facility: the first patients of its PERSON, each under another CID. How many."""
    header, *lines = _people(path)
    place = header.split(b"|").index(b"CID")
    at = FIRST_DAY + timedelta(days=40 + day)
    number = int(path.stem.split("_")[1])
    cids = list(_cids(number * 1000 + 500 * day, patients))
    told = [_with(line, place, cid) for line, cid in zip(lines, cids, strict=False)]
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("PERSON.txt", b"\r\n".join([header, *told, b""]))
    (folder / f"F43_{path.stem.split('_')[1]}_{at:%Y%m%d%H%M%S}.zip").write_bytes(body.getvalue())
    return len(told)


def _cids(start: int, count: int) -> Iterator[bytes]:
    """Invented CIDs with right check digits."""
    twelve = np.arange(_FIRST_CID + start, _FIRST_CID + start + count, dtype=np.int64)
    yield from (b"%013d" % number for number in (twelve * 10 + check_digit(twelve)).tolist())


def _with(line: bytes, place: int, cid: bytes) -> bytes:
    """A row with another value at one place."""
    values = line.split(b"|")
    return b"|".join([*values[:place], cid, *values[place + 1 :]])
