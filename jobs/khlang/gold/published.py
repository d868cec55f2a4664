"""Exact indicators and monthly volumes -> rows that may be published: hidden or rounded, with coverage."""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from khlang.errors import QualityError
from khlang.gold.attacker import Count, Sum
from khlang.gold.disclosure import Cell, Rule, Table
from khlang.gold.plan import VOLUME
from khlang.model.calendar import first_day, last_day
from khlang.model.facility import Facility
from khlang.model.geography import area
from khlang.model.indicator import Indicator

Row = Mapping[str, Any]
Declared = Mapping[str, Indicator]
STAMP = pa.timestamp("us", tz="UTC")
INDICATOR = pa.schema(
    [
        ("indicator", pa.string()), ("level", pa.string()), ("area", pa.string()), ("fiscal_year", pa.int32()),
        ("month", pa.string()), ("numerator", pa.int64()), ("denominator", pa.int64()), ("value", pa.float64()),
        ("hidden", pa.bool_()), ("facilities_heard", pa.int32()), ("facilities_expected", pa.int32()),
        ("as_of", STAMP), ("definition_version", pa.string()),
    ]
)  # fmt: skip
MONTH = pa.schema(
    [
        ("level", pa.string()), ("area", pa.string()), ("fiscal_year", pa.int32()), ("month", pa.string()),
        *((name, pa.int64()) for name in VOLUME),
        ("hidden", pa.bool_()), ("facilities_heard", pa.int32()), ("facilities_expected", pa.int32()),
        ("as_of", STAMP),
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many facilities were heard from in an area and period, of how many; and how fresh the lake is."""

    heard: Mapping[tuple[str, str, int, str], int]
    expected: Mapping[tuple[str, str], Sequence[Facility]]
    as_of: datetime
    counted: dict[tuple[str, str, int, str], int] = field(default_factory=dict, compare=False, repr=False)

    def beside(self, row: Row) -> dict[str, Any]:
        """The columns that stand beside a published number."""
        asked = row["level"], row["area"], row["fiscal_year"], row["month"]
        if asked not in self.counted:
            self.counted[asked] = self._open(*asked)
        return {
            "facilities_heard": self.heard.get(asked, 0),
            "facilities_expected": self.counted[asked],
            "as_of": self.as_of,
        }

    def _open(self, level: str, code: str, year: int, month: str) -> int:
        """Facilities of an area that served on any day of the month, or of the year where none is named."""
        first = date.fromisoformat(f"{month}-01") if month else first_day(year)
        last = first.replace(day=monthrange(first.year, first.month)[1]) if month else last_day(year)
        return sum(one.open_between(first, last) for one in self.expected.get((level, code), ()))


@dataclass(frozen=True, slots=True)
class Release:
    """What may leave gold: published indicators, and monthly volumes by province."""

    indicators: pa.Table
    months: pa.Table


def release(
    exact: Sequence[Row], volumes: Sequence[Row], declared: Declared, seen: Coverage, rule: Rule
) -> Release:
    """Protect indicators and volumes together, since one could solve the other; then round what is shown."""
    hidden = protected(exact, volumes, declared, rule).protect()
    indicators = [_indicator(row, declared[row["indicator"]], hidden, seen, rule) for row in exact]
    months = [_month(row, hidden, seen, rule) for row in volumes]
    return Release(
        pa.Table.from_pylist(sorted(indicators, key=_order), schema=INDICATOR),
        pa.Table.from_pylist(sorted(months, key=_order), schema=MONTH),
    )


def protected(exact: Sequence[Row], volumes: Sequence[Row], declared: Declared, rule: Rule) -> Table:
    """The table of everything published: cells, counts and the sums that link them."""
    values: dict[Count, int] = {}
    cells: list[Cell] = []
    sums: list[Sum] = []
    for row in exact:
        cell, one = _cell(row, declared[row["indicator"]], values)
        cells.append(cell)
        sums += one
    for row in volumes:
        for name in VOLUME:
            count = Count(name, (row["level"], row["area"]), row["month"])
            _set(values, count, row[name])
            cells.append(Cell((count.place, count.period, name), (count,)))
    sums += [*_areas(values), *_months(volumes, values)]
    return Table(cells, values, sums, rule)


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("indicator", "level", "area", "fiscal_year", "month"))


def _order(row: Row) -> tuple[Any, ...]:
    return row.get("indicator", ""), row["level"], row["area"], row["fiscal_year"], row["month"]


def _set(values: dict[Count, int], count: Count, value: int) -> None:
    """Note a count; two indicators that claim the same count must agree on it."""
    if values.setdefault(count, value) != value:
        words = f"two indicators give different counts of {count.what}"
        raise QualityError("indicator.counts", words, place=count.period)


def _cell(row: Row, indicator: Indicator, values: dict[Count, int]) -> tuple[Cell, list[Sum]]:
    """One published row: numerator, denominator and what lies between them, with the sum that says so."""
    place, period = (row["level"], row["area"]), row["month"] or str(row["fiscal_year"])
    part = Count(indicator.counts[0], place, period)
    _set(values, part, row["numerator"])
    if row["denominator"] is None:
        return Cell(_key(row), (part,)), []
    whole = Count(indicator.counts[1], place, "" if indicator.denominator_is_constant else period)
    _set(values, whole, row["denominator"])
    rest = Count(f"{indicator.id} rest", place, period)
    _set(values, rest, abs(row["denominator"] - row["numerator"]))
    larger, smaller = (whole, part) if indicator.counting == "sum" else (part, whole)
    return Cell(_key(row), (part, whole), rest), [Sum(larger, (smaller, rest))]


def _areas(values: Mapping[Count, int]) -> list[Sum]:
    """A region is the sum of its provinces, the country that of its regions."""
    parts: dict[Count, list[Count]] = defaultdict(list)
    for count in values:
        parent = area(*count.place).parent
        if parent is not None:
            parts[Count(count.what, parent, count.period)].append(count)
    return [Sum(total, tuple(found)) for total, found in parts.items() if total in values]


def _months(volumes: Iterable[Row], values: Mapping[Count, int]) -> list[Sum]:
    """A fiscal year of a province is the sum of its months, where the year is published too."""
    parts: dict[Count, list[Count]] = defaultdict(list)
    for row in volumes:
        place = row["level"], row["area"]
        for name in VOLUME:
            parts[Count(name, place, str(row["fiscal_year"]))].append(Count(name, place, row["month"]))
    return [Sum(total, tuple(found)) for total, found in parts.items() if total in values]


def _indicator(row: Row, one: Indicator, hidden: set[Any], seen: Coverage, rule: Rule) -> dict[str, Any]:
    """A published row of an indicator; its value comes from the rounded counts."""
    is_hidden = _key(row) in hidden
    part = None if is_hidden else rule.rounded(row["numerator"])
    whole = None if is_hidden or row["denominator"] is None else rule.rounded(row["denominator"])
    return {
        **dict(zip(("indicator", "level", "area", "fiscal_year", "month"), _key(row), strict=True)),
        "numerator": part,
        "denominator": whole,
        "value": round(part / whole, 6) if part is not None and whole else None,
        "hidden": is_hidden,
        **seen.beside(row),
        "definition_version": one.version_in(first_day(row["fiscal_year"])),
    }


def _month(row: Row, hidden: set[Any], seen: Coverage, rule: Rule) -> dict[str, Any]:
    """A published month of a province: each volume hidden or rounded by itself."""
    place = row["level"], row["area"]
    shown = {
        name: None if (place, row["month"], name) in hidden else rule.rounded(row[name]) for name in VOLUME
    }
    return {
        "level": row["level"], "area": row["area"], "fiscal_year": row["fiscal_year"], "month": row["month"],
        **shown, "hidden": None in shown.values(), **seen.beside(row),
    }  # fmt: skip
