"""Fiscal years and areas: the words that every number is filed under."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from khlang.errors import CatalogError
from khlang.model import calendar, geography


@pytest.mark.parametrize(
    ("day", "year"),
    [
        (date(2026, 9, 30), 2569),
        (date(2026, 10, 1), 2570),
        (date(2026, 12, 31), 2570),
        (date(2027, 1, 1), 2570),
        (date(2024, 2, 29), 2567),
    ],
)
def test_a_fiscal_year_is_named_by_the_buddhist_year_in_which_it_ends(day: date, year: int) -> None:
    assert calendar.fiscal_year(day) == year


def test_a_fiscal_year_begins_and_ends_on_its_own_days() -> None:
    first, last = calendar.first_day(2569), calendar.last_day(2569)
    assert (first, last) == (date(2025, 10, 1), date(2026, 9, 30))
    assert calendar.fiscal_year(first) == calendar.fiscal_year(last) == 2569
    assert calendar.fiscal_year(first - timedelta(days=1)) == 2568


def test_the_months_of_a_year_are_twelve_and_belong_to_it() -> None:
    months = calendar.months(2569)
    assert (months[0], months[-1], len(months)) == ("2025-10", "2026-09", 12)
    assert {calendar.fiscal_year_of_month(month) for month in months} == {2569}


def test_all_77_provinces_lie_in_one_of_13_regions_of_the_country() -> None:
    levels = [place.level for place in geography.areas().values()]
    assert (levels.count("province"), levels.count("region"), levels.count("country")) == (77, 13, 1)
    assert [place.code for place in geography.lineage("10")] == ["10", "13", "TH"]


def test_a_province_has_names_in_both_languages_and_its_iso_code() -> None:
    chiang_mai = geography.area("province", "50")
    assert (chiang_mai.name_th, chiang_mai.name_en, chiang_mai.iso) == ("เชียงใหม่", "Chiang Mai", "TH-50")


def test_an_area_that_is_not_declared_is_refused() -> None:
    with pytest.raises(CatalogError):
        geography.area("province", "99")
