"""What can not be cleared is withheld, what needs no clearing costs nothing, and no message quotes a text."""

from __future__ import annotations

import socket
import subprocess
import sys

import polars as pl
import pytest

from khlang.conform.recognizers.phone import Phone
from khlang.conform.text import engine as engines
from khlang.conform.text import registry
from khlang.conform.text import scrub as steps
from khlang.conform.text.names import Names
from khlang.conform.text.scrub import Limits
from khlang.errors import PrivacyError
from khlang.settings import PROJECT
from text_cases import FACILITY, book, scrubbed

SECRET = "โทร 0812345678 นายหฟกด สวงวศ"
NOBODY = Names.from_frames(None, None, None)


def test_a_null_stays_a_null_and_is_neither_changed_nor_withheld() -> None:
    done = scrubbed([None, "ไข้", None], NOBODY)
    assert done.text.to_list() == [None, "ไข้", None]
    assert not (done.changed | done.withheld).any()


def test_a_column_without_rows_is_a_column_without_rows() -> None:
    assert scrubbed([]).text.to_list() == []


@pytest.mark.parametrize(
    "broken", [RuntimeError(SECRET), TimeoutError(SECRET), MemoryError(), RecursionError()]
)
def test_a_note_that_breaks_the_analyzer_is_withheld(
    broken: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(self: Phone, text: str) -> None:
        raise broken

    monkeypatch.setattr(Phone, "find", crash)
    done = scrubbed([SECRET, "ไข้ 3 วัน"])
    assert done.text.to_list() == [None, "ไข้ 3 วัน"]
    assert done.withheld.to_list() == [True, False]
    assert not done.changed.any()


def test_a_note_that_takes_too_long_is_withheld() -> None:
    done = scrubbed([SECRET, "ไข้ 3 วัน"], limits=Limits(seconds=0.0))
    assert done.text.to_list() == [None, "ไข้ 3 วัน"]
    assert done.withheld.to_list() == [True, False]


def test_a_pattern_that_never_ends_is_stopped_by_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    from khlang.conform.recognizers import phone

    endless = phone.rule(r"(?:[ก0]|[ก0]{2})+(?=z)z")
    monkeypatch.setattr(phone, "_ABROAD", (endless,))
    done = scrubbed([f"{SECRET} {'ก0' * 400}yz"], limits=Limits(seconds=0.2))
    assert done.withheld.to_list() == [True]


def test_a_note_over_a_megabyte_is_withheld_whole() -> None:
    long, longest = "ไข้ " * 1000, "ไข้ " * 110_000
    done = scrubbed([long, longest])
    assert done.text.to_list() == [long, None]
    assert done.withheld.to_list() == [False, True]


def test_text_of_a_patient_nobody_told_about_is_withheld_unless_its_words_are_closed() -> None:
    closed = ["ไข้ ไอ 3 วัน BP 150/90", "Metformin 500 mg tab", "82.05"]
    done = scrubbed(["หฟกด มารับยา", *closed, "XQZT 5 mg", "1234567", "a_b", None], pid="P9")
    assert done.text.to_list() == [None, *closed, None, None, None, None]
    assert done.withheld.to_list() == [True, False, False, False, True, True, True, False]


def test_a_closed_text_of_an_unknown_patient_is_still_searched() -> None:
    assert scrubbed(["ไข้ 081 234 5678"], pid="P9").text.to_list() == ["ไข้ <PHONE>"]


@pytest.mark.parametrize("pid", ["", None])
def test_text_without_its_patients_number_is_withheld(pid: str | None) -> None:
    column = pl.Series(["หฟกด มารับยา"])
    done = steps.scrub(column, pl.Series([FACILITY]), pl.Series([pid], dtype=pl.String), book())
    assert done.withheld.to_list() == [True]


def test_text_of_a_table_without_patients_is_withheld_only_where_the_facility_is_unknown() -> None:
    assert scrubbed(["หฟกด มารับยา"], pid=None).withheld.to_list() == [False]
    assert scrubbed(["หฟกด มารับยา", "ไข้"], NOBODY, pid=None).withheld.to_list() == [True, False]


def test_the_failure_of_the_step_itself_quotes_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(texts: pl.Series) -> pl.Series:
        raise ValueError(f"can not read {texts[0]}")

    monkeypatch.setattr(steps, "plain_series", refuse)
    with pytest.raises(PrivacyError) as failure:
        scrubbed([SECRET])
    assert "0812345678" not in str(failure.value)
    assert failure.value.__cause__ is None and failure.value.__suppress_context__


def test_a_failure_in_a_note_is_logged_without_the_note(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def crash(self: Phone, text: str) -> None:
        raise RuntimeError(text)

    monkeypatch.setattr(Phone, "find", crash)
    scrubbed([SECRET])
    assert "RuntimeError at test_text_scrub.py" in caplog.text
    assert "0812345678" not in caplog.text


def test_the_analyzer_sees_each_distinct_suspicious_text_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    places = engines.Engine.places

    def counted(self: engines.Engine, text: str, wanted: list[str], seconds: float) -> object:
        asked.append(text)
        return places(self, text, wanted, seconds)

    monkeypatch.setattr(engines.Engine, "places", counted)
    clean = [
        "ปวดท้อง 2 วัน",
        "Metformin 500 mg tab",
        "1x10",
        "7.80",
        "10 tab",
        "BP 150/90",
        "Lung clear, heart regular",
    ]
    done = scrubbed([*clean * 500, *["โทร 0812345678"] * 500])
    assert asked == ["โทร 0812345678"]
    assert done.changed.sum() == 500


def test_a_clean_column_never_loads_presidio() -> None:
    script = """
import polars as pl, sys
from khlang.conform.text.names import Names
from khlang.conform.text.scrub import scrub
known = Names.from_frames(pl.DataFrame({"HOSPCODE": ["1"], "PID": ["1"], "NAME": ["a"]}), None, None)
clean = pl.Series(["Metformin 500 mg tab", "1x10", "7.80", None, "ปวดท้อง 2 วัน"])
done = scrub(clean, pl.Series(["1"] * 5), pl.Series(["1"] * 5), known)
assert done.text.equals(clean)
print(sorted({"presidio_analyzer", "spacy", "pyspark", "boto3", "sqlalchemy"} & set(sys.modules)))
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(PROJECT / "jobs")}
    )
    assert done.stdout.strip() == "[]"


def test_an_address_of_mail_is_found_without_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **named: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert scrubbed(["somebody@example.unheard-of-tld"]).text.to_list() == ["<EMAIL>"]


def test_a_folder_without_recognisers_clears_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    registry.recognisers.cache_clear()
    monkeypatch.setattr(registry, "iter_modules", lambda path: [])
    with pytest.raises(PrivacyError):
        scrubbed(["ไข้"])
    registry.recognisers.cache_clear()
