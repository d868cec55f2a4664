"""Rows of a table on a terminal: columns that fit, Thai widths, and word of all that is not shown."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import polars as pl
import pytest
from rich.cells import cell_len
from rich.console import Console

from khlang.commands.table_form import cell, cut, order, show, show_rest
from khlang.lake.reader import flat

PERSON = pl.DataFrame(
    {
        "hospcode": ["99001", "99002"], "cid": ["p1.Ab3dEfGhIjKlMnOpQrStUv", None], "pid": ["l1.x", "l1.y"],
        "prename": [None, None], "sex": ["1", "2"], "birth": [None, datetime(1990, 1, 2)],
        "house": ["ห้องที่ ๑", "ที่อยู่ยาวมากเกินกว่าจะแสดงได้ทั้งหมด"], "weight_kg": [61.5, 7.0],
        "person_key": ["p1.a", "p1.b"], "_key": [b"\x01\xff", b"\x00"], "_batch": ["b1", "b2"],
    }
)  # fmt: skip


def shown(width: int, *asked: str) -> tuple[list[str], list[str]]:
    """(lines, columns that are not shown) on a terminal so wide."""
    console = Console(file=io.StringIO(), width=width)
    left = show(console, "silver.person", PERSON, asked)
    return console.file.getvalue().splitlines(), left  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_every_line_fits_the_terminal_and_no_column_is_squeezed(width: int) -> None:
    lines, left = shown(width)
    assert lines and all(cell_len(line) <= width for line in lines)
    heads = [word.strip() for word in lines[1].split("┃")[1:-1]]
    assert heads == [column for column in PERSON.columns if column not in left]


def test_lines_with_thai_end_in_one_column() -> None:
    lines, _ = shown(200)
    assert len({cell_len(line) for line in lines}) == 1


def test_key_then_required_columns_come_before_others_and_bookkeeping_last() -> None:
    assert order("silver.person", PERSON.columns, {"hospcode", "prename"}) == [
        "hospcode", "pid", "sex", "birth", "cid", "house", "weight_kg", "person_key", "prename", "_key", "_batch",
    ]  # fmt: skip


def test_a_table_without_a_contract_keeps_its_own_order() -> None:
    columns = ["indicator", "level", "_batch", "value"]
    assert order("gold.indicator", columns, ()) == ["indicator", "level", "value", "_batch"]


def test_what_is_the_same_in_all_rows_makes_room_and_is_told_below() -> None:
    rows = pl.DataFrame(
        {"indicator": ["a", "b"], "level": ["province"] * 2, "month": [""] * 2, "value": [1.5, 2]}
    )
    left = show(Console(file=io.StringIO(), width=30), "gold.indicator", rows)
    assert left == ["level = province (all)", "month"]


def test_columns_that_are_asked_for_are_shown_whole_however_wide() -> None:
    lines, left = shown(30, "cid", "house")
    assert any("p1.Ab3dEfGhIjKlMnOpQrStUv" in line and "ห้องที่ ๑" in line for line in lines)
    assert any("ที่อยู่ยาวมากเกินกว่าจะแสดงได้ทั้งหมด" in line for line in lines)
    assert "cid" not in left and len(left) == len(PERSON.columns) - 2


def test_a_long_value_is_cut_between_letters_and_never_from_its_vowel() -> None:
    assert cut("p1.Ab3dEfGhIjKlMnOpQrStUv", 10) == "p1.Ab3dEf…"
    assert cut("ที่ที่ที่", 3) == "ที่ที่ที่"
    assert cut("ที่ที่ที่ที่", 3) == "ที่ที่…"


def test_bytes_moments_and_nothing_have_a_form() -> None:
    assert [cell(value) for value in (b"\x01\xff", None, "a\nb", 7)] == ["01ff", "-", "a b", "7"]
    assert cell(datetime(2026, 11, 1, 20, 5, tzinfo=UTC)) == "2026-11-02 03:05:00 +07"
    assert cell(datetime(2026, 11, 1, 20, 5)) == "2026-11-01 20:05:00"


def test_rows_and_columns_that_are_not_shown_are_counted_named_and_can_be_had() -> None:
    console = Console(file=io.StringIO(), width=80)
    show_rest(console, (20, 17776), 7, ["prename", "_key"])
    told = console.file.getvalue()  # type: ignore[attr-defined]
    for part in ("20 of 17,776 rows", "7 of 9 columns", "prename, _key", "--columns", "--rows", "--export"):
        assert part in told
    show_rest(console := Console(file=io.StringIO(), width=80), (2, 2), 9, [])
    assert "--" not in console.file.getvalue()  # type: ignore[attr-defined]


def test_an_export_as_csv_holds_faults_and_hashes_as_text() -> None:
    faults = [[{"column": "SEX", "code": "code.unknown"}], None]
    rows = pl.DataFrame({"_key": [b"\x01\xff", None], "_faults": faults})
    lines = flat(rows).write_csv().splitlines()
    assert lines[0] == "_key,_faults" and lines[2] == ","
    assert lines[1] == '01ff,"[{""column"": ""SEX"", ""code"": ""code.unknown""}]"'
