"""Rows of a table for people: as many columns as the terminal has room for, and word of all that is not shown."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from khlang.model.bangkok import clock
from khlang.model.contract import contracts

if TYPE_CHECKING:
    import polars as pl

WIDEST = 20
"""Cells of the terminal that a value may take; a longer one is cut and ends with `…`."""
BETWEEN = 3
"""Cells that a column takes beside its content: a blank on both sides and a border."""


def order(name: str, columns: Sequence[str], dull: Collection[str]) -> list[str]:
    """Columns of table `name`, those that tell most first.

    Key, then what the contract requires, then its other columns, then our own. Behind these the `dull` ones,
    which hold one and the same value (or none) in all rows at hand; columns of bookkeeping (`_...`) last.
    """
    contract = contracts().get(name.partition(".")[2].upper())
    ranks: dict[str, int] = {}
    if contract is not None:
        ranks = {c.field: 1 if c.required else 2 for c in contract.current}
        ranks |= {key.lower(): 0 for key in contract.key}

    def _rank(column: str) -> tuple[bool, bool, int]:
        rank = ranks.get(column, 2 if contract is None else 3)
        return column.startswith("_"), column in dull and rank > 0, rank

    return sorted(columns, key=_rank)


def fitting(widths: Sequence[tuple[str, int]], room: int) -> list[str]:
    """The first columns that fit into so many cells side by side; one in any case."""
    taken: list[str] = []
    left = room - 1
    for name, width in widths:
        left -= width + BETWEEN
        if left < 0 and taken:
            break
        taken.append(name)
    return taken


def cell(value: Any) -> str:
    """A value as one line of text: bytes in hexadecimal, moments with a zone on Bangkok's clock, nothing as -."""
    if value is None:
        return "-"
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime) and value.tzinfo is not None:
        return clock(value)
    return " ".join(str(value).split())


def cut(text: str, width: int = WIDEST) -> str:
    """The text in at most so many cells. A Thai vowel or tone mark takes none and stays with its letter."""
    if cell_len(text) <= width:
        return text
    kept, used = "", 0
    for mark in text:
        used += cell_len(mark)
        if used > width - 1:
            break
        kept += mark
    return f"{kept}…"


def show(console: Console, name: str, rows: pl.DataFrame, asked: Sequence[str] = ()) -> list[str]:
    """Print rows; the columns asked for, else as many as fit. Gives back the columns that are not shown.

    One that holds the same value in all these rows is given back with it: `level = province`.
    """
    whole = {column: [cell(value) for value in rows[column]] for column in rows.columns}
    shown = whole if asked else {column: [cut(text) for text in texts] for column, texts in whole.items()}
    wide = {column: max(map(cell_len, (column, *texts))) for column, texts in shown.items()}
    dull = {column for column, texts in whole.items() if len(texts) > 1 and len(set(texts)) == 1}
    ordered = order(name, rows.columns, dull)
    chosen = list(asked)
    if not asked:
        room = fitting([(column, wide[column]) for column in ordered], console.width)
        chosen = [column for column in rows.columns if column in room]
    heads = [Column(Text(column), no_wrap=True, justify=_side(rows, column)) for column in chosen]
    table = Table(*heads)
    for texts in zip(*(shown[column] for column in chosen), strict=True):
        table.add_row(*map(Text, texts))
    needed = sum(wide[column] + BETWEEN for column in chosen) + 1
    wide_enough = console if needed <= console.width else Console(file=console.file, width=needed)
    wide_enough.print(table)
    left = [column for column in ordered if column not in chosen]
    same = {
        column: shown[column][0] for column in dull if column[0] != "_" and shown[column][0] not in ("-", "")
    }
    return [f"{column} = {same[column]} (all)" if column in same else column for column in left]


def _side(rows: pl.DataFrame, column: str) -> Any:
    return "right" if rows.schema[column].is_numeric() else "left"


def show_rest(console: Console, counted: tuple[int, int], columns: int, left: Sequence[str]) -> None:
    """Say how many rows and columns there are beside those shown, which, and how to see them."""
    shown, total = counted
    console.print(
        Text(
            f"{shown:,} of {total:,} rows, {columns} of {columns + len(left)} columns / "
            f"แสดง {shown:,} จาก {total:,} แถว, {columns} จาก {columns + len(left)} คอลัมน์"
        )
    )
    if left:
        console.print(Text(f"columns not shown / คอลัมน์ที่ไม่ได้แสดง: {', '.join(left)}"))
        console.print(Text("  choose some / เลือกคอลัมน์: --columns NAME,NAME"))
    if shown < total:
        console.print(Text("  more rows / ดูแถวเพิ่ม: --rows NUMBER, --where CONDITION"))
    if left or shown < total:
        console.print(Text("  all of it / ทั้งหมด: --export FILE.csv or FILE.parquet"))
