"""Extracts -> texts per second and core, by the lake's text step and by plain Presidio."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from khlang.conform.member import Member
from khlang.conform.people import TELLING, names_of, rows_of
from khlang.conform.text.engine import engine
from khlang.conform.text.names import Names
from khlang.conform.text.scrub import scrub
from khlang.conform.unpack import Unpacked, verify
from khlang.model.contract import contracts
from khlang.settings import Settings
from khlang.synth.texts import shipped

ASKED_OF_PRESIDIO = 2000
"""Texts that plain Presidio is timed on, spread evenly over all."""


@dataclass(frozen=True, slots=True)
class Mix:
    """Columns of free text (text, hospcode, pid or None) of many zips, and everybody they name."""

    columns: list[tuple[pl.Series, pl.Series, pl.Series | None]]
    names: Names


@dataclass(frozen=True, slots=True)
class Speed:
    """Texts, distinct ones, and texts per second of processor time, on one core."""

    texts: int
    distinct: int
    ours: float
    theirs: float


def mix_of(folder: Path) -> Mix:
    """Every text of the zips below a folder; zips that are refused stay out."""
    settings = Settings()  # type: ignore[call-arg]
    frames: dict[str, list[pl.DataFrame]] = defaultdict(list)
    books = []
    for path in sorted(folder.rglob("*.zip")):
        members = _members(path, settings)
        books.append(names_of({file: members.get(file, []) for file in TELLING}))
        for file in members:
            rows = rows_of(file, [members]) if _texts(file) else None
            if rows is not None:
                frames[file].append(rows)
    columns = [
        column for file, rows in frames.items() for column in _columns(file, pl.concat(rows, how="diagonal"))
    ]
    return Mix(columns, Names.merge(books))


def _texts(file: str) -> list[str]:
    """Names of the columns of free text."""
    return [column.name for column in contracts()[file].columns if column.privacy == "free_text"]


def _members(path: Path, settings: Settings) -> dict[str, list[Member]]:
    """File of the standard -> its members in a zip."""
    found: dict[str, list[Member]] = defaultdict(list)
    with path.open("rb") as source:
        verdict = verify(source, path.name, settings)
        if verdict.code is None and verdict.name is not None:
            with Unpacked(source, settings) as unpacked:
                for entry in verdict.entries:
                    if entry.file is not None:
                        sender = (verdict.name.hospcode, verdict.name.sent_at, 1)
                        found[entry.file].append(
                            unpacked.member(entry.bytes, "speed", entry.position, *sender)
                        )
    return found


def _columns(file: str, rows: pl.DataFrame) -> Iterator[tuple[pl.Series, pl.Series, pl.Series | None]]:
    """The columns of free text of one file, as the lake's step takes them."""
    patient = rows["PID"] if "PID" in rows.columns else None
    for name in _texts(file):
        if name in rows.columns:
            yield rows[name].str.strip_chars().replace("", None), rows["HOSPCODE"], patient


def measured(mix: Mix) -> Speed:
    """Both on the same texts. The analyzer is built before: a worker builds it once."""
    engine()
    texts = pl.concat([text.drop_nulls().rename("text") for text, *_ in mix.columns])
    started = time.process_time()
    for column in mix.columns:
        scrub(*column, mix.names)
    ours = len(texts) / (time.process_time() - started)
    step = max(1, len(texts) // ASKED_OF_PRESIDIO)
    theirs = shipped.texts_per_second(texts.gather_every(step).to_list())
    return Speed(len(texts), texts.n_unique(), ours, theirs)
