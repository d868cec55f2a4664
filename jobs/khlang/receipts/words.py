"""Words of receipts in Thai and English, as catalog/words/receipt.toml declares them."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib.resources import files
from typing import Literal

Lang = Literal["th", "en"]
LANGS: tuple[Lang, ...] = ("th", "en")
Words = dict[Lang, str]

_DECLARED = tomllib.loads((files("khlang.catalog") / "words" / "receipt.toml").read_text("utf-8"))


def _words(part: str) -> dict[str, Words]:
    return {name: {lang: declared[lang] for lang in LANGS} for name, declared in _DECLARED[part].items()}


STATES = _words("state")
"""State of a delivery -> its words."""

DRY = _words("dry")
"""What a check says that delivers nothing."""

WORDS = _words("word")

TONES: dict[str, dict[str, str]] = {
    part: {name: declared["tone"] for name, declared in _DECLARED[part].items()} for part in ("state", "dry")
}
"""State -> the tone in which a page shows it: good, wait, bad, quiet."""


def say(words: Words, langs: Sequence[Lang], between: str = " / ") -> str:
    """A word in the languages asked for."""
    return between.join(words[lang] for lang in langs)
