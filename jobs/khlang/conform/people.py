"""PERSON, HOME and PROVIDER members of a zip -> the names that must not stand in any text of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from khlang.conform.member import Member
from khlang.conform.parse import Unread, parse, read_sheet
from khlang.conform.text.names import Names
from khlang.model.contract import contracts

TELLING = ("PERSON", "HOME", "PROVIDER")
"""Files whose rows tell who the patients, their homes and the staff are."""


def _frame(file: str, members: Sequence[Member]) -> pl.DataFrame | None:
    """Raw text columns of the members that can be read, also of rows that will be refused."""
    frames = []
    for member in members:
        sheet = read_sheet(member, contracts()[file])
        if not isinstance(sheet, Unread):
            rows = parse([sheet]).frame
            frames.append(
                rows.with_columns(_facility(member) if "HOSPCODE" in rows.columns else _own(member))
            )
    return pl.concat(frames, how="diagonal") if frames else None


def _own(member: Member) -> pl.Expr:
    """The delivering facility."""
    return pl.lit(member.hospcode).alias("HOSPCODE")


def _facility(member: Member) -> pl.Expr:
    """HOSPCODE as a row of bronze has it: lost zeros put back, the delivering facility where it is blank."""
    text = pl.col("HOSPCODE").str.strip_chars().replace("", None)
    return pl.coalesce(text.str.zfill(5), _own(member)).alias("HOSPCODE")


def names_of(members: Mapping[str, Sequence[Member]]) -> Names:
    """File of the standard -> its members, to the names told by PERSON, HOME and PROVIDER."""
    person, home, provider = (_frame(file, members.get(file, ())) for file in TELLING)
    return Names.from_frames(person, home, provider)
