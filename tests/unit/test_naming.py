"""Names of zips and members: what is understood, what is shown."""

from __future__ import annotations

from datetime import datetime

import pytest

from khlang.conform.naming import file_of, shown, zip_name
from khlang.model.contract import contracts


def test_a_proper_zip_name_gives_facility_and_time() -> None:
    named = zip_name("F43_07487_20261001085344.zip")
    assert named is not None
    assert (named.hospcode, named.sent_at) == ("07487", datetime(2026, 10, 1, 8, 53, 44))


@pytest.mark.parametrize(
    "name",
    [
        "43F-02220-202609.zip", "F43_7487_20261001085344.zip", "F43_074870_20261001085344.zip",
        "F43_07487_20261301085344.zip", "F43_07487_20260230085344.zip", "F43_07487_20261001245344.zip",
        "F43_07487_20261001.zip", "F43_07487_20261001085344", "F43_07487_20261001085344.zip.zip",
        "X_F43_07487_20261001085344.zip", "F43_07487_20261001085344 (1).zip", "f43_07487_20261001085344.zip",
        "F43_07487_20261001085344.ZIP", "F43_07487_25691001085344.zip", "F43_๐๗๔๘๗_20261001085344.zip",
        "F43_07487_20261001085344.zip\n", "a/F43_07487_20261001085344.zip", "",
    ],
)  # fmt: skip
def test_any_other_zip_name_is_refused(name: str) -> None:
    assert zip_name(name) is None


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("PERSON.txt", "PERSON"), ("person.TXT", "PERSON"), ("Person.Txt", "PERSON"),
        ("F43_07487_20261001085344/person.txt", "PERSON"), ("any/folder/chronicfu.txt", "CHRONICFU"),
        ("accident_07487_20251001085344.txt", "ACCIDENT"), ("DRUG_OPD_07487_20251001085344.TXT", "DRUG_OPD"),
        ("person_EA0018449_20251001.txt", "PERSON"), ("drugallergy.txt", "DRUGALLERGY"),
        ("chronic.txt", "CHRONIC"), ("diagnosis_opd.txt", "DIAGNOSIS_OPD"),
    ],
)  # fmt: skip
def test_a_member_is_known_in_any_case_folder_and_with_facility_and_time_behind(name: str, file: str) -> None:
    assert file_of(name) == file


@pytest.mark.parametrize(
    "name",
    [
        "drug.txt", "OFFICE.txt", "readme.pdf", "person", "person.csv", "person.txt.exe", "persons.txt",
        "person_1101700203451.txt", "person_สมชาย.txt", "person_07487.txt", "person_07487_1234567890123.txt",
        "person_07487_20251301.txt", "person_07487_20251001085344_x.txt", "PERſON.txt", "personfu.txt", "",
        ".txt", "drug_opd_.txt",
    ],
)  # fmt: skip
def test_other_members_are_unknown(name: str) -> None:
    assert file_of(name) is None


def test_every_file_of_the_standard_is_known_by_its_own_name() -> None:
    assert len(contracts()) == 52
    assert all(file_of(f"{file.lower()}.txt") == file for file in contracts())


def test_only_names_of_known_form_are_shown() -> None:
    assert shown("PERSON.TXT", 1) == "PERSON.TXT"
    assert shown("F43_10483_20260903144012/person.txt", 2) == "F43_10483_20260903144012/person.txt"
    assert shown("สมชาย ใจดี 1101700203451.txt", 3) == "unknown-3"
    assert shown("สมชาย ใจดี/person.txt", 4) == "unknown-4/person.txt"
    assert shown("1101700203451/person.txt", 5) == "unknown-5/person.txt"
    assert shown("F43_10483_20261303144012/person.txt", 6) == "unknown-6/person.txt"
