"""The registry's form: whole or refused, by line and column."""

from __future__ import annotations

from datetime import date
from importlib.resources import files

import pytest

from khlang.errors import CatalogError
from khlang.model.facility import facilities, form, resolved, title

HEAD = "hospcode,hospcode9,name,level,hostype,province,health_region,ampur,tambon\n"
ROW = "99001,EA0099001,รพ.ตัวอย่าง,F2,07,50,1,02,01\n"


def test_the_sample_of_the_form_is_a_registry() -> None:
    sample = (files("khlang.catalog") / "facilities" / "sample.csv").read_text("utf-8")
    assert [(f.hospcode, f.health_region) for f in facilities(sample)] == [
        ("99001", 1), ("99002", 1), ("99003", 13),
    ]  # fmt: skip


def test_every_column_of_the_form_has_words_in_both_languages() -> None:
    assert all(column.en and column.th for column in form())


def test_a_byte_order_mark_is_no_part_of_the_header() -> None:
    assert facilities("\ufeff" + HEAD + ROW)[0].name == "รพ.ตัวอย่าง"


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ("99001,", "9901,", "hospcode"), ("99001,", "๙๙๐๐๑,", "hospcode"), ("EA0099001", "EA99001", "hospcode9"),
        ("รพ.ตัวอย่าง", " ", "name"), ("F2", "f2", "level"), ("07", "7", "hostype"), ("50", "5", "province"),
        (",1,", ",14,", "health_region"), (",1,", ",01,", "health_region"), ("02,01", "2,01", "ampur"),
        ("02,01", "02,1", "tambon"), (",02,01", "", "ampur"),
    ],
)  # fmt: skip
def test_a_value_that_lost_its_form_is_refused_by_line_and_column(old: str, new: str, column: str) -> None:
    with pytest.raises(CatalogError, match=rf"line 3, column {column}") as refused:
        facilities(
            HEAD + ROW + ROW.replace("99001", "99002", 2).replace(old.replace("99001", "99002"), new, 1)
        )
    assert "99002" not in str(refused.value)


def test_an_unknown_province_a_repeated_facility_and_a_strange_header_are_refused() -> None:
    for text, code in (
        (HEAD + ROW.replace(",50,", ",99,"), "facilities.province"),
        (HEAD + ROW + ROW, "facilities.repeated"),
        (HEAD, "facilities.empty"),
        (ROW, "facilities.header"),
        ("", "facilities.header"),
        (HEAD.replace("tambon", "tambon,more"), "facilities.header"),
    ):
        with pytest.raises(CatalogError, match=code):
            facilities(text)


LIFE = HEAD.replace("tambon", "tambon,opened,closed,successor")


def _life(told: str) -> str:
    return LIFE + ROW.replace("\n", f",{told}\n")


def test_a_registry_may_tell_when_a_facility_opened_and_closed_and_who_follows_it() -> None:
    (found,) = facilities(_life("2001-10-01,2026-09-30,99002"))
    assert (found.opened, found.closed, found.successor) == (date(2001, 10, 1), date(2026, 9, 30), "99002")
    (found,) = facilities(HEAD.replace("tambon", "tambon,closed") + ROW.replace("\n", ",2026-09-30\n"))
    assert (found.opened, found.closed, found.successor) == (None, date(2026, 9, 30), "")


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ("2569-13-01,,", "facilities.day"), ("2026-02-30,,", "facilities.day"), ("1/1/2001,,", "facilities.value"),
        ("2026-10-01,2026-09-30,", "facilities.day"), (",,99002", "facilities.successor"),
        (",2026-09-30,99001", "facilities.successor"), (",2026-09-30,9902", "facilities.value"),
    ],
)  # fmt: skip
def test_a_life_that_can_not_be_is_refused(told: str, code: str) -> None:
    with pytest.raises(CatalogError, match=code):
        facilities(_life(told))


@pytest.mark.parametrize(
    ("told", "day", "takes"),
    [
        (",,", date(2026, 10, 1), True), ("2026-10-02,,", date(2026, 10, 1), False),
        ("2026-10-01,,", date(2026, 10, 1), True), (",2026-09-30,", date(2026, 10, 10), True),
        (",2026-09-30,", date(2026, 10, 11), False), (",2026-09-30,99002", date(2027, 10, 11), True),
    ],
)  # fmt: skip
def test_late_data_of_a_closed_facility_come_for_some_days_or_for_ever_where_it_goes_on(
    told: str, day: date, takes: bool
) -> None:
    (found,) = facilities(_life(told))
    assert found.may_send(day, closed_days=10) is takes


def test_a_circle_of_successors_ends() -> None:
    text = _life(",2026-09-30,99002") + ROW.replace("99001", "99002", 2).replace("\n", ",,2026-10-30,99001\n")
    found = resolved(facilities(text))
    assert {code: one.hospcode for code, one in found.items()} == {"99001": "99002", "99002": "99001"}
    assert title("99001", {one.hospcode: one for one in facilities(text)}).endswith("→ 99002 รพ.ตัวอย่าง")


def test_a_receipt_names_the_facility_and_where_it_goes_on() -> None:
    held = {one.hospcode: one for one in facilities(HEAD + ROW)}
    assert (title("99001", held), title("99002", held)) == ("รพ.ตัวอย่าง", "")
