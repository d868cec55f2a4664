"""Which rows are hidden: small counts, whole classes, and what would give them away."""

from __future__ import annotations

import pytest

from khlang.gold.attacker import MANY, Count, Sum
from khlang.gold.disclosure import Cell, Rule, Table

COUNTRY, NORTH, SOUTH = ("country", "TH"), ("region", "1"), ("region", "2")


def _count(place: tuple[str, str], what: str = "cases") -> Count:
    return Count(what, place, "2569")


def _province(code: str) -> tuple[str, str]:
    return "province", code


def _counts_only(
    values: dict[tuple[str, str], int], *sums: tuple[tuple[str, str], list[tuple[str, str]]]
) -> Table:
    """A table of plain counts, one cell each."""
    told = {_count(place): value for place, value in values.items()}
    linked = [Sum(_count(total), tuple(map(_count, parts))) for total, parts in sums]
    return Table([Cell(count.place, (count,)) for count in told], told, linked, Rule())


def _rate(part: int, whole: int) -> Table:
    """One row with a part of a whole."""
    counts = _count(COUNTRY, "part"), _count(COUNTRY, "whole")
    rest = _count(COUNTRY, "rest")
    values = dict(zip((*counts, rest), (part, whole, abs(whole - part)), strict=True))
    return Table([Cell("row", counts, rest)], values, [], Rule())


@pytest.mark.parametrize(
    ("value", "shown"), [(0, 0), (8, 10), (12, 10), (13, 15), (17, 15), (18, 20), (1_000_002, 1_000_000)]
)
def test_a_shown_count_is_rounded_to_the_nearest_five(value: int, shown: int) -> None:
    assert Rule().rounded(value) == shown


@pytest.mark.parametrize(
    ("part", "whole", "hidden"),
    [
        (8, 16, False),
        (7, 100, True),
        (1, 100, True),
        (93, 100, True),
        (92, 100, False),
        (0, 100, True),
        (100, 100, True),
        (3, 5, True),
        (50, 20, False),
        (25, 20, True),
    ],
)
def test_a_row_is_hidden_when_part_whole_or_rest_is_small_or_a_class_is_told(
    part: int, whole: int, hidden: bool
) -> None:
    assert bool(_rate(part, whole).protect()) is hidden


@pytest.mark.parametrize(("value", "hidden"), [(0, False), (1, True), (7, True), (8, False)])
def test_a_count_alone_is_hidden_from_one_to_seven_and_zero_is_shown(value: int, hidden: bool) -> None:
    assert bool(_counts_only({COUNTRY: value}).protect()) is hidden


def test_the_smallest_neighbour_is_hidden_too_when_a_total_would_tell() -> None:
    a, b, c = map(_province, "abc")
    table = _counts_only({NORTH: 65, a: 5, b: 20, c: 40}, (NORTH, [a, b, c]))
    assert table.protect() == {a, b}


def test_two_small_counts_do_not_protect_each_other_when_their_sum_is_small() -> None:
    a, b, c = map(_province, "abc")
    table = _counts_only({NORTH: 42, a: 1, b: 1, c: 40}, (NORTH, [a, b, c]))
    assert table.protect() == {a, b, c}


def test_a_region_of_one_province_needs_a_neighbour_at_both_levels() -> None:
    a, b, c = map(_province, "abc")
    values = {COUNTRY: 120, NORTH: 115, SOUTH: 5, a: 40, b: 75, c: 5}
    table = _counts_only(values, (COUNTRY, [NORTH, SOUTH]), (NORTH, [a, b]), (SOUTH, [c]))
    assert table.protect() == {SOUTH, c, NORTH, a}


def test_the_total_is_hidden_when_there_is_no_neighbour() -> None:
    a = _province("a")
    assert _counts_only({NORTH: 5, a: 5}, (NORTH, [a])).protect() == {NORTH, a}


def test_a_count_that_two_rows_tell_is_hidden_in_both() -> None:
    a, b = map(_province, "ab")
    values = {_count(place, "whole"): size for place, size in ((NORTH, 55), (a, 5), (b, 50))}
    cells = [
        Cell((row, place), (_count(place, "whole"),))
        for row in ("first", "second")
        for place in (NORTH, a, b)
    ]
    sums = [Sum(_count(NORTH, "whole"), (_count(a, "whole"), _count(b, "whole")))]
    hidden = Table(cells, values, sums, Rule()).protect()
    assert hidden == {(row, place) for row in ("first", "second") for place in (a, b)}


def test_an_attacker_without_the_neighbour_would_have_known() -> None:
    a, b, c = map(_province, "abc")
    table = _counts_only({NORTH: 65, a: 5, b: 20, c: 40}, (NORTH, [a, b, c]))
    table.hidden = {a}
    naive = table.bounds(table.values)
    table.protect()
    safe = table.bounds(table.values)
    assert naive.high[_count(a)] < MANY
    assert naive.high[_count(a)] < safe.high[_count(a)]


def test_nothing_is_hidden_when_nothing_is_small() -> None:
    a, b = map(_province, "ab")
    assert _counts_only({NORTH: 60, a: 20, b: 40}, (NORTH, [a, b])).protect() == set()
