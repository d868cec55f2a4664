"""PERSON, HOME and PROVIDER members of a zip -> the names that must not stand in any text of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from khlang.conform.member import Member
from khlang.conform.parse import Heading, Sheet, parse, read_sheet
from khlang.conform.text.names import ZIP, Names, stored_apart
from khlang.model.contract import contracts

TELLING = ("PERSON", "HOME", "PROVIDER")
"""Files whose rows tell who the patients, their homes and the staff are."""


Told = Mapping[str, Sequence[Member]]
"""File of the standard -> its members in one zip."""


def _frame(file: str, told: Sequence[Told]) -> pl.DataFrame | None:
    """Raw text columns of the members that can be read, also of rows that will be refused; the zip of each row.

    HOSPCODE is as a row of bronze has it: lost zeros put back, the delivering facility where it is blank.
    """
    headings: dict[bytes, Heading] = {}
    sheets: list[Sheet] = []
    zips: list[int] = []
    for number, members in enumerate(told):
        for member in members.get(file, ()):
            sheet = read_sheet(member, contracts()[file], headings)
            if isinstance(sheet, Sheet):
                sheets.append(sheet)
                zips.append(number)
    if not sheets:
        return None
    rows = parse(sheets)
    senders = np.array([sheet.member.hospcode for sheet in sheets])
    own = pl.Series("own", senders[rows.sheet], pl.String)
    zip_of = pl.Series(ZIP, np.array(zips, np.int32)[rows.sheet])
    if "HOSPCODE" not in rows.frame.columns:
        return rows.frame.with_columns(own.alias("HOSPCODE"), zip_of)
    named = pl.col("HOSPCODE").str.strip_chars().replace("", None).str.zfill(5)
    return rows.frame.with_columns(pl.coalesce(named, own).alias("HOSPCODE"), zip_of)


def names_of(members: Told) -> Names:
    """The names told by PERSON, HOME and PROVIDER of one zip."""
    person, home, provider = (_frame(file, [members]) for file in TELLING)
    return Names.from_frames(person, home, provider)


def names_of_each(told: Sequence[Told]) -> list[bytes | None]:
    """The same for many zips at once, each as `Names.to_bytes` gives it; None for a zip that tells no name."""
    person, home, provider = (_frame(file, told) for file in TELLING)
    return stored_apart(person, home, provider, len(told))
