"""Every recogniser finds its kind as people write it, leaves clinical text alone, and is needed."""

from __future__ import annotations

import tomllib

import pytest

from khlang.conform.text import scrub as steps
from khlang.conform.text.registry import recognisers
from khlang.settings import PROJECT
from text_cases import expected, scrubbed, typed

TEXTS = PROJECT / "tests" / "golden" / "text"
FOUND: dict[str, list[str]] = tomllib.loads((TEXTS / "found.toml").read_text("utf-8"))
CLEAN = (TEXTS / "clean.txt").read_text("utf-8").splitlines()


def test_every_recogniser_has_examples() -> None:
    assert set(FOUND) == set(recognisers())


@pytest.mark.parametrize("name", FOUND)
def test_the_recogniser_finds_its_kind(name: str) -> None:
    done = scrubbed([typed(marked) for marked in FOUND[name]])
    assert done.text.to_list() == [expected(marked) for marked in FOUND[name]]
    assert done.changed.all()


@pytest.mark.parametrize("name", FOUND)
def test_without_the_recogniser_an_identifier_is_left(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    others = {other: one for other, one in recognisers().items() if other != name}
    monkeypatch.setattr(steps, "recognisers", lambda: others)
    done = scrubbed([typed(marked) for marked in FOUND[name]])
    assert done.text.to_list() != [expected(marked) for marked in FOUND[name]]


def test_clinical_text_is_left_alone() -> None:
    done = scrubbed(CLEAN)
    assert [(a, b) for a, b in zip(CLEAN, done.text, strict=True) if a != b] == []
    assert not done.changed.any()
