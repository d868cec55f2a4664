"""Declared indicators: who is counted, who counts, since when the rule holds; one file each."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any, Literal

from khlang.errors import CatalogError
from khlang.model.mart import Example, example, sources

Kind = Literal["person", "event"]
Counting = Literal["sum", "distinct"]
Period = Literal["year", "month"]
COLUMNS = ("hospcode", "fiscal_year", "month", "unit", "numerator", "denominator")
"""What the select of every definition gives: one row per counted unit, at the facility whose area it belongs to."""


@dataclass(frozen=True, slots=True)
class Definition:
    """One version of the rule; without `valid_from` it holds from the beginning, without `valid_to` until now."""

    version: str
    sql: str
    note_en: str
    note_th: str
    valid_from: date | None = None
    valid_to: date | None = None

    @property
    def reads(self) -> tuple[str, ...]:
        """Views the select reads."""
        return sources(self.sql)

    def holds_in(self, first_day: date) -> bool:
        """True when the rule holds in the fiscal year that begins on that day."""
        return (self.valid_from or date.min) <= first_day <= (self.valid_to or date.max)


@dataclass(frozen=True, slots=True)
class Target:
    """What the ministry aims at: a value reached from below (`at_least`) or from above (`at_most`)."""

    value: float
    direction: Literal["at_least", "at_most"]
    source: str


@dataclass(frozen=True, slots=True)
class Indicator:
    """One number planners follow.

    `counting` distinct: the denominator counts each unit once in every area. `counts` names the populations
    behind numerator and denominator: indicators (and volumes of facility_month) that share one are protected
    together when published. `denominator_is_constant`: it is the same number in every fiscal year.
    """

    id: str
    name_en: str
    name_th: str
    kind: Kind
    counting: Counting
    period: Period
    numerator_en: str
    numerator_th: str
    denominator_en: str
    denominator_th: str
    counts: tuple[str, str]
    source: str
    definitions: tuple[Definition, ...]
    denominator_is_constant: bool = False
    target: Target | None = None
    examples: tuple[Example, ...] = ()

    @property
    def current(self) -> Definition:
        """The newest definition."""
        return self.definitions[-1]

    def version_in(self, first_day: date) -> str:
        """Version of the definition that holds in the fiscal year that begins on that day."""
        return next((d.version for d in self.definitions if d.holds_in(first_day)), self.current.version)


def _definitions(rows: list[Mapping[str, Any]], where: str) -> tuple[Definition, ...]:
    """The [[definition]] tables, the oldest first; periods must not overlap."""
    made = sorted((Definition(**row) for row in rows), key=lambda d: d.valid_from or date.min)
    for older, newer in pairwise(made):
        if older.valid_to is None or newer.valid_from is None or older.valid_to >= newer.valid_from:
            raise CatalogError("indicator.validity", "two definitions hold at the same time", place=where)
    if not made:
        raise CatalogError("indicator.definition", "an indicator needs a definition", place=where)
    return tuple(made)


def parse(text: str, where: str) -> Indicator:
    """TOML text -> Indicator; a file's name must be the indicator's id."""
    raw = tomllib.loads(text)
    definitions = _definitions(raw.pop("definition", []), where)
    examples = tuple(map(example, raw.pop("example", ())))
    target = Target(**raw.pop("target")) if "target" in raw else None
    counts = tuple(raw.pop("counts", (f"{raw['id']} numerator", f"{raw['id']} denominator")))
    if f"{raw['id']}.toml" != where or len(counts) != 2:
        words = "the file is named after the id; counts has two names"
        raise CatalogError("indicator.id", words, place=where)
    return Indicator(**raw, counts=counts, definitions=definitions, target=target, examples=examples)


@cache
def indicators() -> dict[str, Indicator]:
    """Id -> Indicator for every file of catalog/indicators."""
    folder = files("khlang.catalog") / "indicators"
    found = [parse(p.read_text("utf-8"), p.name) for p in folder.iterdir() if p.name.endswith(".toml")]
    return {indicator.id: indicator for indicator in sorted(found, key=lambda indicator: indicator.id)}
