"""An attacker with linear programming against published tables: no hidden small count may be bounded as small."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from khlang.gold.attacker import MANY, Count, Sum
from khlang.gold.disclosure import Cell, Rule, Table

Place = tuple[str, str]
COUNTRY: Place = ("country", "TH")
INDICATORS = (("a", "shared"), ("b", "shared"), ("c", "own"))
"""Indicator -> its denominator; the first two share theirs."""


@st.composite
def published(draw: st.DrawFn) -> Table:
    """Provinces in regions in a country; three indicators with many small, empty and full parts."""
    regions = {
        ("region", str(r)): [("province", f"{r}{p}") for p in range(draw(st.integers(1, 4)))]
        for r in range(draw(st.integers(1, 3)))
    }
    provinces = [place for parts in regions.values() for place in parts]
    size = st.one_of(st.integers(1, 12), st.integers(20, 200))
    values: dict[Count, int] = {}
    for whole in ("shared", "own"):
        values |= {Count(whole, place, "2569"): draw(size) for place in provinces}
    for name, whole in INDICATORS:
        for place in provinces:
            most = values[Count(whole, place, "2569")]
            part = draw(st.one_of(st.integers(0, min(8, most)), st.integers(0, most), st.just(most)))
            values[Count(name, place, "2569")] = part
            values[Count(f"{name} rest", place, "2569")] = most - part
    return _table(values, regions)


def _table(values: dict[Count, int], regions: dict[Place, list[Place]]) -> Table:
    """Totals, sums and cells over the provinces' counts."""
    sums: list[Sum] = []
    for what in sorted({count.what for count in values}):
        for total, parts in (*regions.items(), (COUNTRY, list(regions))):
            counts = tuple(Count(what, place, "2569") for place in parts)
            values[Count(what, total, "2569")] = sum(values[count] for count in counts)
            sums.append(Sum(Count(what, total, "2569"), counts))
    cells = []
    for place in {count.place for count in values}:
        for name, whole in INDICATORS:
            part, all_of, rest = (Count(what, place, "2569") for what in (name, whole, f"{name} rest"))
            cells.append(Cell((name, place), (part, all_of), rest))
            sums.append(Sum(all_of, (part, rest)))
    return Table(cells, values, sums, Rule())


def solved(table: Table) -> list[Count]:
    """Sensitive counts of which linear programming proves that they are small, from all that is shown."""
    column = {count: index for index, count in enumerate(table.values)}
    equations = np.zeros((len(table.sums), len(column)))
    for row, one in enumerate(table.sums):
        equations[row, column[one.total]] = -1
        for part in one.parts:
            equations[row, column[part]] = 1
    limits = [[0.0, float(MANY)] for _ in column]
    for cell in table.cells:
        if cell.key not in table.hidden:
            for count, (low, high) in table.shown(cell):
                known = limits[column[count]]
                known[:] = max(known[0], low), min(known[1], high)
    bounds = [(low, None if high >= MANY else high) for low, high in limits]
    sensitive = {count for cell in table.cells for count in table.sensitive(cell)}
    return [count for count in sorted(sensitive) if _most(count, column, equations, bounds) < 7.999]


def _most(
    count: Count, column: dict[Count, int], equations: np.ndarray, bounds: list[tuple[float, float | None]]
) -> float:
    """The largest value that a count can have."""
    goal = np.zeros(len(column))
    goal[column[count]] = -1
    answer = linprog(goal, A_eq=equations, b_eq=np.zeros(len(equations)), bounds=bounds)
    assert answer.status in (0, 3), answer.message
    return float("inf") if answer.status == 3 else -float(answer.fun)


@settings(max_examples=60, deadline=None)
@given(published())
def test_no_small_count_can_be_solved_from_all_that_is_shown(table: Table) -> None:
    table.protect()
    assert solved(table) == []


@settings(max_examples=30, deadline=None)
@given(published())
def test_nothing_small_is_shown_and_no_whole_class_is_told(table: Table) -> None:
    table.protect()
    shown = [cell for cell in table.cells if cell.key not in table.hidden]
    assert not [cell for cell in shown if table.sensitive(cell)]


def test_without_complementary_hiding_the_same_attacker_wins() -> None:
    regions: dict[Place, list[Place]] = {("region", "1"): [("province", code) for code in "pqr"]}
    values: dict[Count, int] = {}
    for place, whole, part in zip(regions["region", "1"], (100, 120, 140), (4, 60, 70), strict=True):
        values |= {Count(what, place, "2569"): whole for what in ("shared", "own")}
        for name, _ in INDICATORS:
            values[Count(name, place, "2569")] = part
            values[Count(f"{name} rest", place, "2569")] = whole - part
    table = _table(values, regions)
    table.hidden = {cell.key for cell in table.cells if table.sensitive(cell)}
    print(f"attacker without complementary hiding recovers {len(solved(table))} counts")
    recovered = len(solved(table))
    table.protect()
    print(f"attacker recovers {recovered} counts without complementary hiding, {len(solved(table))} with it")
    assert recovered > 0
    assert solved(table) == []
