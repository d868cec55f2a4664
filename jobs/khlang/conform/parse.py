"""Lines of members -> string columns named by the contract, members with equal headers parsed at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from khlang.conform.decode import Lines, decode
from khlang.conform.member import Member
from khlang.errors import KhlangError
from khlang.model.contract import Contract, Layout


@dataclass(frozen=True, slots=True)
class Sheet:
    """A member that can be read: which column stands in which field, and where its rows are.

    `fields` holds a wire name per field, None for a column that the contract does not know;
    `first` is the index of the first line with a row.
    """

    member: Member
    lines: Lines
    fields: tuple[str | None, ...]
    layout: Layout
    first: int
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unread:
    """A member that gives no rows: empty, header only, or with a header that cannot be used."""

    member: Member
    codes: tuple[str, ...]
    delivered: int
    refused: int


@dataclass(frozen=True, slots=True)
class Parsed:
    """Rows of several members with one header: all fields as text, nulls for empty ones.

    `frame` has a column per known field; `sheet` and `line` say where each row stands;
    `broken` lists (sheet, line, code) of rows that could not be split or decoded.
    """

    sheets: tuple[Sheet, ...]
    frame: pl.DataFrame
    sheet: NDArray[np.int32]
    line: NDArray[np.int32]
    broken: tuple[tuple[int, int, str], ...]


def _named(line: bytes, contract: Contract) -> list[str | None]:
    """Header line -> wire names; unknown ones are None. Case and outer blanks do not count."""
    known = {column.name for column in contract.columns}
    names = [text.strip().strip('"').upper() for text in line.decode("utf-8", errors="replace").split("|")]
    names = [contract.aliases.get(name, name) for name in names]
    return [name if name in known else None for name in names]


def _is_header(fields: Sequence[str | None]) -> bool:
    """A line is a header when at least half of its fields, or two of them, are column names."""
    named = sum(field is not None for field in fields)
    return named >= 2 or 2 * named >= len(fields)


def _header_faults(fields: Sequence[str | None], contract: Contract) -> tuple[Layout, bool, bool]:
    """(layout, header unusable, has unknown columns): a key column missing, or a column twice."""
    names = [field for field in fields if field is not None]
    layout = contract.layout_of(frozenset(names))
    keys = {key for key in contract.key if key in layout.columns}
    unusable = len(set(names)) < len(names) or not keys <= set(names)
    return layout, unusable, None in fields


def _by_position(count: int, contract: Contract) -> Layout | None:
    """The newest layout with that many columns, for files without a header."""
    return next((lay for lay in reversed(contract.layouts) if len(lay.columns) == count), None)


def read_sheet(member: Member, contract: Contract) -> Sheet | Unread:
    """A member's bytes -> a Sheet, or the reason why it gives no rows (file.empty, file.header)."""
    if not member.body.strip():
        return Unread(member, ("file.empty",), 0, 0)
    lines = decode(member.body)
    encoding = ("file.encoding",) if lines.repaired else ()
    visible = np.flatnonzero(~lines.blank)
    if not len(visible):
        return Unread(member, ("file.empty",), 0, 0)
    head = int(visible[0])
    fields = _named(lines.body[lines.starts[head] : lines.ends[head]], contract)
    if not _is_header(fields):
        layout = _by_position(len(fields), contract)
        if layout is None:
            return Unread(member, ("file.header", *encoding), len(visible), len(visible))
        return Sheet(member, lines, layout.columns, layout, head, ("file.headerless", *encoding))
    layout, unusable, unknown = _header_faults(fields, contract)
    if unusable:
        return Unread(member, ("file.header", *encoding), len(visible) - 1, len(visible) - 1)
    codes = (*(("file.column_unknown",) if unknown else ()), *encoding)
    if len(visible) == 1:
        return Unread(member, codes, 0, 0)
    return Sheet(member, lines, tuple(fields), layout, head + 1, codes)


def _rows_of(sheet: Sheet) -> tuple[list[bytes], NDArray[np.int32], list[tuple[int, str]]]:
    """Runs of well-formed lines as bytes, their line numbers from 1, and (line, code) of the others."""
    lines = sheet.lines
    pipes = np.flatnonzero(np.frombuffer(lines.body, np.uint8) == 124)
    counts = np.searchsorted(pipes, lines.ends) - np.searchsorted(pipes, lines.starts)
    inside = np.arange(len(lines.starts)) >= sheet.first
    width = counts != len(sheet.fields) - 1
    good = inside & ~lines.blank & ~lines.bad & ~width
    broken = [(int(i) + 1, "row.encoding") for i in np.flatnonzero(inside & lines.bad)]
    broken += [(int(i) + 1, "row.width") for i in np.flatnonzero(inside & ~lines.blank & ~lines.bad & width)]
    index = np.flatnonzero(good)
    if not len(index):
        return [], np.empty(0, np.int32), broken
    cuts = np.flatnonzero(np.diff(index) > 1)
    firsts, lasts = index[np.concatenate([[0], cuts + 1])], index[np.concatenate([cuts, [len(index) - 1]])]
    runs = [lines.body[lines.starts[a] : lines.ends[b]] for a, b in zip(firsts, lasts, strict=True)]
    return runs, (index + 1).astype(np.int32), broken


def parse(sheets: Sequence[Sheet]) -> Parsed:
    """Sheets with equal fields -> one frame of text columns; raises KhlangError if a row went missing."""
    runs: list[bytes] = []
    places: list[NDArray[np.int32]] = []
    owners: list[NDArray[np.int32]] = []
    broken: list[tuple[int, int, str]] = []
    for number, sheet in enumerate(sheets):
        found, line, bad = _rows_of(sheet)
        runs += found
        places.append(line)
        owners.append(np.full(len(line), number, np.int32))
        broken += [(number, *place) for place in bad]
    line, owner = np.concatenate(places), np.concatenate(owners)
    frame = _read(b"\n".join(runs), sheets[0].fields, len(line))
    return Parsed(tuple(sheets), frame, owner, line, tuple(broken))


def _read(body: bytes, fields: Sequence[str | None], rows: int) -> pl.DataFrame:
    """Pipe-delimited UTF-8 without quoting -> text columns of the known fields only."""
    wanted = [(index, name) for index, name in enumerate(fields) if name is not None]
    if not rows:
        return pl.DataFrame({name: pl.Series([], dtype=pl.String) for _, name in wanted})
    frame = pl.read_csv(
        body,
        has_header=False,
        separator="|",
        quote_char=None,
        infer_schema=False,
        new_columns=[f"field_{index}" for index in range(len(fields))],
        raise_if_empty=False,
    ).select(pl.col(f"field_{index}").alias(name) for index, name in wanted)
    if frame.height != rows:
        raise KhlangError("conform.rows", f"{rows} lines were split into {frame.height} rows")
    return frame
