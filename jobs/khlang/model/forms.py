"""Forms that kept texts may have: name -> pattern and length; what has no declared form is not kept."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from khlang.errors import CatalogError

PLACE = "forms.toml"
DEFAULT = "code"
"""The form of a kept column that names none: it is too short for an identifier."""


@dataclass(frozen=True, slots=True)
class Form:
    """A value has the form when it has no more characters than `length` and matches `pattern` as a whole."""

    name: str
    length: int
    pattern: str
    en: str
    th: str


@cache
def forms() -> dict[str, Form]:
    """Name -> Form for every declared one; the pattern is anchored, `{files}` stands for the standard's files."""
    declared = tomllib.loads((files("khlang.catalog") / PLACE).read_text("utf-8"))["form"]
    folder = files("khlang.catalog") / "contracts" / "th43"
    known = "|".join(
        sorted(p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml"))
    )
    return {
        name: Form(
            name, row["length"], f"^(?:{row['pattern'].replace('{files}', known)})$", row["en"], row["th"]
        )
        for name, row in declared.items()
    }


def form_of(name: str | None) -> Form:
    """The form of that name, `DEFAULT` for none; raises CatalogError when it is not declared."""
    found = forms().get(name or DEFAULT)
    if found is None:
        raise CatalogError("form.unknown", f"form {name} is not declared", place=PLACE)
    return found
