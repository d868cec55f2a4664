"""The name book: whose names are known, and where they must not stand."""

from __future__ import annotations

import copy
import pickle

import polars as pl
import pytest

from khlang.conform.text.names import Names
from khlang.errors import PrivacyError
from text_cases import FACILITY, book, scrubbed

PEOPLE = pl.DataFrame(
    {
        "HOSPCODE": [FACILITY, FACILITY, FACILITY, "00002"],
        "PID": ["P1", "P2", " P3 ", "P1"],
        "HID": ["H1", "H1", None, "H1"],
        "NAME": ["หฟกด", "ฟหกด", "มะลิ", "ฆฆฆฆ"],
        "LNAME": ["สวงวศ", "สวงวศ", "ทองทด", "ณณณณ"],
        "HN": ["560000123", "560000999", "12", ""],
        "MOBILE": ["081-111-2222", None, None, None],
    }
)
HOMES = pl.DataFrame(
    {"HOSPCODE": [FACILITY], "HID": ["H1"], "TELEPHONE": ["999123456"], "HOUSE_ID": ["01000102109"]}
)
STAFF = pl.DataFrame(
    {"HOSPCODE": [FACILITY], "PROVIDER": ["S000123456"], "NAME": ["ฑฒณญ"], "LNAME": ["ฐฎฏฌ"]}
)
BOOK = Names.from_frames(PEOPLE, HOMES, STAFF)


def test_patients_are_known_by_facility_and_number() -> None:
    assert BOOK.known(FACILITY, "P3")
    assert not BOOK.known("00002", "P2")
    assert not Names.from_frames(None, None, None).known(FACILITY, "P1")


def test_the_book_comes_back_from_its_bytes() -> None:
    assert Names.from_bytes(BOOK.to_bytes()) == BOOK
    empty = Names.from_frames(None, None, None)
    assert Names.from_bytes(empty.to_bytes()) == empty


def test_books_merge_in_any_order_and_keep_every_earlier_name() -> None:
    renamed = Names.from_frames(PEOPLE.head(1).with_columns(LNAME=pl.lit("ษษษษ")), None, None)
    assert Names.merge([BOOK, renamed]) == Names.merge([renamed, BOOK, renamed])
    both = Names.merge([BOOK, renamed])
    assert scrubbed(["หฟกด สวงวศ", "หฟกด ษษษษ"], both).text.to_list() == ["<NAME>", "<NAME>"]


def test_a_book_of_other_bytes_is_refused_without_quoting_them() -> None:
    with pytest.raises(PrivacyError) as failure:
        Names.from_bytes(b"P0001 secret")
    assert "secret" not in str(failure.value)
    assert failure.value.__cause__ is None


@pytest.mark.parametrize("travel", [pickle.dumps, copy.deepcopy])
def test_a_book_does_not_travel_by_value(travel: object) -> None:
    with pytest.raises(PrivacyError):
        travel(BOOK)  # type: ignore[operator]


def test_a_book_shows_counts_and_no_name() -> None:
    assert repr(BOOK) == "Names(4 people, 1 homes, 1 staff)"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("หฟกด สวงวศ ไข้", "<NAME> ไข้"),
        ("หฟกดสวงวศไข้", "<NAME>ไข้"),
        ("หฟ\u200bกด   สวงวศ", "<NAME>"),
        ("ผู้ป่วยหฟกดมาด้วยไข้", "ผู้ป่วย<NAME>มาด้วยไข้"),
        ("มากับฟหกด สวงวศ", "มากับ<NAME>"),
        ("560000123 ไข้", "<HN> ไข้"),
        ("56-0000123 ไข้", "<HN> ไข้"),
        ("๕๖๐๐๐๐๑๒๓", "<HN>"),
        ("โทรหา 0811112222", "โทรหา <PHONE>"),
        ("999 123 456", "<PHONE>"),
        ("รหัสบ้าน 01000102109", "รหัสบ้าน <ADDRESS>"),
        ("1560000123", "1560000123"),
    ],
)
def test_own_and_household_names_and_numbers_go_however_they_are_typed(text: str, left: str) -> None:
    assert scrubbed([text], BOOK).text.to_list() == [left]


def test_a_child_of_another_house_is_not_looked_for_by_its_given_name_alone() -> None:
    named = book(NAME="ใจ", LNAME="ทดสอบดี")
    assert scrubbed(["ใจสั่น", "สุขภาพดี ใจเย็น"], named).text.to_list() == ["ใจสั่น", "สุขภาพดี ใจเย็น"]
    assert scrubbed(["คุณใจ ไข้", "ใจ ไข้"], named).text.to_list() == ["คุณ<NAME> ไข้", "<NAME> ไข้"]


@pytest.mark.parametrize(
    ("name", "text"),
    [("สมร", "ตรวจสมรรถภาพปอด"), ("เดือน", "นัด 3 เดือน"), ("น้ำ", "มีน้ำมูก ดื่มน้ำน้อย"), ("แดง", "ตาแดง ผื่นแดง"),
     ("MAY", "dismayed"), ("MIN", "rest 5 min"), ("ฝน", "ผฝนก")],
)  # fmt: skip
def test_a_name_that_is_a_part_of_a_word_leaves_the_word_alone(name: str, text: str) -> None:
    assert scrubbed([text], book(NAME=name)).text.to_list() == [text]


def test_an_own_name_that_is_a_clinical_word_goes_before_what_people_do() -> None:
    texts = ["หวานแพ้ท้องมาก", "หวานขอใบรับรอง", "กินหวานขึ้น", "หวานของโปรด"]
    left = ["<NAME>แพ้ท้องมาก", "<NAME>ขอใบรับรอง", "กินหวานขึ้น", "หวานของโปรด"]
    assert scrubbed(texts, book(NAME="หวาน")).text.to_list() == left


def test_staff_and_other_patients_of_the_facility_go_without_a_title_too() -> None:
    texts = ["ส่งต่อโดย ฑฒณญ ฐฎฏฌ", "ปรึกษา ฟหกด สวงวศ", "เลขที่ 560000999", "รหัส S000123456", "ฆฆฆฆ ณณณณ"]
    left = ["ส่งต่อโดย <NAME>", "ปรึกษา <NAME>", "เลขที่ <HN>", "รหัส <ID>", "ฆฆฆฆ ณณณณ"]
    assert scrubbed(texts, BOOK, pid="P3").text.to_list() == left


def test_a_table_without_patients_is_searched_for_everybody_of_the_facility() -> None:
    texts = ["พบ หฟกด สวงวศ", "คนไข้ฟหกด ไข้", "560000123"]
    assert scrubbed(texts, BOOK, pid=None).text.to_list() == ["พบ <NAME>", "คนไข้<NAME> ไข้", "<HN>"]


def test_the_same_text_is_judged_for_each_patient_by_itself() -> None:
    texts, pids = pl.Series(["พบ ใจ ไข้"] * 2), pl.Series(["P1", "P2"])
    from khlang.conform.text.scrub import scrub

    people = pl.DataFrame({"HOSPCODE": [FACILITY] * 2, "PID": ["P1", "P2"], "NAME": ["ใจ", "ฆฆฆฆ"]})
    done = scrub(texts, pl.Series([FACILITY] * 2), pids, Names.from_frames(people, None, None))
    assert done.text.to_list() == ["พบ <NAME> ไข้", "พบ ใจ ไข้"]
    assert done.changed.to_list() == [True, False]
