"""One member read twice, with the erased person and without: what must change in its lines, and in bronze."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from khlang.conform.conform import Rules, bronze_schema, rows_of
from khlang.conform.erased import CODE, NOBODY
from khlang.conform.member import Member
from khlang.conform.parse import Sheet, read_sheets
from khlang.conform.rows import FAULT
from khlang.conform.stream import Read, Survey
from khlang.conform.text.names import Names
from khlang.errors import StoreError
from khlang.model.contract import Contract
from khlang.stewardship.lines import Edit, Shape, edited
from khlang.stewardship.needle import Needle

BETWEEN = " "
"""Between column and code of a fault told as text."""


@dataclass(frozen=True, slots=True)
class Sides:
    """How a file is read with everybody in it, and how without the erased persons."""

    before: Rules
    after: Rules

    @classmethod
    def of(cls, rules: Rules, thinner: Names) -> Sides:
        """From the lake's rules (with its tombstones) and the names of everybody else."""
        return cls(replace(rules, tombstones=NOBODY), replace(rules, names=thinner))


@dataclass(frozen=True, slots=True)
class Changes:
    """What a member needs: edits of its lines; `before` and `after`, the faults of the edited lines.

    `headerless`: fields of its lines, where an erased first line must go on telling the columns.
    """

    shape: Shape
    edits: dict[int, Edit] = field(default_factory=dict)
    before: list[pl.DataFrame] = field(default_factory=list)
    after: list[pl.DataFrame] = field(default_factory=list)
    headerless: list[int] = field(default_factory=list)

    def redacted(self, read: Read) -> Read:
        """The member's bytes with the edits."""
        return lambda: edited(read(), self.shape, self.edits, max(self.headerless, default=1))


def _is_erased(faults: str = "_faults") -> pl.Expr:
    codes = pl.col(faults).fill_null(pl.lit([], pl.List(FAULT))).list.eval(pl.element().struct.field("code"))
    return codes.list.contains(CODE)


def _cells(before: pl.DataFrame, after: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """(_line, column, text) of values that come out otherwise: blank (null) what one side blanks, else its text."""
    names = [c.field for c in contract.current if c.field != "hospcode"]
    both = after.filter(~_is_erased()).join(before, on="_line", how="inner", suffix=" before")
    found = []
    for name in names:
        was = f"{name} before"
        other = both.filter(pl.col(name).ne_missing(pl.col(was)))
        if other.height:
            kept = pl.when(pl.col(name).is_not_null()).then(pl.col(was).cast(pl.String))
            found.append(other.select("_line", pl.lit(name).alias("column"), kept.alias("text")))
    schema = {"_line": pl.Int32, "column": pl.String, "text": pl.String}
    return pl.concat(found) if found else pl.DataFrame(schema=schema)


@dataclass(frozen=True, slots=True)
class _Sums:
    """A member's rows but the edited ones, summed so that their order does not matter."""

    pieces: list[tuple[int, int]] = field(default_factory=list)

    def total(self) -> tuple[int, int]:
        """Rows, and the sum of their hashes."""
        return sum(rows for rows, _ in self.pieces), sum(value for _, value in self.pieces)

    def add(self, rows: pl.DataFrame, edits: Mapping[int, Edit]) -> None:
        """Rows of a piece."""
        kept = rows.filter(~pl.col("_line").is_in(pl.Series(list(edits), dtype=pl.Int32).implode()))
        hashes = kept.select(pl.struct("_line", "_key", "_row", "_accepted").hash(7)).to_series()
        self.pieces.append((kept.height, sum(hashes.to_list())))


def compared(member: Member, read: Read, sides: Sides, needle: Needle) -> Changes | None:
    """What must change in a member of a file of the standard; None when nothing does.

    Raises StoreError erasure.differs when the member without the edited lines would come out otherwise.
    """
    contract = sides.after.contract
    survey = Survey.of(read())
    changes = Changes(Shape.of(survey, next(read(), b"")))
    hits = needle.lines(read, changes.shape)
    for sheet in read_sheets(member, read, contract):
        if isinstance(sheet, Sheet):
            _piece(sheet, sides, changes, needle, hits)
    changes.edits.update(dict.fromkeys(hits - changes.edits.keys()))
    if not changes.edits:
        return None
    _proved(member, read, sides, changes)
    return changes


def _piece(sheet: Sheet, sides: Sides, changes: Changes, needle: Needle, hits: set[int]) -> None:
    """Edits of one piece; lines that hold a citizen id are looked at field by field."""
    after, (result,) = rows_of([sheet], sides.after)
    if not hits and not result.holds_erased and sides.before.names is sides.after.names:
        return
    before, _ = rows_of([sheet], sides.before)
    if "file.headerless" in sheet.codes:
        changes.headerless.append(len(sheet.fields))
    was_gone = before.filter(_is_erased())["_line"]
    gone = after.filter(_is_erased() & ~pl.col("_line").is_in(was_gone.implode()))["_line"].to_list()
    changes.edits.update(dict.fromkeys(gone))
    place = {name.lower(): at for at, name in enumerate(sheet.fields) if name is not None}
    cells: dict[int, dict[int, str]] = {}
    for line, column, text in _cells(before, after, sides.after.contract).iter_rows():
        if column in place:
            cells.setdefault(line, {})[place[column]] = _safe(text)
    for line in hits - changes.edits.keys():
        found = _fields_with(sheet, line, needle, before)
        if found:
            cells.setdefault(line, {}).update(
                {at: text for at, text in found.items() if at not in cells.get(line, {})}
            )
    changes.edits.update(cells)


def _safe(text: str | None) -> str:
    """A scrubbed text as it may stand in a line."""
    return (text or "").replace("|", " ").replace("\n", " ").replace("\r", " ")


def _fields_with(sheet: Sheet, line: int, needle: Needle, before: pl.DataFrame) -> dict[int, str]:
    """Fields of a line in which a citizen id stands: blank, or the text as bronze has it; {} for no such row."""
    row = before.filter((pl.col("_line") == line) & ~_broken())
    if not row.height:
        return {}
    start = sheet.begin
    for _ in range(line - sheet.first - 1):
        start = sheet.text.index(b"\n", start) + 1
    stop = sheet.text.find(b"\n", start)
    fields = sheet.text[start : stop if stop >= 0 else len(sheet.text)].decode().split("|")
    found: dict[int, str] = {}
    for at, value in enumerate(fields):
        if needle.stands_in(value.encode()):
            name = (sheet.fields[at] or "").lower() if at < len(sheet.fields) else ""
            kept = row[name][0] if name in row.columns and row[name].dtype == pl.String else None
            found[at] = _safe(kept) if kept and "<" in kept else ""
    return found


def _broken() -> pl.Expr:
    return pl.col("_key").is_null()


def _proved(member: Member, read: Read, sides: Sides, changes: Changes) -> None:
    """Read the redacted member as the lake will: the same lines, the other rows equal, no erased person left."""
    sums = _Sums(), _Sums()
    told: list[Any] = []
    for side, rules, source in ((0, sides.before, read), (1, sides.after, changes.redacted(read))):
        codes: set[str] = set()
        lines = 0
        for sheet in read_sheets(replace(member, read=source), source, rules.contract):
            codes |= set(sheet.codes)
            if not isinstance(sheet, Sheet):
                lines += sheet.delivered
                continue
            rows, (result,) = rows_of([sheet], rules)
            lines += rows.height
            if side and result.holds_erased:
                raise _differs(member)
            sums[side].add(rows, changes.edits)
            mine = rows.filter(
                pl.col("_line").is_in(pl.Series(list(changes.edits), dtype=pl.Int32).implode())
            )
            (changes.after if side else changes.before).append(mine)
        told.append((codes, lines))
    if told[0] != told[1] or sums[0].total() != sums[1].total():
        raise _differs(member)


def _differs(member: Member) -> StoreError:
    return StoreError(
        "erasure.differs", "a member without the erased person would change other rows: nothing was changed",
        "ชุดข้อมูลที่ลบบุคคลออกแล้วจะทำให้แถวอื่นเปลี่ยนไป จึงยังไม่เปลี่ยนสิ่งใด",
        f"{member.receipt}, member {member.position}", "report it: the rules of this file need to be looked at",
    )  # fmt: skip


MOVED: dict[str, pl.DataType] = {
    "_line": pl.Int32(), "gone": pl.List(pl.String), "came": pl.List(pl.String), "blank": pl.List(pl.String),
    "_accepted": pl.Boolean(),
}  # fmt: skip
"""What the edited lines of a member lose and gain in bronze."""


def moved(changes: Changes, contract: Contract) -> pl.DataFrame:
    """The edited lines: faults that go and come, columns whose value goes, whether the row counts by now.

    A fault is told as text, column and code: lists of structs have no difference.
    """
    empty = pl.DataFrame(schema=bronze_schema(contract))
    names = [column.field for column in contract.current]
    before, after = (
        pl.concat([empty, *side]).select("_line", "_accepted", _told(), *(pl.col(n).is_null() for n in names))
        for side in (changes.before, changes.after)
    )
    both = after.join(before, on="_line", suffix=" before")
    now, was = pl.col("_faults"), pl.col("_faults before")
    blank = pl.concat_list(pl.when(pl.col(n) & ~pl.col(f"{n} before")).then(pl.lit(n)) for n in names)
    told = {
        "gone": was.list.set_difference(now),
        "came": now.list.set_difference(was),
        "blank": blank.list.drop_nulls(),
    }
    return both.select("_line", **told, _accepted="_accepted").cast(pl.Schema(MOVED))


def _told() -> pl.Expr:
    fault = pl.element().struct
    text = pl.concat_str(fault.field("column").fill_null(""), fault.field("code"), separator=BETWEEN)
    return pl.col("_faults").fill_null(pl.lit([], pl.List(FAULT))).list.eval(text)
