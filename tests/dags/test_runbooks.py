"""The runbooks: every page is in the index, every exit code is explained, every code named is one that is raised."""

from __future__ import annotations

import re
from pathlib import Path

from khlang import errors
from khlang.errors import KhlangError

PROJECT = Path(__file__).resolve().parents[2]
RUNBOOKS = PROJECT / "docs/runbooks"
PARTS = ["What it means", "Look first", "Put it right", "After"]


def pages() -> dict[str, str]:
    found = {path.stem: path.read_text(encoding="utf-8") for path in RUNBOOKS.glob("*.md")}
    assert len(found) > 10
    return found


def test_the_index_names_every_page_and_nothing_else() -> None:
    found = pages()
    named = set(re.findall(r"\]\(([a-z-]+)\.md\)", found.pop("README")))
    assert named == set(found)


def test_every_page_has_the_same_parts_in_the_same_order() -> None:
    for name, text in pages().items():
        assert name == "README" or re.findall(r"^## (.+)$", text, re.MULTILINE) == PARTS, name


def test_every_exit_code_is_explained() -> None:
    raised = {
        one.exit_code
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, KhlangError)
    }
    raised |= {0, errors.NOTHING_NEW}
    index = pages()["README"].partition("## Exit codes")[2]
    explained = {
        int(code) for row in re.findall(r"^\| ([\d, ]+) \|", index, re.MULTILINE) for code in row.split(",")
    }
    assert raised - explained == {errors.DeliveryError.exit_code}, (
        "a job never ends with the code of one refused zip"
    )


def test_every_code_that_a_page_names_is_raised_somewhere() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (PROJECT / "jobs/khlang").rglob("*.py"))
    raised = set(re.findall(r'"([a-z]+\.[a-z_]+)"', source))
    families = {code.partition(".")[0] for code in raised}
    for name, text in pages().items():
        for family, code in re.findall(r"`([a-z]+)\.([a-z_]+|\*)`", text):
            known = family in families if code == "*" else f"{family}.{code}" in raised
            assert known or code == "jsonl", f"{name}: {family}.{code}"
