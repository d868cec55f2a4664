"""Quirks of exporters that are known from the field: how each is handled, as data."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from khlang.errors import CatalogError
from khlang.model.faults import catalogue

PLACE = "quirks.csv"


@dataclass(frozen=True, slots=True)
class Quirk:
    """One quirk: `by` is a fault code that reports it, or the word for the rule that handles it."""

    id: str
    by: str
    is_code: bool
    en: str
    th: str


def parse(text: str) -> dict[str, Quirk]:
    """CSV text -> id -> Quirk; an unknown code, an empty sentence and an id that stands twice are refused."""
    found: dict[str, Quirk] = {}
    for row in csv.DictReader(io.StringIO(text)):
        kind, _, by = row["handled"].partition(" ")
        known = kind == "rule" or (kind == "code" and by in catalogue())
        if not known or not by or not row["en"] or not row["th"]:
            raise CatalogError(
                "quirk.handled", f"quirk {row['id']} is neither handled nor reported", place=PLACE
            )
        if row["id"] in found:
            raise CatalogError("quirk.repeated", f"quirk {row['id']} is declared twice", place=PLACE)
        found[row["id"]] = Quirk(row["id"], by, kind == "code", row["en"], row["th"])
    return found


@cache
def quirks() -> Mapping[str, Quirk]:
    """Id -> Quirk for every declared one, in order (read-only)."""
    return MappingProxyType(parse((files("khlang.catalog") / PLACE).read_text("utf-8")))
