"""The rules of the house hold for every file, and every rule has been shown a file that breaks it."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from .rules import RULES, Rule


def named(rule: Rule) -> str:
    return f"{rule.check.__name__}-{rule.where[0] or 'all'}"


def test_there_are_rules() -> None:
    assert len(RULES) > 8


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_the_rule_finds_the_file_that_breaks_it(rule: Rule) -> None:
    assert rule.holds_for(PurePosixPath(rule.broken_path)) or rule.where == ("tests/",)
    assert list(rule.check(PurePosixPath(rule.broken_path), rule.broken))


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_the_rule_holds_for_every_file(rule: Rule, texts: dict[PurePosixPath, str]) -> None:
    inside = {path: text for path, text in texts.items() if rule.holds_for(path)}
    assert inside, "the rule finds nothing to look at"
    complaints = [f"{path}: {said}" for path, text in inside.items() for said in rule.check(path, text)]
    assert not complaints, "\n".join(["", *complaints])


@pytest.mark.parametrize(
    "line",
    [
        "url = 'https" + "://files.example.com/simple'",
        "--index" + "-url somewhere",
        "mail someone" + "@mail.invalid.net",
        "as said in iss" + "ue 12",
    ],
)
def test_addresses_and_talk_of_the_workshop_are_found(line: str) -> None:
    check = next(rule.check for rule in RULES if rule.check.__name__ == "no_machine")
    assert list(check(PurePosixPath("README.md"), line))


@pytest.mark.parametrize("line", ["pytest.s" + "kip()", "@pytest.mark.s" + "kipif(True)", "# FIX" + "ME"])
def test_left_out_tests_are_found(line: str) -> None:
    check = next(rule.check for rule in RULES if rule.check.__name__ == "nothing_left_out")
    assert list(check(PurePosixPath("tests/unit/test_x.py"), line))
