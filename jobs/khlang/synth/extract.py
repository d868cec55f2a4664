"""Rows of one cluster -> members of its zips: lines, ends, encodings, with the truth of every member."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from khlang.model.contract import Contract, contracts
from khlang.synth.corrupt import REFUSING
from khlang.synth.habits import ENCODINGS, FORM_FILES, UNKNOWN_FILES, Habit, form_of
from khlang.synth.planting import Sheet
from khlang.synth.world import World

BYTE = "\ue000"
"""Stands for a byte of no encoding until the member is encoded."""
BROKEN = {
    "pipe": (r"\|", "||"), "short": (r"\|[^|]*$", ""), "break": (r"^((?:[^|]*\|){3})", "${1}\n"),
    "byte": (r"\|", f"|{BYTE}"), "null": (r"\|", "|\x00"), "control": (r"\|", "|\x07"),
}  # fmt: skip
"""Form of a broken line -> what is replaced in the whole line, and by what."""


@dataclass(frozen=True, slots=True)
class Member:
    """One text file: bytes, and what is true of it. `faults` and `notes` are (line, ...) rows."""

    name: str
    file: str
    form: str
    content: bytes
    rows: int = 0
    lines: int = 0
    refused: int = 0
    repeated: int = 0
    faults: list[tuple[int | None, str, str, str]] = field(default_factory=list)
    notes: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One zip of a facility: `send` is twice the month, one more for a corrected delivery."""

    hospcode: str
    send: int
    sent: datetime
    members: list[Member]


def sent_at(world: World, f: int, send: int) -> datetime:
    """When a facility sends a month: in the first days of the next one; a correction three days later."""
    month, correction = divmod(send, 2)
    rng = world.plan.draws("sent", world.facilities["hospcode"][f], month)
    first = world.plan.month_start(month + 1)
    away = timedelta(
        days=int(rng.integers(0, 6)) + 3 * correction, seconds=int(rng.integers(8 * 3600, 18 * 3600))
    )
    return datetime(first.year, first.month, first.day) + away


@dataclass(frozen=True, slots=True)
class Sender:
    """One zip to be: the facility's habit, the time, the faulty form of one of its members."""

    habit: Habit
    sent: datetime
    form: str

    def form_in(self, file: str) -> str:
        """The faulty form, if it is this file that has it."""
        return self.form if FORM_FILES.get(self.form) == file else ""


Zip = tuple[int, int]
"""Facility (position in the cluster) and `send`."""


def habits(world: World) -> list[Habit]:
    """The exporter of each facility of the cluster."""
    return [Habit(*row) for row in world.facilities.select("number", "hospcode").iter_rows()]


def senders(world: World, sheets: dict[str, Sheet]) -> dict[Zip, Sender]:
    """Every zip that the cluster's tables have rows for."""
    every = habits(world)
    zips = pl.concat([sheet.rows.select("f", "send").unique() for sheet in sheets.values()]).unique()
    found = {}
    for f, send in zips.sort("f", "send").iter_rows():
        turn = every[f].number * world.plan.months + send // 2
        form = "" if send % 2 else form_of(world.plan.faults, turn)
        found[f, send] = Sender(every[f], sent_at(world, f, send), form)
    return found


def in_layout(contract: Contract, frame: pl.DataFrame, exporters: list[Habit]) -> pl.DataFrame:
    """Blank what a facility's old layout does not know."""
    unknown: dict[str, list[int]] = {}
    for f, habit in enumerate(exporters):
        known = set(habit.columns(contract))
        for column in contract.current:
            if column.name not in known:
                unknown.setdefault(column.name, []).append(f)
    return frame.with_columns(
        pl.when(pl.col("f").is_in(mine)).then(pl.lit("")).otherwise(pl.col(name)).alias(name)
        for name, mine in unknown.items()
    )


def deliveries(world: World, sheets: dict[str, Sheet]) -> Iterator[Delivery]:
    """Every zip of the cluster by facility and time."""
    zips = senders(world, sheets)
    parts: dict[Zip, list[Member]] = {place: [] for place in zips}
    for file, contract in contracts().items():
        for place, member in _members(contract, sheets[file], zips):
            parts[place].append(member)
    for place, sender in zips.items():
        members = parts.pop(place)
        members += _extra(sender, {member.file for member in members})
        yield Delivery(sender.habit.hospcode, place[1], sender.sent, members)


def _members(contract: Contract, sheet: Sheet, zips: dict[Zip, Sender]) -> Iterator[tuple[Zip, Member]]:
    """The members of one file in every zip of the cluster: lines are made for all at once, then cut."""
    frame = sheet.rows.with_row_index("row").sort("f", "send", maintain_order=True)
    marks = (pl.col("fault") != "") | (pl.col("note") >= 0)
    bounds = frame.group_by("f", "send", maintain_order=True).agg(
        rows=pl.len(), breaks=(pl.col("form") == "break").sum(),
        refused=pl.col("fault").is_in(list(REFUSING)).sum(), repeated=(pl.col("fault") == "row.repeated").sum(),
    )  # fmt: skip
    lines = _all_lines(contract, sheet, frame["row"], zips)
    numbers = _line_numbers(frame, bounds, contract, zips)
    known = frame.select("f", "send", "at", "fault", "form", "note", number=pl.Series(numbers)).filter(marks)
    truths: dict[Zip, list[tuple[str, str, str, int | None, int]]] = {}
    for f, send, *truth in known.iter_rows():
        truths.setdefault((f, send), []).append(tuple(truth))
    start = 0
    for f, send, rows, breaks, refused, repeated in bounds.iter_rows():
        sender, place = zips[f, send], (f, send)
        form, mine = sender.form_in(contract.file), lines[start : start + rows].to_list()
        yield place, Member(
            name=sender.habit.member(contract.file, sender.sent), file=contract.file, form=form,
            content=_content(sender.habit, contract, form, mine, breaks > 0), rows=rows, lines=rows + breaks,
            refused=refused, repeated=repeated, faults=_faults(form, truths.get(place, [])),
            notes=[(number, note) for *_, note, number in truths.get(place, []) if note is not None and note >= 0],
        )  # fmt: skip
        start += rows


def _all_lines(contract: Contract, sheet: Sheet, order: pl.Series, zips: dict[Zip, Sender]) -> pl.Series:
    """Lines of a sheet in the given order of its rows; damaged rows give the lines their marks say."""
    lines = _lines(contract, sheet.rows, zips)
    if sheet.wrong.height:
        wrong = _lines(contract, sheet.wrong, zips)
        for form, (pattern, text) in BROKEN.items():
            mine = pl.Series(np.flatnonzero((sheet.wrong["form"] == form).to_numpy()))
            wrong = wrong.scatter(mine, wrong.gather(mine).str.replace(pattern, text))
        lines = lines.scatter(sheet.wrong["row"], wrong)
    return lines.gather(order)


def _line_numbers(
    frame: pl.DataFrame, bounds: pl.DataFrame, contract: Contract, zips: dict[Zip, Sender]
) -> NDArray[np.int64]:
    """Line of each row in its member, from 1; a broken line pushes those behind it down."""
    sizes = bounds["rows"].to_numpy().astype(np.int64)
    first = np.array(
        [
            1 if zips[f, send].form_in(contract.file) == "headerless" else 2
            for f, send, *_ in bounds.iter_rows()
        ]
    )
    breaks = (frame["form"] == "break").to_numpy().astype(np.int64)
    before = np.cumsum(breaks) - breaks + np.arange(len(breaks))
    starts = np.cumsum(sizes) - sizes
    return before - np.repeat(before[starts] - first, sizes) if len(before) else before


def _faults(
    form: str, truths: list[tuple[str, str, str, int | None, int]]
) -> list[tuple[int | None, str, str, str]]:
    """(line, column, code, form) of a member's faults; a line broken in two is wrong twice."""
    found: list[tuple[int | None, str, str, str]] = []
    if form:
        found.append((None, "", "file.headerless" if form == "headerless" else "file.encoding", form))
    for column, code, how, _, line in truths:
        if code:
            found += [(line + more, column, code, how) for more in range(2 if how == "break" else 1)]
    return found


def encodable(world: World, contract: Contract, frame: pl.DataFrame) -> pl.DataFrame:
    """Take row.encoding off members that are not plain UTF-8: there the whole member would be at fault."""
    form = next(
        (form for form, file in FORM_FILES.items() if file == contract.file and form in ENCODINGS), None
    )
    if form is None:
        return frame
    turn = world.facilities["number"].gather(frame["f"]) * world.plan.months + frame["send"] // 2
    turns = [number for number in turn.unique().to_list() if form_of(world.plan.faults, number) == form]
    off = turn.is_in(turns) & (frame["fault"] == "row.encoding")
    return frame.with_columns(frame[name].set(off, "") for name in ("fault", "form"))


def _lines(contract: Contract, frame: pl.DataFrame, zips: dict[Zip, Sender]) -> pl.Series:
    """Rows -> lines in the layout of their facility."""
    known = {column.name for column in contract.current}
    layouts: dict[tuple[str, ...], list[int]] = {}
    for f, sender in {f: sender for (f, _), sender in zips.items()}.items():
        layouts.setdefault(tuple(sender.habit.columns(contract)), []).append(f)
    parts, rows = [], []
    for layout, facilities in layouts.items():
        cells = [pl.col(name) if name in known else pl.lit("") for name in layout]
        mine = frame["f"].is_in(facilities)
        chosen = frame.filter(mine) if len(layouts) > 1 else frame
        parts.append(chosen.select(line=pl.concat_str(cells, separator="|")).to_series())
        rows.append(mine.arg_true())
    return pl.concat(parts).gather(pl.concat(rows).arg_sort())


def _content(habit: Habit, contract: Contract, form: str, lines: list[str], broken: bool) -> bytes:
    """The bytes of one member."""
    header = [] if form == "headerless" else [habit.header(habit.columns(contract))]
    text = habit.end.join([*header, *lines]) + (habit.end if habit.ends_last else "")
    if broken and habit.end != "\n":
        text = text.replace("\r\n", "\n").replace("\n", "\r\n")
    content = text.encode(form if form in ENCODINGS else "utf-8")
    return content.replace(BYTE.encode(), b"\xff") if BYTE in text else content


def _extra(sender: Sender, present: set[str]) -> list[Member]:
    """Members beside the files with rows: an unknown file, an empty one."""
    habit = sender.habit
    if sender.form == "unknown":
        name, content = list(UNKNOWN_FILES.items())[habit.number % 2]
        return [Member(name, "", "unknown", content, faults=[(None, "", "file.unknown", "")])]
    absent = [file for file in contracts() if file not in present]
    if sender.form == "empty" and absent:
        name = habit.member(absent[-1], sender.sent)
        return [Member(name, absent[-1], "empty", b"", faults=[(None, "", "file.empty", "zero bytes")])]
    return []
