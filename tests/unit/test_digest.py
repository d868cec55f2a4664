"""The digest of de-identification: what decides moves it, words about it do not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from khlang.conform import digest
from khlang.conform.digest import decisive, rules_digest
from khlang.model import contract, forms, policy


class Copied:
    """A copy of the catalogue and of conform that a test may change; the modules read it instead of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for part in ("catalog", "conform"):
            shutil.copytree(str(files(f"khlang.{part}")), folder / part)

    def change(self, path: str, old: str, new: str) -> None:
        place = self.folder / path
        text = place.read_text("utf-8")
        assert old in text
        place.write_text(text.replace(old, new, 1), "utf-8")

    def digest(self) -> str:
        """The digest of what the copy says now."""
        for made in (policy.policy, contract.contracts, forms.forms, rules_digest):
            made.cache_clear()
        return rules_digest()


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Copied]:
    before = rules_digest()
    made = Copied(tmp_path)
    with monkeypatch.context() as patched:
        for module in (policy, contract, forms, digest):
            patched.setattr(module, "files", lambda package: tmp_path / package.rpartition(".")[2])
        assert made.digest() == before
        yield made
    made.digest()


CHRONIC = "catalog/contracts/th43/chronic.toml"


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("catalog/policies/lake.toml", 'quasi = "keep"', 'quasi = "drop"'),
        ("catalog/policies/lake.toml", "hn = true", "hn = false"),
        ("catalog/forms.toml", "length = 8", "length = 9"),
        (CHRONIC, 'class="sensitive"', 'class="free_text"'),
        ("catalog/words/th_clinical.txt", "\n", "\nใหม่\n"),
        ("conform/recognizers/phone.py", "import annotations", "import annotations\n\nMORE = 1"),
        ("conform/actions/drop.py", "[None]", "[ None, None ]"),
        ("conform/text/terms.py", "import annotations", "import annotations\n\nMORE = 1"),
    ],
)
def test_what_decides_moves_the_digest(copied: Copied, path: str, old: str, new: str) -> None:
    before = copied.digest()
    copied.change(path, old, new)
    assert copied.digest() != before
    copied.change(path, new, old)
    assert copied.digest() == before


def test_words_about_it_do_not_move_the_digest(copied: Copied) -> None:
    before = copied.digest()
    copied.change("catalog/policies/lake.toml", 'title_en = "', 'title_en = "Still: ')
    copied.change(CHRONIC, 'title_en = "', 'title_en = "Still: ')
    copied.change("conform/actions/drop.py", '"""', '"""Said otherwise. ')
    copied.change("conform/actions/drop.py", "import polars", "# why\nimport polars")
    assert copied.digest() == before


def test_a_syntax_tree_without_words_tells_code_apart() -> None:
    assert decisive('"""a"""\nx = 1  # b\n') == decisive('"""c"""\nx   =   1\n') != decisive("x = 2\n")
