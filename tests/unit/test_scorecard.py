"""The declared rules of the scorecard, and marts that are made without a select."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from importlib.resources import files
from typing import Any

import polars as pl
import pytest

from khlang.errors import CatalogError, QualityError
from khlang.gold import checks, frames, job
from khlang.gold.frames import LEDGER, built, made
from khlang.gold.months import day_number, due_day, fiscal_year, month_of, newest, number_of, read_from
from khlang.gold.volume import volumes
from khlang.model import mart
from khlang.model.calendar import fiscal_year_of_month
from khlang.model.mart import Mart, marts, selects
from khlang.model.scorecard import month_number, parse, scorecard

RULES = (files("khlang.catalog") / "scorecard.toml").read_text("utf-8")
CARD = marts()["facility_scorecard"]
MADE = """
name = "facility_scorecard"
title_en = "Cards"
title_th = "ผล"
grain = "one facility"
key = ["hospcode"]
stored = true
reads = ["ledger_day"]
columns = [{name="hospcode", type="string", en="Facility", th="หน่วยบริการ"}]
checks = [{unique=["hospcode"]}]
"""


def views(**given: list[Mapping[str, Any]]) -> dict[str, pl.DataFrame]:
    """Views of the ledger with these rows; one facility that is registered since 2026-01 and known to 2026-05-08."""
    rows = {
        "ledger_day": [{"day": date(2026, 5, 8)}],
        "ledger_facility": [{"hospcode": "99001", "registered_date": date(2026, 1, 20)}],
    } | given
    found = {name: pl.DataFrame(rows.get(name, []), schema=kinds) for name, kinds in LEDGER.items()}
    return found | {"facility": pl.DataFrame({"hospcode": ["99001"], "province": ["50"]})}


def cards(**given: list[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Month -> card of the one facility."""
    rows = built(marts(), views(**given))["facility_scorecard"].to_pylist()
    return {row["month"]: row for row in rows}


def came(month: str, day: date | None = None, **counts: int) -> dict[str, Any]:
    return {"hospcode": "99001", "month": month, "first_arrived_on": day} | counts


def sent(month: str, *names: str) -> list[dict[str, Any]]:
    return [{"hospcode": "99001", "month": month, "file": name, "rows": 1} for name in names]


DUE = [one for one in scorecard().examples if "arrived" in one]
JUMPS = [one for one in scorecard().examples if "history" in one]


def test_the_declared_rules_carry_examples_of_both_kinds() -> None:
    assert len(DUE) >= 3 and len(JUMPS) >= 4 and len(DUE) + len(JUMPS) == len(scorecard().examples)


@pytest.mark.parametrize("example", DUE, ids=[one["title"] for one in DUE])
def test_a_month_is_due_as_its_example_says(example: Mapping[str, Any]) -> None:
    assert scorecard().days_late(example["month"], example["arrived"]) == example["days_late"]


@pytest.mark.parametrize("example", JUMPS, ids=[one["title"] for one in JUMPS])
def test_a_volume_is_judged_as_its_example_says(example: Mapping[str, Any]) -> None:
    rows = [*example["history"], example["rows"]]
    kinds = {"hospcode": pl.String, "file": pl.String, "number": pl.Int32, "rows": pl.Int64}
    listed = [("99001", "SERVICE", number, count) for number, count in enumerate(rows, 100)]
    months = volumes(pl.DataFrame(listed, schema=kinds, orient="row"), scorecard().volume)
    assert months["is_jump"][-1] is example["is_jump"]


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ("due_day = 10", ""),
        ("due_day = 10", "due_day = 31"),
        ("due_day = 10", "due_day = 10\ndue_hour = 4"),
        ("silent_days = 45", "silent_days = 3"),
        ("usual_share = 0.5", "usual_share = 0"),
        ("least_months = 4", "least_months = 40"),
        ("ratio_low = 0.7", "ratio_low = 1.7"),
        ("season = 0.1", ""),
    ],
)
def test_a_rule_that_is_missing_strange_or_senseless_is_refused(said: str, instead: str) -> None:
    assert said in RULES and parse(RULES).due_day == 10
    with pytest.raises(CatalogError, match=r"scorecard\.rule"):
        parse(RULES.replace(said, instead))


@pytest.mark.parametrize("month", ["2025-09", "2025-10", "2025-12", "2026-01"])
def test_months_as_columns_are_those_of_the_calendar(month: str) -> None:
    frame = pl.DataFrame({"month": [month]}).with_columns(number_of("month").alias("number"))
    day = pl.DataFrame({"day": [date(int(month[:4]), int(month[5:]), 28)]})
    got = frame.select(
        month_of("number"), due_day("number").alias("due"), fiscal_year("number").alias("year")
    )
    assert frame["number"][0] == month_number(month) == day.select(day_number("day")).item()
    assert got.row(0) == (month, scorecard().due(month), fiscal_year_of_month(month))


def test_the_newest_month_is_the_one_before_and_a_year_before_the_shown_ones_is_read() -> None:
    assert newest(date(2026, 1, 31)) == month_number("2025-12")
    assert read_from(date(2026, 1, 31)) == "2023-01"


def test_a_month_without_a_delivery_has_a_card_and_is_late_once_it_is_due() -> None:
    found = cards()
    assert list(found) == ["2026-01", "2026-02", "2026-03", "2026-04"]
    assert [card["is_timely"] for card in found.values()] == [False, False, False, None]
    assert all(card["deliveries"] == 0 and card["days_late"] is None for card in found.values())


def test_a_withdrawn_zip_is_counted_and_does_not_count_as_delivered() -> None:
    card = cards(ledger_delivery=[came("2026-02", withdrawn=1)])["2026-02"]
    assert (card["deliveries"], card["deliveries_withdrawn"], card["is_timely"]) == (0, 1, False)


def test_a_facility_has_cards_only_for_months_in_which_it_served() -> None:
    served = {"opened_date": date(2026, 2, 14), "closed_date": date(2026, 3, 2)}
    known = [{"hospcode": "99001", "registered_date": date(2020, 1, 1), **served}]
    assert list(cards(ledger_facility=known)) == ["2026-02", "2026-03"]


def test_what_came_for_another_month_is_not_lost() -> None:
    known = [{"hospcode": "99001", "registered_date": date(2026, 4, 1), "closed_date": date(2026, 4, 30)}]
    found = cards(ledger_facility=known, ledger_delivery=[came("2026-06", date(2026, 5, 8), loaded=1)])
    assert list(found) == ["2026-04", "2026-06"]


def test_a_facility_that_sent_before_it_was_registered_here_has_cards_from_then_on() -> None:
    found = cards(ledger_delivery=[came("2025-11", date(2026, 1, 22), loaded=1)])
    assert next(iter(found)) == "2025-11" and found["2025-11"]["days_late"] == 43


def test_a_facility_that_no_registry_knows_has_no_card() -> None:
    strange = came("2026-02", rejected=1) | {"hospcode": "77777"}
    rows = built(marts(), views(ledger_delivery=[strange]))["facility_scorecard"]
    assert set(rows["hospcode"].to_pylist()) == {"99001"}


def test_a_file_is_expected_when_it_stood_in_half_of_the_months_before() -> None:
    months = [*sent("2026-01", "PERSON", "SERVICE"), *sent("2026-02", "PERSON", "SERVICE", "DEATH")]
    months += [*sent("2026-03", "PERSON"), *sent("2026-04", "PERSON", "ICF")]
    arrived = [came("2026-04", date(2026, 5, 2), loaded=1)]
    card = cards(ledger_file=months, ledger_delivery=arrived)["2026-04"]
    assert (card["files_expected"], card["files_delivered"], card["files_missing"]) == (2, 2, 1)
    assert card["completeness"] == 0.5


def test_two_months_say_nothing_of_what_a_facility_usually_sends() -> None:
    months = [*sent("2026-01", "PERSON"), *sent("2026-02", "PERSON"), *sent("2026-03", "SERVICE")]
    arrived = [came(month, date(2026, 4, 2), loaded=1) for month in ("2026-01", "2026-02", "2026-03")]
    card = cards(ledger_file=months, ledger_delivery=arrived)["2026-03"]
    assert (card["files_expected"], card["completeness"], card["files_delivered"]) == (None, None, 1)


def test_a_month_that_is_not_due_yet_is_not_called_incomplete_and_one_that_is_due_is() -> None:
    months = [row for month in ("2025-12", "2026-01", "2026-02") for row in sent(month, "PERSON")]
    found = cards(ledger_file=months, ledger_delivery=[came("2025-12", date(2026, 1, 5), loaded=1)])
    assert (found["2026-04"]["files_expected"], found["2026-04"]["completeness"]) == (1, None)
    assert (found["2026-03"]["files_missing"], found["2026-03"]["completeness"]) == (1, 0.0)


def test_the_two_marts_are_made_without_spark_and_no_select_reads_them() -> None:
    assert set(marts()) - set(selects()) == {"facility_scorecard", "facility_file_volume"}
    assert not {view for view in job._views() if view.startswith("ledger_")}


@pytest.mark.parametrize("more", ['sql = "select 1"\nreads = ["ledger_day"]', ""])
def test_a_mart_has_either_a_select_or_the_views_of_its_module(more: str) -> None:
    assert mart.parse(MADE, "made.toml").reads == ("ledger_day",)
    with pytest.raises(CatalogError, match=r"mart\.sql"):
        mart.parse(MADE.replace('reads = ["ledger_day"]', more), "made.toml")


def test_a_module_that_gives_other_columns_than_declared_is_refused() -> None:
    other = mart.parse(MADE, "made.toml")
    asked: Mart = Mart(**{**_fields(CARD), "fields": other.fields})
    with pytest.raises(QualityError, match=r"mart\.columns"):
        made(asked, views() | {"facility_file_volume": _volumes()})


def test_a_column_of_another_kind_than_declared_is_refused() -> None:
    fields = tuple(
        mart.Field(one.name, "string" if one.name == "days_late" else one.type, one.en, one.th)
        for one in CARD.fields
    )
    with pytest.raises(QualityError, match="days_late"):
        made(Mart(**{**_fields(CARD), "fields": fields}), views() | {"facility_file_volume": _volumes()})


def test_a_made_mart_that_breaks_a_check_stops_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = frames.checks.failures
    monkeypatch.setattr(frames.checks, "failures", lambda *given: asked(*given) | {"c0": 1})
    with pytest.raises(QualityError, match=r"mart\.check"):
        built(marts(), views())


def test_checks_of_a_frame_count_the_rows_that_fail() -> None:
    listed = (
        mart.Check(unique=("a",)), mart.Check(not_null=("a", "b")), mart.Check(column="b", low=0, high=5),
        mart.Check(rows_of="view"),
    )  # fmt: skip
    asked = Mart(**{**_fields(CARD), "checks": listed})
    rows = pl.DataFrame({"a": ["x", "x", None], "b": [1, 9, None]})
    found = checks.failures(asked, rows, {"view": rows.head(1)})
    assert found == {"rows": 3, "c0": 1, "c1": 1, "c2": 1, "c3": 2}


def _fields(one: Mart) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Mart.__slots__}


def _volumes() -> pl.DataFrame:
    return pl.DataFrame(built(marts(), views())["facility_file_volume"])
