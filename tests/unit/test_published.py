"""What may leave gold: hidden or rounded rows with coverage, and the same in the tables planners read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from khlang.errors import CatalogError, PrivacyError, QualityError
from khlang.gold.disclosure import Rule
from khlang.gold.plan import VOLUME
from khlang.gold.published import Coverage, release
from khlang.gold.views import code_view, expected, facility_area_view, facility_view
from khlang.model.facility import Facility
from khlang.model.indicator import indicators
from khlang.model.share import parse, shares
from khlang.shares.serving import shared_rows

AS_OF = datetime(2026, 11, 6, 3, tzinfo=UTC)
SEEN = Coverage(
    {("province", "50", 2569, ""): 3, ("province", "50", 2569, "2026-08"): 2},
    {("province", "50"): [Facility(str(code), "", "", "", "", "50", 1, "", "") for code in range(4)]},
    AS_OF,
)
Row = dict[str, Any]


def _exact(indicator: str, part: int, whole: int | None, area: str = "50", level: str = "province") -> Row:
    return {
        "indicator": indicator, "level": level, "area": area, "fiscal_year": 2569, "month": "",
        "numerator": part, "denominator": whole,
    }  # fmt: skip


def _volume(month: str, **counts: int) -> Row:
    blank = dict.fromkeys(VOLUME, 0)
    return {"level": "province", "area": "50", "fiscal_year": 2569, "month": month, **blank, **counts}


def _published(exact: list[Row], volumes: list[Row]) -> tuple[list[Row], list[Row]]:
    made = release(exact, volumes, indicators(), SEEN, Rule())
    return made.indicators.to_pylist(), made.months.to_pylist()


def _facility(hospcode: str, province: str) -> Facility:
    return Facility(hospcode, "", "รพ.สต.ตัวอย่าง", "P1", "18", province, 0, "", "")


def test_a_shown_row_is_rounded_and_its_value_comes_from_the_rounded_counts() -> None:
    (row,), _ = _published([_exact("ht_control", 13, 42)], [])
    assert (row["numerator"], row["denominator"], row["value"], row["hidden"]) == (15, 40, 0.375, False)


def test_a_hidden_row_shows_neither_counts_nor_value() -> None:
    (row,), _ = _published([_exact("ht_control", 7, 42)], [])
    assert (row["numerator"], row["denominator"], row["value"], row["hidden"]) == (None, None, None, True)


def test_coverage_freshness_and_definition_stand_beside_every_number() -> None:
    (row,), _ = _published([_exact("ht_control", 13, 42)], [])
    assert (row["facilities_heard"], row["facilities_expected"], row["as_of"]) == (3, 4, AS_OF)
    assert row["definition_version"] == "1"


def test_a_month_that_is_hidden_takes_a_second_one_along_when_the_year_is_shown() -> None:
    exact = [_exact("op_per_person", 205, 100)]
    volumes = [_volume("2026-07", visits=5), _volume("2026-08", visits=80), _volume("2026-09", visits=120)]
    (year,), months = _published(exact, volumes)
    assert not year["hidden"]
    assert [month["visits"] for month in months] == [None, None, 120]


def test_months_alone_hide_only_what_is_small() -> None:
    _, months = _published([], [_volume("2026-08", visits=5, discharges=8), _volume("2026-09", visits=80)])
    assert [(month["visits"], month["discharges"], month["hidden"]) for month in months] == [
        (None, 10, True),
        (80, 0, False),
    ]


def test_patients_of_a_shared_population_are_hidden_in_every_indicator_of_it() -> None:
    exact = [
        _exact(name, part, whole, area, level)
        for name, part in (("dm_control", 20), ("dm_hba1c_tested", 30))
        for level, area, whole in (("province", "50", 5), ("province", "51", 95), ("region", "1", 100))
    ]
    for row in exact:
        row["numerator"] = min(row["numerator"], row["denominator"] // 2)
    rows, _ = _published(exact, [])
    hidden = {(row["indicator"], row["area"]) for row in rows if row["hidden"]}
    assert hidden == {(name, area) for name in ("dm_control", "dm_hba1c_tested") for area in ("50", "51")}


def test_two_indicators_that_disagree_on_a_shared_count_stop_the_release() -> None:
    with pytest.raises(QualityError, match="different counts"):
        _published([_exact("dm_control", 20, 90), _exact("dm_hba1c_tested", 30, 91)], [])


def test_a_province_lies_in_its_region_and_the_country() -> None:
    facilities = [_facility("10001", "50"), _facility("10002", "10")]
    assert facility_view(facilities).to_pylist()[1]["health_region"] == "13"
    areas = [
        (row["hospcode"], row["level"], row["area"]) for row in facility_area_view(facilities).to_pylist()
    ]
    assert areas[:3] == [("10001", "province", "50"), ("10001", "region", "1"), ("10001", "country", "TH")]
    assert len(expected(facilities)["country", "TH"]) == 2


def test_a_facility_is_expected_in_the_months_in_which_it_served() -> None:
    closed = replace(_facility("10001", "50"), closed=date(2026, 8, 3), successor="10002")
    opened = replace(_facility("10002", "50"), opened=date(2026, 8, 4))
    seen = Coverage({}, expected([closed, opened, _facility("10003", "50")]), AS_OF)
    months = ("2026-07", "2026-08", "2026-09", "")
    rows = [{"level": "province", "area": "50", "fiscal_year": 2569, "month": month} for month in months]
    assert [seen.beside(row)["facilities_expected"] for row in rows] == [2, 3, 2, 3]


def test_the_numbers_of_a_closed_facility_lie_where_its_successor_lies() -> None:
    first = replace(_facility("10001", "50"), closed=date(2026, 8, 3), successor="10002")
    second = replace(_facility("10002", "10"), closed=date(2026, 9, 3), successor="10003")
    last = _facility("10003", "57")
    alone = replace(_facility("10004", "50"), closed=date(2026, 8, 3))
    places = {
        row["hospcode"]: row["province"] for row in facility_view([first, second, last, alone]).to_pylist()
    }
    assert places == {"10001": "57", "10002": "57", "10003": "57", "10004": "50"}


def test_a_code_list_is_a_view_of_text() -> None:
    rows = code_view("code_labtest").to_pylist()
    assert {row["code"] for row in rows if row["test"] == "hba1c"} == {"05", "0531601"}


def test_a_shared_row_has_names_in_both_languages_and_only_declared_columns() -> None:
    rows, _ = _published([_exact("ht_control", 13, 42)], [])
    table = next(one for one in shares()["planner"].tables if one.name == "indicator_published")
    (row,) = shared_rows(table, rows, 4, 7)
    told = dict(zip((column.name for column in table.columns), row, strict=True))
    assert (told["release_id"], told["area_th"], told["iso"], told["numerator"]) == (
        4,
        "เชียงใหม่",
        "TH-50",
        15,
    )
    assert told["name_th"] == indicators()["ht_control"].name_th


def test_a_small_count_never_passes_the_last_gate() -> None:
    rows, _ = _published([_exact("ht_control", 13, 42)], [])
    rows[0]["numerator"] = 5
    table = next(one for one in shares()["planner"].tables if one.name == "indicator_published")
    with pytest.raises(PrivacyError, match=r"share\.small") as refused:
        shared_rows(table, rows, 1, 7)
    assert "numerator" in str(refused.value)


def test_a_share_may_not_read_an_unpublished_table() -> None:
    text = 'name="x"\ntitle_en="x"\ntitle_th="x"\nrole="x"\n[[table]]\nname="t"\nsource="gold.indicator"\n'
    with pytest.raises(CatalogError, match=r"share\.source"):
        parse(text + "counts=[]\ncolumns=[]", "x.toml")
