"""The fault catalogue: every code says what is wrong and what to do, in both languages, and no value."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from khlang.errors import CatalogError
from khlang.model.faults import Effect, catalogue, effects, first_of, parse

from .conftest import CATALOG

TEXT = (CATALOG / "faults.toml").read_text("utf-8")
DELIVERY = [
    "zip.name", "zip.unreadable", "zip.encrypted", "zip.path",
    "zip.bomb", "zip.sender", "facility.unknown", "zip.duplicate",
]  # fmt: skip
AGREED = 33
"""Codes of the agreed catalogue; ours beside them: facility.unknown and note.withheld."""


def test_every_code_has_an_effect_that_is_allowed_at_its_place() -> None:
    allowed = {
        "delivery": {"reject"}, "file": {"skip", "flag", "repair"},
        "row": {"refuse", "flag"}, "value": {"void", "repair"},
    }  # fmt: skip
    assert len(catalogue()) >= AGREED + 2
    assert not [fault.code for fault in catalogue().values() if fault.effect not in allowed[fault.scope]]


def test_every_effect_is_explained() -> None:
    assert set(effects()) == set(get_args(Effect))


def test_the_first_delivery_code_in_the_agreed_order_is_the_answer() -> None:
    assert [code for code, fault in catalogue().items() if fault.scope == "delivery"] == DELIVERY
    assert first_of(["zip.duplicate", "zip.bomb", "zip.path"]) == "zip.path"


def test_an_undeclared_code_is_no_answer() -> None:
    with pytest.raises(CatalogError, match="undeclared"):
        first_of(["zip.magic"])


def test_sentences_are_thai_and_english_short_and_hold_no_place_for_a_value() -> None:
    for fault in catalogue().values():
        for words in (fault.en, fault.fix_en):
            assert not re.search("[\u0e00-\u0e7f]", words) and words.endswith("."), fault.code
        for words in (fault.th, fault.fix_th):
            assert re.search("[\u0e00-\u0e7f]", words), fault.code
        for words in (fault.en, fault.fix_en, fault.th, fault.fix_th):
            assert len(words) <= 140 and "{" not in words and "%" not in words, fault.code


def test_only_the_agreed_codes_name_no_column() -> None:
    silent = {
        code for code, fault in catalogue().items() if fault.scope in ("row", "value") and not fault.column
    }
    assert silent == {"row.width", "row.encoding", "row.repeated", "row.erased"}


def test_codes_that_need_the_lake_are_marked() -> None:
    lake = {code for code, fault in catalogue().items() if fault.lake}
    assert lake == {
        "zip.sender",
        "facility.unknown",
        "zip.duplicate",
        "parent.missing",
        "note.identifier",
        "note.withheld",
    }


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('effect = "reject"', 'effect = "delete"', "unknown effect"),
        ('scope = "delivery"', 'scope = "planet"', "unknown scope"),
        ('code = "zip.unreadable"', 'code = "zip.name"', "declared twice"),
        ('example = "F43_99999.zip', 'colour = "blue"\nexample = "F43_99999.zip', "colour"),
        ('th = "ชื่อไฟล์ zip ไม่มีรหัสหน่วยบริการและวันเวลาตามรูปแบบที่กำหนด"', 'th = ""', "lacks a sentence"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_code(before: str, after: str, said: str) -> None:
    assert before in TEXT
    with pytest.raises(CatalogError, match=said):
        parse(TEXT.replace(before, after, 1))


def test_no_entry_can_be_changed_by_a_reader() -> None:
    with pytest.raises(TypeError):
        catalogue()["zip.name"] = catalogue()["zip.bomb"]  # type: ignore[index]


OWN_FAILURES = r'(?:Khlang|Catalog|Store|Privacy|Settings)Error\(\s*"[a-z_.]+"'
"""Failures of ours that are no verdict on a delivery: they have codes, but not of this catalogue."""


def _codes_in_the_jobs() -> set[str]:
    """Every quoted code of the catalogue's families in the source, our own failures apart."""
    families = "|".join(sorted({code.split(".")[0] for code in catalogue()} - {"key", "code"}))
    jobs = [path for path in CATALOG.parent.rglob("*.py") if path.name != "faults.py"]
    text = "\n".join(path.read_text("utf-8") for path in jobs)
    return set(re.findall(rf'"((?:{families}|key|code)\.[a-z_]+)"', re.sub(OWN_FAILURES, "", text)))


def test_every_code_raised_by_the_jobs_is_declared() -> None:
    raised = {code for code in _codes_in_the_jobs() if not code.startswith(("key.", "code."))}
    assert len(raised) > 20
    assert not raised - set(catalogue())


def test_every_declared_code_is_raised_by_a_job() -> None:
    living = {code for code, fault in catalogue().items() if not fault.retired}
    assert not living - _codes_in_the_jobs()
