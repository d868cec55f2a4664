"""Documents tell the truth: made pages are fresh, links lead somewhere, commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from khlang.commands.docs import filled, made

from .conftest import PROJECT

WRITTEN = [
    *("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "terraform/README.md", "dags/README.md"),
    *sorted(str(path.relative_to(PROJECT)) for path in (PROJECT / "docs").rglob("*.md")),
]


def text_of(name: str) -> str:
    """A document of the repository."""
    return (PROJECT / name).read_text("utf-8")


def test_pages_made_from_the_catalogue_are_fresh() -> None:
    pages = made(PROJECT)
    assert len(pages) > 50
    old = [
        p.relative_to(PROJECT) for p, text in pages.items() if not p.is_file() or p.read_text("utf-8") != text
    ]
    assert not old, f"run `make docs`: {old}"


def test_the_readme_holds_every_setting_command_and_exit_code() -> None:
    emptied = re.sub(
        r"(<!-- made: [a-z ]+ -->\n).*?(<!-- end -->)", r"\1\2", text_of("README.md"), flags=re.DOTALL
    )
    assert emptied.count("<!-- made: ") == 3
    assert filled(emptied) == text_of("README.md")
    assert all(word in text_of("README.md") for word in ("`KHLANG_BASE_PORT`", "`khlang check ", "| 99 |"))


def test_the_table_of_commands_puts_only_that_in_brackets_which_may_be_left_out() -> None:
    said = text_of("README.md")
    for shown in (
        "withdraw NUMBER --cause TEXT`",
        "scan [PATHS...] --canaries PATH [--",
        "check ZIPS... [--json]",
    ):
        assert f"| `khlang {shown}" in said


def _leads_somewhere(path: Path) -> bool:
    """A file, or a folder that holds one (an empty folder is not in a clone)."""
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


@pytest.mark.parametrize("name", WRITTEN)
def test_links_lead_to_files_of_the_repository(name: str) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text_of(name))
    here = (PROJECT / name).parent
    dead = [link for link in links if "://" not in link and not _leads_somewhere(here / link)]
    assert not dead


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_every_make_target_that_is_named_exists(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text_of(name), re.MULTILINE))
    assert named
    assert named <= targets


def test_every_khlang_command_that_is_named_exists() -> None:
    known = set(re.findall(r"^\| `khlang ([a-z]+)", text_of("README.md"), re.MULTILINE))
    named = {word for name in WRITTEN for word in re.findall(r"`khlang ([a-z]+)", text_of(name))}
    assert named - known == set()


def test_the_readme_says_openly_what_is_not_proved() -> None:
    said = text_of("README.md")
    for limit in (
        "synthetic Thai text",
        "not a power cut",
        "race test",
        "differential privacy",
        "personal data",
    ):
        assert limit in said, limit


def test_decisions_are_numbered_without_a_gap_and_say_what_why_and_what_it_costs() -> None:
    pages = sorted((PROJECT / "docs/decisions").glob("*.md"))
    assert [page.name[:4] for page in pages] == [f"{number:04}" for number in range(1, len(pages) + 1)]
    for page in pages:
        text = page.read_text("utf-8")
        assert all(part in text for part in ("Status: ", "**What.**", "**Why.**", "**What it costs.**")), (
            page.name
        )


def test_the_glossary_has_every_word_in_thai_and_english() -> None:
    rows = [
        line.split("|")[1:-1] for line in text_of("docs/glossary.md").splitlines() if line.startswith("| ")
    ]
    words = [row for row in rows[2:] if len(row) == 3]
    assert len(words) > 30
    assert not [row[0] for row in words if not re.search("[\u0e00-\u0e7f]", row[0] + row[1])]


def test_pre_commit_fetches_nothing() -> None:
    text = text_of(".pre-commit-config.yaml")
    assert re.findall(r"repo: (\S+)", text) == ["local"]
    assert all(Path(entry).parts[0] in (".venv", "env") for entry in re.findall(r"entry: (\S+)", text))


def test_the_licence_is_whole() -> None:
    licence = text_of("LICENSE")
    assert "Apache License" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
