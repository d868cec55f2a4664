"""Declared templates, names and fills of catalog/texts -> frozen values: one set tunes, the other tests."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

FOLDER = files("khlang.catalog") / "texts"
PLACEHOLDER = re.compile(r"\{(\w+)(?::(\w+))?\}")
TUNING, TEST = "tuning", "test"


@dataclass(frozen=True, slots=True)
class Template:
    """One way to write a note: literal text with placeholders; `care` is the kind of note."""

    care: str
    text: str

    def asks(self) -> frozenset[str]:
        """The names of its placeholders."""
        return frozenset(found[1] for found in PLACEHOLDER.finditer(self.text))


@cache
def lists(name: str, half: str) -> dict[str, tuple[str, ...]]:
    """The lists of catalog/texts/<name>_<set>.toml."""
    every = tomllib.loads((FOLDER / f"{name}_{half}.toml").read_text("utf-8"))
    return {key: tuple(words) for key, words in every.items()}


def _file(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


@cache
def templates(half: str) -> tuple[Template, ...]:
    """Every template of a set, from all files catalog/texts/<set>_*.toml."""
    found = []
    for path in sorted(FOLDER.iterdir(), key=lambda path: path.name):
        if path.name.startswith(f"{half}_"):
            for care, texts in _file(path.read_text("utf-8")).items():
                found += [Template(care, text) for text in texts]
    return tuple(found)
