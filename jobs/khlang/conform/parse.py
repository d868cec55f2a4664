"""Lines of members -> string columns named by the contract, members with equal headers parsed at once."""

from __future__ import annotations

import codecs
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from khlang.conform.decode import LONGEST_LINE, Plain, erased_lines, is_blank, lines, plain
from khlang.conform.member import Member
from khlang.conform.stream import PIECE_BYTES, Read, Survey, pieces
from khlang.errors import KhlangError
from khlang.model.contract import Contract, Layout

HEAD_BYTES = 1 << 16
"""Text in which a member's header is looked for at once."""
_MARK = codecs.BOM_UTF8


@dataclass(frozen=True, slots=True)
class Heading:
    """What the first visible line of a member says: the column in each field, the layout, the file's codes.

    `fields` holds a wire name per field, None for a column that the contract does not know; `layout` is
    None when the header cannot be used; `is_row` says that the line is a row already.
    """

    fields: tuple[str | None, ...]
    layout: Layout | None
    codes: tuple[str, ...]
    is_row: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """A member that can be read: its text, where its rows begin (byte and line), which column is where."""

    member: Member
    text: bytes
    begin: int
    first: int
    fields: tuple[str | None, ...]
    layout: Layout
    codes: tuple[str, ...]
    failing: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Unread:
    """A member that gives no rows: empty, header only, or with a header that cannot be used."""

    member: Member
    codes: tuple[str, ...]
    delivered: int
    refused: int


@dataclass(frozen=True, slots=True)
class Parsed:
    """Rows of several members: all known fields as text, nulls for empty ones and for columns not sent.

    `frame` has a column per field that any member has; `sheet` and `line` say where each row stands;
    `broken` lists (sheet, line, code) of rows that could not be split or decoded.
    """

    sheets: tuple[Sheet, ...]
    frame: pl.DataFrame
    sheet: NDArray[np.int32]
    line: NDArray[np.int32]
    broken: tuple[tuple[int, int, str], ...]


def _named(line: bytes, contract: Contract) -> tuple[str | None, ...]:
    """Header line -> wire names; unknown ones are None. Case and outer blanks do not count."""
    known = {column.name for column in contract.columns}
    names = [text.strip().strip('"').upper() for text in line.decode("utf-8", errors="replace").split("|")]
    names = [contract.aliases.get(name, name) for name in names]
    return tuple(name if name in known else None for name in names)


def _is_header(fields: Sequence[str | None]) -> bool:
    """A line is a header when at least half of its fields, or two of them, are column names."""
    named = sum(field is not None for field in fields)
    return named >= 2 or 2 * named >= len(fields)


def _by_position(count: int, contract: Contract) -> Layout | None:
    """The newest layout with that many columns, for files without a header."""
    return next((lay for lay in reversed(contract.layouts) if len(lay.columns) == count), None)


def _heading(line: bytes, contract: Contract) -> Heading:
    """The first visible line of a member, judged."""
    if len(line) > LONGEST_LINE:
        return Heading((), None, ("file.header",), is_row=True)
    fields = _named(line, contract)
    if not _is_header(fields):
        layout = _by_position(len(fields), contract)
        if layout is None:
            return Heading(fields, None, ("file.header",), is_row=True)
        return Heading(layout.columns, layout, ("file.headerless",), is_row=True)
    names = [field for field in fields if field is not None]
    layout = contract.layout_of(frozenset(names))
    keys = {key for key in contract.key if key in layout.columns}
    if len(set(names)) < len(names) or not keys <= set(names):
        return Heading(fields, None, ("file.header",))
    return Heading(fields, layout, ("file.column_unknown",) if None in fields else ())


def _first_visible(text: bytes, failing: Sequence[int]) -> tuple[int, int, int] | None:
    """(line number from 0, start, end) of the first visible line; None when there is none."""
    start, number = 0, 0
    while start < len(text):
        end = text.find(b"\n", start)
        end = len(text) if end < 0 else end
        if number in failing or not is_blank(text[start:end]):
            return number, start, end
        start, number = end + 1, number + 1
    return None


def _visible_after(text: bytes, start: int) -> int:
    """Visible lines from a byte on."""
    return int((~lines([text[start:]]).blank).sum()) if start < len(text) else 0


def _holds_rows(text: bytes, begin: int) -> bool:
    """Whether any line is visible from a byte on; in most texts the next one is."""
    return bool(text[begin : begin + 4096].strip()) or _visible_after(text, begin) > 0


def _judged(line: bytes, contract: Contract, known: dict[bytes, Heading] | None) -> Heading:
    """The heading that a first visible line is; `known` keeps those that are no rows."""
    heading = None if known is None else known.get(line)
    if heading is None:
        heading = _heading(line, contract)
        if known is not None and not heading.is_row:  # a row is a patient's: it is not kept
            known[line] = heading
    return heading


def read_sheet(
    member: Member, contract: Contract, known: dict[bytes, Heading] | None = None
) -> Sheet | Unread:
    """A member's bytes -> a Sheet, or the reason why it gives no rows (file.empty, file.header).

    `known` keeps headings between members of one contract: most facilities write the same one.
    """
    found = plain(member.body) if member.body.strip() else Plain(b"", False, ())
    head = _first_visible(found.text, found.failing)
    if head is None:
        return Unread(member, ("file.empty",), 0, 0)
    number, start, end = head
    heading = _judged(found.text[start:end], contract, known)
    codes = (*heading.codes, *(("file.encoding",) if found.repaired else ()))
    begin, first = (start, number) if heading.is_row else (end + 1, number + 1)
    if heading.layout is None:
        count = _visible_after(found.text, begin)
        return Unread(member, codes, count, count)
    if not _holds_rows(found.text, begin):
        return Unread(member, codes, 0, 0)
    return Sheet(member, found.text, begin, first, heading.fields, heading.layout, codes, found.failing)


def read_sheets(
    member: Member, read: Read, contract: Contract, most: int = PIECE_BYTES
) -> Iterator[Sheet | Unread]:
    """The same for a member of any size: Sheets of about `most` bytes, in order, or one Unread.

    `read` gives the member's bytes, twice; `member.body` is not looked at. Lines keep their numbers in the member.
    """
    survey = Survey.of(read())
    heading, codes, gone, count, rows = None, (), 0, 0, False
    for piece in pieces(read, survey, most) if survey.visible else ():
        begin = first = 0
        if heading is None and (head := _first_visible(piece.text, piece.failing)) is not None:
            number, start, end = head
            heading = _judged(piece.text[start:end], contract, None)
            codes = (*heading.codes, *(("file.encoding",) if survey.repaired else ()))
            begin, first = (start, number) if heading.is_row else (end + 1, number + 1)
        if heading is not None and heading.layout is None:
            count += _visible_after(piece.text, begin)
        elif heading is not None and heading.layout is not None and _holds_rows(piece.text, begin):
            rows = True
            failing = tuple(gone + index for index in piece.failing)
            place = (begin, gone + first, heading.fields, heading.layout)
            yield Sheet(member, piece.text, *place, codes, failing)
        gone += piece.text.count(b"\n") + (not piece.text.endswith(b"\n"))
    if not rows:
        yield Unread(member, codes if heading else ("file.empty",), count, count)


def read_codes(read: Read, contract: Contract) -> tuple[str, ...]:
    """The codes of a member (file.empty, file.header, file.encoding ...) before its rows are looked at.

    Reads it to its end for the encoding, without splitting it into rows.
    """
    survey = Survey.of(read())
    for piece in pieces(read, survey, HEAD_BYTES) if survey.visible else ():
        if (head := _first_visible(piece.text, piece.failing)) is not None:
            heading = _judged(piece.text[head[1] : head[2]], contract, None)
            return (*heading.codes, *(("file.encoding",) if survey.repaired else ()))
    return ("file.empty",)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Well-formed lines of one group: joined bytes, sheet and line number of each; and the broken ones."""

    body: bytes
    sheet: NDArray[np.int32]
    line: NDArray[np.int32]
    broken: list[tuple[int, int, str]]


def _rows(sheets: Sequence[Sheet], numbers: Sequence[int]) -> _Rows:
    """Sheets with equal fields (and their numbers in the call) -> rows that can be split."""
    found = lines([sheet.text[sheet.begin :] for sheet in sheets])
    firsts = np.array([sheet.first for sheet in sheets], np.int32)
    place, owner = np.array(numbers, np.int32)[found.owner], found.owner
    line = found.number + firsts[owner] + 1
    bad = found.bad
    for index, sheet in enumerate(sheets):
        if sheet.failing:
            lost = np.array(sheet.failing) - sheet.first
            bad[np.searchsorted(owner, index) + lost[lost >= 0]] = True
    long = found.ends - found.starts > LONGEST_LINE
    bad &= ~long
    gone = np.zeros(len(bad), np.bool_)
    gone[erased_lines(found.body, found.starts, found.ends)] = True
    bad &= ~gone
    long &= ~gone
    blank = found.blank & ~bad & ~gone
    pipes = np.flatnonzero(np.frombuffer(found.body, np.uint8) == 124)
    counts = np.searchsorted(pipes, found.ends) - np.searchsorted(pipes, found.starts)
    odd = long | ((counts != len(sheets[0].fields) - 1) & ~blank & ~bad & ~gone)
    broken = [(int(place[i]), int(line[i]), "row.encoding") for i in np.flatnonzero(bad)]
    broken += [(int(place[i]), int(line[i]), "row.width") for i in np.flatnonzero(odd)]
    broken += [(int(place[i]), int(line[i]), "row.erased") for i in np.flatnonzero(gone)]
    good = np.flatnonzero(~(bad | blank | odd | gone))
    return _Rows(_runs(found.body, found.starts, found.ends, good), place[good], line[good], broken)


def _runs(body: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64], good: NDArray[np.int64]) -> bytes:
    """The chosen lines as one text, cut out in runs."""
    if len(good) == len(starts):
        return body
    if not len(good):
        return b""
    cuts = np.flatnonzero(np.diff(good) > 1)
    firsts, lasts = good[np.concatenate([[0], cuts + 1])], good[np.concatenate([cuts, [len(good) - 1]])]
    return b"\n".join(body[starts[a] : ends[b]] for a, b in zip(firsts, lasts, strict=True))


def parse(sheets: Sequence[Sheet]) -> Parsed:
    """Sheets of one file -> one frame of text columns; raises KhlangError if a row went missing."""
    groups: dict[tuple[str | None, ...], list[int]] = defaultdict(list)
    for number, sheet in enumerate(sheets):
        groups[sheet.fields].append(number)
    rows = [_rows([sheets[n] for n in numbers], numbers) for numbers in groups.values()]
    frames = [_read(found.body, fields, len(found.line)) for found, fields in zip(rows, groups, strict=True)]
    return Parsed(
        tuple(sheets),
        frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal"),
        np.concatenate([found.sheet for found in rows]),
        np.concatenate([found.line for found in rows]),
        tuple(place for found in rows for place in found.broken),
    )


def _read(body: bytes, fields: Sequence[str | None], rows: int) -> pl.DataFrame:
    """Pipe-delimited UTF-8 without quoting -> text columns of the known fields only."""
    wanted = [(index, name) for index, name in enumerate(fields) if name is not None]
    if not rows:
        return pl.DataFrame({name: pl.Series([], dtype=pl.String) for _, name in wanted})
    frame = pl.read_csv(
        _MARK + body if body.startswith(_MARK) else body,  # the reader takes one off; it belongs to the row
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
