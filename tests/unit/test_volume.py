"""What volume is expected of a facility's files, and how often it is wrong: simulated months, printed figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import pytest

from khlang.gold.volume import band, volumes
from khlang.model.scorecard import scorecard

RULES = scorecard().volume
FILES, MONTHS = 3000, 24
VARIATION, SEASON = 0.08, 0.12
SIZES = {"30 to 59": (30, 60), "60 to 199": (60, 200), "200 and more": (200, 1e9), "30 and more": (30, 1e9)}
CHANGES = {"to nothing": 0.0, "to half": 0.5, "to twice": 2.0}
Numbers = Any


def told(rows: Mapping[int, int], hospcode: str = "99001", file: str = "SERVICE") -> pl.DataFrame:
    """Month number -> rows, of one file."""
    kinds = {"hospcode": pl.String, "file": pl.String, "number": pl.Int32, "rows": pl.Int64}
    listed = [(hospcode, file, number, count) for number, count in rows.items()]
    return pl.DataFrame(listed, schema=kinds, orient="row")


def steady(*rows: int) -> dict[int, int]:
    """Rows of one month after the other."""
    return dict(enumerate(rows, 100))


def last(*rows: int) -> dict[str, Any]:
    """The verdict on the last of these months."""
    return volumes(told(steady(*rows)), RULES).row(-1, named=True)


def _normal(rng: np.random.Generator, several: Numbers) -> tuple[Numbers, Numbers]:
    """Means and counts of invented files: 1 to 3000 rows a month, with a season, a trend and days off."""
    when = np.arange(MONTHS)
    mean = np.exp(rng.uniform(0, np.log(3000), FILES))[:, None]
    wave = np.sin(2 * np.pi * (when / 12 + rng.uniform(0, 1, FILES)[:, None]))
    trend = np.exp(rng.normal(0, 0.1, (FILES, 1)) * when / MONTHS)
    mean = mean * (1 + rng.uniform(0, SEASON, (FILES, 1)) * wave) * trend
    return mean, _drawn(rng, mean, several[:, None])


def _drawn(rng: np.random.Generator, mean: Numbers, several: Numbers) -> Numbers:
    """Negative binomial counts: Poisson whose mean varies; where they come several to a visit, one to three each."""
    month = mean * rng.gamma(1 / VARIATION**2, VARIATION**2, mean.shape)
    visits = rng.poisson(month / 2)
    return np.where(several, visits + rng.binomial(2 * visits, 0.5), rng.poisson(month))


def _window(rows: Numbers, month: int) -> Numbers:
    """The twelve months before, the nearest first."""
    found = np.full((len(rows), 12), np.nan)
    known = min(12, month)
    found[:, :known] = rows[:, month - known : month][:, ::-1]
    return found


def _found(rows: Numbers, wanted: Any) -> Numbers:
    return (wanted.expected >= RULES.least_rows) & ((rows < wanted.low) | (rows > wanted.high))


@pytest.mark.parametrize(
    ("share", "least"), [(0.0, 0.95), (0.4, 0.92)], ids=["single events", "several to a visit"]
)
def test_normal_months_are_seldom_called_a_jump_and_real_jumps_are_found(share: float, least: float) -> None:
    rng = np.random.default_rng(2569)
    several = rng.random(FILES) < share
    mean, rows = _normal(rng, several)
    false, seen = 0, {(change, size): [0, 0] for change in CHANGES for size in SIZES}
    for month in range(RULES.least_months, MONTHS):
        wanted = band(_window(rows, month), RULES)
        false += int(_found(rows[:, month], wanted).sum())
        for change, factor in CHANGES.items():
            found = _found(_drawn(rng, mean[:, month] * factor, several), wanted)
            for size, (low, high) in SIZES.items():
                those = (mean[:, month] >= low) & (mean[:, month] < high)
                seen[change, size][0] += int(found[those].sum())
                seen[change, size][1] += int(those.sum())
    judged = FILES * (MONTHS - RULES.least_months)
    print(f"\n  {share:.0%} of the files have several rows to a visit")
    print(f"  false: {false} of {judged} facility-file-months with a history, {false / judged:.2%}")
    for (change, size), (hits, all_of_them) in seen.items():
        print(f"  found, {change}, {size} rows a month: {hits / all_of_them:.1%} of {all_of_them}")
    assert 0 < false / judged <= 0.01
    for change in CHANGES:
        hits, all_of_them = seen[change, "30 and more"]
        assert hits / all_of_them >= least, change


def test_a_file_without_four_months_of_history_is_not_judged() -> None:
    assert last(200, 210, 190, 0)["expected"] is None and not last(200, 210, 190, 0)["is_jump"]
    assert last(200, 210, 190, 205, 0)["is_jump"]


def test_the_first_zip_with_whole_registers_does_not_spoil_what_is_expected() -> None:
    spoiled, plain = last(9000, 40, 44, 36, 40, 42), last(40, 44, 36, 40, 42)
    assert (spoiled["expected"], spoiled["high"], spoiled["history_months"]) == (40, plain["high"], 4)


def test_a_first_zip_of_usual_size_counts_as_history() -> None:
    assert last(200, 210, 190, 205, 198)["history_months"] == 4


def test_one_wrong_month_leaves_what_is_expected_nearly_as_it_was() -> None:
    clean, dirty = last(*[100] * 10, 100), last(*[100] * 7, 2500, 100, 100, 100)
    assert dirty["expected"] == clean["expected"] and dirty["high"] == clean["high"]


def test_a_month_in_which_nothing_came_is_neither_history_nor_a_row() -> None:
    months = volumes(told({100: 80, 101: 82, 103: 78, 104: 80, 105: 81, 107: 80}), RULES)
    assert months["number"].to_list() == [100, 101, 103, 104, 105, 107]
    assert months["history_months"].to_list() == [0, 1, 2, 3, 4, 5]


def test_a_file_that_is_missing_from_a_zip_that_came_has_no_rows_and_jumps() -> None:
    others = told(dict.fromkeys(range(100, 106), 500), file="PERSON")
    months = volumes(pl.concat([told(steady(*[80] * 5)), others]), RULES)
    missing = months.filter(pl.col("file") == "SERVICE", pl.col("number") == 105).row(0, named=True)
    assert (missing["rows"], missing["expected"], missing["is_jump"]) == (0, 80, True)


def test_a_volume_that_stays_new_becomes_the_usual_one() -> None:
    assert [last(*[400] * 12, *[200] * months)["is_jump"] for months in (1, 2, 9)] == [True, True, False]


def test_a_season_of_a_year_ago_is_expected_again() -> None:
    year = [1000, 1000, 1000, 1000, 1000, 1000, 1400, 1000, 1000, 1000, 1000, 1000]
    again, without = last(*year, *year[:6], 1650), last(*[1000] * 18, 1650)
    assert (again["is_jump"], without["is_jump"]) == (False, True)
    assert again["expected"] > 1200 and without["expected"] == 1000


def test_files_of_which_few_rows_are_expected_are_not_judged() -> None:
    assert not last(*[RULES.least_rows - 1] * 8, 0)["is_jump"]
    assert last(*[RULES.least_rows] * 8, 0)["is_jump"]


def test_facilities_do_not_see_each_others_months(monkeypatch: pytest.MonkeyPatch) -> None:
    both = pl.concat([told(steady(*[50] * 6)), told(steady(*[900] * 6), hospcode="99002")])
    whole = volumes(both, RULES)
    monkeypatch.setattr("khlang.gold.volume.FACILITIES_AT_ONCE", 1)
    assert volumes(both, RULES).equals(whole)
    assert dict(whole.filter(pl.col("number") == 105).select("hospcode", "expected").iter_rows()) == {
        "99001": 50,
        "99002": 900,
    }


def test_the_order_in_which_months_are_told_changes_nothing() -> None:
    months = told(steady(9000, 40, 44, 36, 40, 12))
    assert volumes(months.reverse(), RULES).equals(volumes(months, RULES))
