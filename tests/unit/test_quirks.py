"""The list of exporters' quirks: each has a test named by its id, and none of the reference is left out."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path

import pytest

from khlang.errors import CatalogError
from khlang.model.quirks import parse, quirks
from khlang.settings import PROJECT

REFERENCE = Path(os.environ.get("KHLANG_SHARED", PROJECT.parent / "shared")) / "reference/quirks.csv"
BOTH = {"resend"}
"""Handled by a rule and reported by a code."""


def test_every_quirk_has_a_test_of_its_name() -> None:
    text = "".join(
        path.read_text("utf-8") for path in sorted(Path(__file__).parent.glob("test_quirks_of_*.py"))
    )
    named = re.findall(r"^def test_quirk_(.+)_is_(handled|reported|kept)\(", text, re.MULTILINE)
    assert sorted(id for id, _ in named) == sorted(quirks()) and len(named) == 49
    words = {True: {"reported"}, False: {"handled", "kept"}}
    assert {id for id, how in named if how in words[quirks()[id].is_code]} >= set(quirks()) - BOTH


def test_the_quirks_are_those_of_the_reference() -> None:
    if not REFERENCE.is_file():
        print("the reference is not on this machine: only the number of quirks was compared")
        assert len(quirks()) == 49
        return
    with REFERENCE.open(encoding="utf-8", newline="") as lines:
        assert [line["id"] for line in csv.DictReader(lines)] == list(quirks())


@pytest.mark.parametrize("handled", ["code file.magic", "rule ", "luck x", ""])
def test_a_quirk_that_nothing_handles_is_refused(handled: str) -> None:
    with pytest.raises(CatalogError, match=r"quirk\.handled"):
        parse(f"id,handled,en,th\nx,{handled},said,พูด\n")
