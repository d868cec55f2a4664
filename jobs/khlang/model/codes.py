"""Code lists: list name -> the codes that may stand in a column, with labels."""

from __future__ import annotations

import csv
import io
from functools import cache
from importlib.resources import files

from khlang.errors import CatalogError


@cache
def code_list(name: str) -> tuple[dict[str, str], ...]:
    """Rows of catalog/codes/<name>.csv in file order; the first column is the code.

    Raises CatalogError when the list is not declared.
    """
    path = files("khlang.catalog") / "codes" / f"{name}.csv"
    if not path.is_file():
        raise CatalogError("codes.unknown", f"code list {name} is not declared", place=f"{name}.csv")
    return tuple(csv.DictReader(io.StringIO(path.read_text("utf-8"))))


def _inline(declared: str) -> frozenset[str]:
    """Codes of a list written in the contract itself: "1 yes; 2 no; 9 unknown", "0-4, 8, 9"."""
    codes: list[str] = []
    for part in declared.replace(",", ";").split(";"):
        code = part.split()[0]
        low, dash, high = code.partition("-")
        codes += [str(number) for number in range(int(low), int(high) + 1)] if dash else [code]
    return frozenset(codes)


@cache
def codes_of(name: str) -> frozenset[str]:
    """The codes of a list, as quoted text (003 is not 3); a name with digits first is the list itself."""
    if name[0].isdigit():
        return _inline(name)
    rows = code_list(name)
    first = next(iter(rows[0])) if rows else ""
    return frozenset(row[first] for row in rows)
