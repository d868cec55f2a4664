"""PERSON, HOME and PROVIDER members of a zip -> the names that must not stand in any text of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import polars as pl

from khlang.conform.member import Member
from khlang.conform.parse import Heading, Parsed, Sheet, Unread, parse, read_sheet, read_sheets
from khlang.conform.stream import Read
from khlang.conform.text.names import ZIP, Names, stored_apart, told_columns
from khlang.model.contract import contracts

TELLING = ("PERSON", "HOME", "PROVIDER")
"""Files whose rows tell who the patients, their homes and the staff are."""

MOST_TOLD = 256 << 20
"""Bytes of a member of which names are read: texts of patients beyond are withheld, as of any unknown patient."""

Told = Mapping[str, Sequence[Member]]
"""File of the standard -> its members in one zip."""


def rows_of(file: str, told: Sequence[Told]) -> pl.DataFrame | None:
    """Raw text columns of the members that can be read, also of rows that will be refused; the zip of each row.

    HOSPCODE is as a row of bronze has it: lost zeros put back, the delivering facility where it is blank.
    """
    headings: dict[bytes, Heading] = {}
    sheets: list[Sheet] = []
    zips: list[int] = []
    frames: list[pl.DataFrame] = []
    for number, members in enumerate(told):
        for member in members.get(file, ()):
            if member.read is not None:
                frames += _large(file, member, member.read, number)
                continue
            sheet = read_sheet(member, contracts()[file], headings)
            if isinstance(sheet, Sheet):
                sheets.append(sheet)
                zips.append(number)
    if sheets:
        frames.append(_placed(parse(sheets), zips))
    if not frames:
        return None
    return frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal").sort(ZIP, maintain_order=True)


def _placed(rows: Parsed, zips: Sequence[int]) -> pl.DataFrame:
    """Parsed rows with their facility and zip (one per sheet)."""
    senders = np.array([sheet.member.hospcode for sheet in rows.sheets])
    own = pl.Series("own", senders[rows.sheet], pl.String)
    zip_of = pl.Series(ZIP, np.array(zips, np.int32)[rows.sheet])
    if "HOSPCODE" not in rows.frame.columns:
        return rows.frame.with_columns(own.alias("HOSPCODE"), zip_of)
    named = pl.col("HOSPCODE").str.strip_chars().replace("", None).str.zfill(5)
    return rows.frame.with_columns(pl.coalesce(named, own).alias("HOSPCODE"), zip_of)


def _large(file: str, member: Member, read: Read, number: int) -> Iterator[pl.DataFrame]:
    """A large member's rows piece by piece, only the columns that tell names, up to MOST_TOLD bytes."""
    wanted = {ZIP, *told_columns(file)}
    taken = 0
    for sheet in read_sheets(member, read, contracts()[file]):
        if isinstance(sheet, Unread) or taken > MOST_TOLD:
            return
        taken += len(sheet.text)
        rows = _placed(parse([sheet]), [number])
        yield rows.select(name for name in rows.columns if name in wanted).unique()


def names_of(members: Told) -> Names:
    """The names told by PERSON, HOME and PROVIDER of one zip."""
    person, home, provider = (rows_of(file, [members]) for file in TELLING)
    return Names.from_frames(person, home, provider)


def names_of_each(told: Sequence[Told]) -> list[bytes | None]:
    """The same for many zips at once, each as `Names.to_bytes` gives it; None for a zip that tells no name."""
    person, home, provider = (rows_of(file, told) for file in TELLING)
    return stored_apart(person, home, provider, len(told))
