"""Guards of the planted faults: each damage is the one it is called, and none hides another."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from khlang.model.contract import contracts
from khlang.synth import world as worlds
from khlang.synth.cluster import invented
from khlang.synth.corrupt import VALUE_FAULTS
from khlang.synth.extract import encodable
from khlang.synth.facilities import facilities
from khlang.synth.habits import FORM_FILES, Habit, form_of
from khlang.synth.plan import Plan
from khlang.synth.planting import NARROW, damaged, marked
from khlang.synth.world import World

PLAN = Plan(facilities=4, months=2, persons=80, start=date(2026, 9, 1), seed=3, faults="many")
DAMAGE = {fault.code: fault.damage for fault in VALUE_FAULTS}
RNG = np.random.default_rng(1)


@pytest.fixture(scope="module")
def world() -> World:
    every = facilities(PLAN)
    return worlds.build(PLAN, 0, every.filter(pl.col("cluster") == 0), 0)


def bad(code: str, file: str, column: str, *values: str) -> list[str | None]:
    """Right values of a column -> what one fault makes of them."""
    return DAMAGE[code](contracts()[file].column(column), pl.Series(values), RNG).to_list()


def test_a_buddhist_leap_day_that_no_year_has_is_not_made() -> None:
    assert bad("date.buddhist", "PERSON", "BIRTH", "20240229", "20240301") == [None, "25670301"]


def test_zeros_are_only_lost_where_the_rest_is_no_other_code() -> None:
    assert bad("code.zeros", "PERSON", "EDUCATION", "02", "00", "05") == ["2", None, "5"]
    assert bad("code.zeros", "PERSON", "SEX", "1") == [None]
    assert bad("code.zeros", "PERSON", "HOSPCODE", "01234", "12345") == ["1234", None]


def test_a_dot_never_makes_a_code_wider_than_its_column() -> None:
    assert bad("code.dots", "CHRONIC", "CHRONIC", "E119", "I10", "S72000") == ["E11.9", None, None]


def test_a_number_out_of_range_still_has_the_width_of_its_column() -> None:
    assert bad("number.range", "SERVICE", "SBP", "120") == ["999"]
    assert bad("number.range", "SERVICE", "BTEMP", "36.8") == ["99.9"]


def test_a_wrong_check_digit_is_the_only_change_of_a_citizen_id() -> None:
    assert bad("cid.checksum", "PERSON", "CID", "1234567890121", "1234567890129") == [
        "1234567890122",
        "1234567890120",
    ]


def test_a_value_without_digits_can_not_have_thai_ones() -> None:
    assert bad("digits.thai", "EPI", "VACCINETYPE", "D21", "XYZ") == ["D๒๑", None]


def test_half_a_broken_line_is_never_as_wide_as_a_whole_one() -> None:
    for contract in contracts().values():
        if len(contract.current) >= NARROW:
            for number in range(60):
                width = len(Habit(number, "12345").columns(contract))
                assert width not in (4, width - 3)


def test_rows_of_no_encoding_are_taken_off_a_member_that_is_not_utf_8(world: World) -> None:
    turn = next(number for number in range(1, 8) if form_of("many", number) == "cp874")
    f, month = divmod(turn, PLAN.months)
    rows = pl.DataFrame(
        {"f": [f, f], "send": [2 * month, 2 * month + 2], "fault": ["row.encoding"] * 2, "form": ["byte"] * 2}
    )
    left = encodable(world, contracts()[FORM_FILES["cp874"]], rows)
    assert left["fault"].to_list() == ["", "row.encoding"]
    assert left["form"].to_list() == ["", "byte"]


def test_no_fault_hides_a_person_whom_a_note_speaks_of(world: World) -> None:
    noted = invented(world)
    spoken = pl.concat(
        frame.filter(pl.col("note") >= 0).select("f", "PID")
        for frame in noted.tables.values() if "PID" in frame.columns
    )  # fmt: skip
    assert spoken.height > 3
    persons = noted.tables["PERSON"].join(spoken.unique(), on=["f", "PID"], how="semi")
    assert persons["note"].unique().to_list() == [-1]
    planted = marked(world, contracts()["PERSON"], noted.tables["PERSON"])
    assert planted.filter((pl.col("note") == -1) & (pl.col("fault") != "")).is_empty()


def test_a_mark_that_can_not_be_carried_out_is_taken_off(world: World) -> None:
    person = invented(world).tables["PERSON"].head(2).with_columns(
        fault=pl.lit("cid.checksum"), at=pl.lit("COUPLE"), form=pl.lit(""), send=pl.lit(0),
        COUPLE=pl.Series(["", "1234567890121"]),
    )  # fmt: skip
    sheet = damaged(world, contracts()["PERSON"], person)
    assert sheet.rows["fault"].to_list() == ["", "cid.checksum"]
    assert sheet.rows["COUPLE"].to_list() == ["", "1234567890121"]
    assert sheet.wrong["COUPLE"].to_list() == ["", "1234567890122"]


def test_a_row_that_is_repeated_has_its_right_copy_behind_it(world: World) -> None:
    repeated, every = 0, contracts()
    for file, right in invented(world).tables.items():
        planted = marked(world, every[file], right)
        first = planted.filter(pl.col("fault") == "row.repeated")
        copies = planted.tail(planted.height - right.height)
        assert copies["fault"].unique().to_list() in ([""], [])
        assert copies.select(every[file].key).equals(first.select(every[file].key))
        repeated += first.height
    assert repeated > 0
