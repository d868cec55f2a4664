"""The digest of de-identification: what decides moves it, words about it do not."""

from __future__ import annotations

import pytest

from khlang.conform.digest import decisive

from .other_rules import Copied, copied

__all__ = ["copied"]
CHRONIC = "catalog/contracts/th43/chronic.toml"
CODE = "import annotations", "import annotations\n\nMORE = 1"


def test_whatever_decides_moves_the_digest(copied: Copied) -> None:
    seen = [copied.digest()]
    for path, old, new in (
        ("catalog/policies/lake.toml", 'quasi = "keep"', 'quasi = "drop"'),
        ("catalog/policies/lake.toml", "hn = true", "hn = false"),
        ("catalog/forms.toml", "length = 8", "length = 9"),
        (CHRONIC, 'class="sensitive"', 'class="free_text"'),
        ("catalog/words/th_clinical.txt", "\n", "\nใหม่\n"),
        ("conform/recognizers/phone.py", *CODE),
        ("conform/actions/drop.py", *CODE),
        ("conform/text/terms.py", *CODE),
    ):
        seen.append(copied.change(path, old, new))
        assert len(set(seen)) == len(seen), path


def test_words_about_it_do_not_move_the_digest(copied: Copied) -> None:
    before = copied.digest()
    for path, old, new in (
        ("catalog/policies/lake.toml", 'title_en = "', 'title_en = "Still: '),
        (CHRONIC, 'title_en = "', 'title_en = "Still: '),
        ("conform/actions/drop.py", '"""', '"""Said otherwise. '),
        ("conform/actions/drop.py", "import polars", "# why\nimport polars"),
    ):
        assert copied.change(path, old, new) == before, path


def test_a_syntax_tree_without_words_tells_code_apart() -> None:
    assert decisive('"""a"""\nx = 1  # b\n') == decisive('"""c"""\nx   =   1\n') != decisive("x = 2\n")


@pytest.mark.parametrize("source", ["def f() -> int:\n    return 1\n", "x = (\n    1,\n)\n"])
def test_code_without_words_is_told_as_it_is(source: str) -> None:
    assert decisive(source) == decisive(f"# why\n{source}")
