"""What the ledger says of months: which month a zip is for, its lines, and the scorecards made of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl
import pytest

from khlang.gold.frames import built, ledger_views
from khlang.lake import months
from khlang.lake.ledger import Judged, Ledger, receipt_number
from khlang.lake.months import delivery_months, file_months
from khlang.model.mart import marts

from .blank_ledger import LONG, NOW, at, blank, instant, ledger, read, registered, settings
from .deliveries import received, settled
from .landing_lake import facility

__all__ = ["blank", "ledger", "settings"]
pytestmark = pytest.mark.stack


def test_the_month_of_a_delivery_is_the_one_before_the_time_in_its_name_on_bangkoks_calendar(
    ledger: Ledger,
) -> None:
    for hospcode, sent_at in (("99001", at(11, 1, 0)), ("99002", at(10, 31, 23)), ("99003", at(1, 31))):
        read(ledger, settled(ledger, sent_at, hospcode=hospcode, arrived_at=instant(11, 12, 2)), 5)
    found = delivery_months(ledger, "2020-01").select("hospcode", "month", "first_arrived_on").rows()
    day = date(2026, 11, 12)
    assert found == [("99001", "2026-10", day), ("99002", "2026-09", day), ("99003", "2025-12", day)]


def test_a_zip_whose_name_says_no_time_counts_by_its_arrival_and_for_its_sender(ledger: Ledger) -> None:
    arrived = instant(12, 1, 3)  # in UTC still November
    place = ledger.arrivals(1)[0]
    named = replace(received(ledger, arrived_at=arrived), arrival=place, receipt=receipt_number(place))
    ledger.receive([replace(named, hospcode=None, sender="99002", name_time=None, sent_at=None)])
    ledger.settle([Judged(named.receipt, "zip.name")])
    (row,) = delivery_months(ledger, "2020-01").rows(named=True)
    assert (row["hospcode"], row["month"], row["rejected"], row["loaded"]) == ("99002", "2026-11", 1, 0)


def test_lines_of_a_month_are_summed_and_its_volume_is_that_of_the_largest_zip(ledger: Ledger) -> None:
    for accepted, refused in ((90, 10), (60, 0)):
        read(ledger, settled(ledger, at(11, 3)), accepted, refused)
    (row,) = file_months(ledger, "2020-01").rows(named=True)
    assert (row["delivered"], row["accepted"], row["refused"], row["rows"]) == (160, 150, 10, 90)


def test_months_before_the_first_that_is_asked_for_are_left_out(ledger: Ledger) -> None:
    for month in (9, 10):
        read(ledger, settled(ledger, at(month, 3)), 7)
    assert file_months(ledger, "2026-09")["month"].to_list() == ["2026-09"]
    assert delivery_months(ledger, "2026-09")["month"].to_list() == ["2026-09"]


def test_withdrawn_unread_and_rejected_deliveries_give_no_lines(ledger: Ledger) -> None:
    wrong = settled(ledger, at(11, 2))
    read(ledger, wrong, 50)
    ledger.withdraw(wrong.receipt, "test")
    settled(ledger, at(11, 4))
    assert file_months(ledger, "2020-01").is_empty()
    (row,) = delivery_months(ledger, "2020-01").rows(named=True)
    assert (row["loaded"], row["withdrawn"], row["first_arrived_on"]) == (0, 1, None)


def test_the_ledger_becomes_scorecards_and_volumes(ledger: Ledger) -> None:
    registered(ledger, NOW - 5 * LONG)
    for month, accepted in ((6, 900), (7, 60), (8, 61), (9, 59), (10, 60), (11, 20)):
        delivery = settled(ledger, at(month, 3), arrived_at=instant(month, 3 if month < 11 else 13))
        read(ledger, delivery, accepted, refused=month - 6)
    settled(ledger, content=str(delivery.content), sent_at=at(11, 5), arrived_at=instant(11, 14))
    made = {
        name: pl.DataFrame(rows)
        for name, rows in built(marts(), ledger_views(ledger, ledger.facilities())).items()
    }
    (newest,) = made["facility_file_volume"].filter(pl.col("month") == "2026-10").rows(named=True)
    assert (newest["rows"], newest["rows_expected"], newest["history_months"]) == (20, 60.0, 4)
    assert newest["is_jump"] and newest["province_code"] == "50"
    (card,) = made["facility_scorecard"].filter(pl.col("month") == "2026-10").rows(named=True)
    assert (card["deliveries"], card["deliveries_duplicate"], card["days_late"], card["is_timely"]) == (
        1,
        1,
        3,
        False,
    )
    assert (card["rows_delivered"], card["refusal_rate"], card["volume_ratio"]) == (25, 0.2, 0.3333)
    assert (card["completeness"], card["files_jumped"]) == (1.0, 1)


def test_an_empty_ledger_gives_empty_tables(ledger: Ledger) -> None:
    made = built(marts(), ledger_views(ledger, ()))
    assert {name: rows.num_rows for name, rows in made.items()} == {
        "facility_file_volume": 0,
        "facility_scorecard": 0,
    }


def test_what_the_ledger_is_asked_does_not_grow_with_the_facilities(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    copied = months._copied

    def _counted(*given: Any, **more: Any) -> pl.DataFrame:
        asked.append(str(given[1])[:20])
        return copied(*given, **more)

    monkeypatch.setattr(months, "_copied", _counted)
    ledger.load_facilities([facility(f"99{number:03}") for number in range(40)])
    for number in range(8):
        read(ledger, settled(ledger, hospcode=f"99{number:03}"), 5)
    ledger_views(ledger, ledger.facilities())
    assert len(asked) == 3
