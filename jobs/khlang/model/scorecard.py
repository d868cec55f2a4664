"""What is expected of a facility's deliveries: the due day, silence, the usual volume (catalog/scorecard.toml)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from khlang.errors import CatalogError

PLACE = "scorecard.toml"


@dataclass(frozen=True, slots=True)
class Volume:
    """How rows of a file are expected from a facility's own months, and how far from that is a jump."""

    least_months: int
    first_zip_factor: float
    variation_least: float
    variation_most: float
    chance_least: float
    chance_most: float
    doubt: float
    season: float
    deviations_low: float
    deviations_high: float
    ratio_low: float
    ratio_high: float
    least_rows: int


@dataclass(frozen=True, slots=True)
class Scorecard:
    """The declared rules; `examples` are run by the suite."""

    due_day: int
    silent_days: int
    shown_months: int
    usual_months: int
    usual_share: float
    volume: Volume
    examples: tuple[Mapping[str, Any], ...] = ()

    def due(self, month: str) -> date:
        """Last day on which a month's data are in time: the due day of the month after."""
        year, number = divmod(month_number(month) + 1, 12)
        return date(year, number + 1, self.due_day)

    def days_late(self, month: str, arrived: date) -> int:
        """Days after the due day on which a month's data came; 0 when they were in time."""
        return max(0, (arrived - self.due(month)).days)


def month_number(month: str) -> int:
    """A month written YYYY-MM as a number, so that months can be counted: 2026-01 is one more than 2025-12."""
    return int(month[:4]) * 12 + int(month[5:7]) - 1


def month_of(day: date) -> str:
    """The month of a day, YYYY-MM."""
    return f"{day:%Y-%m}"


def parse(text: str) -> Scorecard:
    """TOML text -> Scorecard; an attribute that is missing, unknown or out of its range is refused."""
    raw = tomllib.loads(text)
    volume, examples = raw.pop("volume", {}), tuple(raw.pop("example", ()))
    known = {field.name for field in fields(Scorecard)} - {"volume", "examples"}
    if set(raw) != known or set(volume) != {field.name for field in fields(Volume)}:
        raise CatalogError("scorecard.rule", "a rule is missing or not known", place=PLACE)
    made = Scorecard(**raw, volume=Volume(**volume), examples=examples)
    _sensible(made)
    return made


def _sensible(rules: Scorecard) -> None:
    """Refuse rules that would judge every facility or none."""
    volume = rules.volume
    sensible = {
        "due_day": 1 <= rules.due_day <= 28,
        "silent_days": rules.silent_days > 31,
        "usual_share": 0 < rules.usual_share <= 1,
        "least_months": 2 <= volume.least_months <= 12,
        "ratio": 0 < volume.ratio_low < 1 < volume.ratio_high,
        "variation": 0 <= volume.variation_least <= volume.variation_most,
        "chance": 1 <= volume.chance_least <= volume.chance_most,
    }
    wrong = [name for name, holds in sensible.items() if not holds]
    if wrong:
        raise CatalogError("scorecard.rule", f"out of its range: {', '.join(wrong)}", place=PLACE)


@cache
def scorecard() -> Scorecard:
    """The rules in force."""
    return parse((files("khlang.catalog") / PLACE).read_text("utf-8"))
