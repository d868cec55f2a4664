"""The registry's form: whole or refused, by line and column."""

from __future__ import annotations

from importlib.resources import files

import pytest

from khlang.errors import CatalogError
from khlang.model.facility import facilities, form

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
