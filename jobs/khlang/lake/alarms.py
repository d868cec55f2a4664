"""Ledger and gold -> alarms: facilities that went silent, files whose volume jumped; raised and cleared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
from sqlalchemy import func, select

from khlang.lake import tables
from khlang.lake.ledger import Cause, Ledger
from khlang.lake.ledger.models import ACCEPTED, DeliveryRow, FacilityRow
from khlang.model.bangkok import BANGKOK
from khlang.model.scorecard import scorecard
from khlang.settings import Settings

SILENT, JUMPED = "silent.facility", "jumped.volume"
KINDS = (SILENT, JUMPED)
VOLUMES = "gold.facility_file_volume"
BANDS = (
    (0.25, "less than a quarter of the usual rows", "น้อยกว่าหนึ่งในสี่ของปกติ"),
    (0.5, "a quarter to a half of the usual rows", "หนึ่งในสี่ถึงครึ่งหนึ่งของปกติ"),
    (1.0, "more than half of the usual rows, yet too few", "มากกว่าครึ่งของปกติ แต่ยังน้อยผิดปกติ"),
    (2.0, "less than twice the usual rows, yet too many", "ไม่ถึงสองเท่าของปกติ แต่ยังมากผิดปกติ"),
    (4.0, "two to four times the usual rows", "สองถึงสี่เท่าของปกติ"),
    (float("inf"), "more than four times the usual rows", "มากกว่าสี่เท่าของปกติ"),
)
"""Ratio to the expected rows, up to which: the words. A text tells a band, never a count: it may be a small one."""


def run(
    settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Mapping[str, Any] | None:
    """Raise and clear alarms; None when there is none that nobody was told of."""
    now = clock()
    with Ledger.open(settings) as ledger:
        causes = [*silent(ledger, now), *jumped(settings, ledger, now)]
        done = ledger.settle_alarms(causes, now)
        if not ledger.untold_alarms():
            return None
        return {"raised": done.raised, "cleared": done.cleared, "open": done.open}


def silent(ledger: Ledger, now: datetime) -> Iterator[Cause]:
    """Open facilities of which nothing was accepted for the declared days.

    One that was never heard is silent so many days after it opened or, when that was later, was registered.
    """
    since, today = now - timedelta(days=scorecard().silent_days), now.astimezone(BANGKOK).date()
    last, known = _last_accepted(ledger), _registered(ledger)
    for facility in ledger.facilities():
        if not facility.open_between(today, today):
            continue
        heard = last.get(facility.hospcode)
        if heard is None and _began(known[facility.hospcode], facility.opened) <= since:
            words = "never sent anything that was accepted · ยังไม่เคยส่งข้อมูลที่รับได้"
            yield Cause(SILENT, facility.hospcode, words)
        elif heard is not None and heard <= since:
            day = heard.astimezone(BANGKOK).date()
            words = f"nothing was accepted since {day} · ไม่มีข้อมูลที่รับได้ตั้งแต่ {day}"
            yield Cause(SILENT, facility.hospcode, words)


def _began(registered: datetime, opened: date | None) -> datetime:
    """From when on deliveries are expected of a facility."""
    if opened is None:
        return registered
    return max(registered, datetime.combine(opened, datetime.min.time(), BANGKOK))


def _last_accepted(ledger: Ledger) -> dict[str, datetime]:
    """Facility -> arrival of its newest accepted delivery; withdrawn ones do not count."""
    asked = (
        select(DeliveryRow.hospcode, func.max(DeliveryRow.arrived_at))
        .where(DeliveryRow.state.in_(ACCEPTED), DeliveryRow.hospcode.is_not(None))
        .group_by(DeliveryRow.hospcode)
    )
    with ledger.engine.connect() as connection:
        return {str(row[0]): row[1] for row in connection.execute(asked)}


def _registered(ledger: Ledger) -> dict[str, datetime]:
    """Facility -> since when the registry knows it."""
    asked = select(FacilityRow.hospcode, func.min(FacilityRow.valid_from)).group_by(FacilityRow.hospcode)
    with ledger.engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(asked)}


def jumped(settings: Settings, ledger: Ledger, now: datetime) -> Iterator[Cause]:
    """Files whose volume jumps in the newest month of an open facility, as gold has it."""
    version = ledger.visible().get(VOLUMES)
    if version is None:
        return
    today = now.astimezone(BANGKOK).date()
    serving = {one.hospcode for one in ledger.facilities() if one.open_between(today, today)}
    rows = tables.frame(settings, VOLUMES, version).select(
        "hospcode", "file", "month", "is_jump", (pl.col("rows") / pl.col("rows_expected")).alias("ratio")
    )
    newest = (
        rows.filter(pl.col("month") == pl.col("month").max().over("hospcode")).filter("is_jump").collect()
    )
    for hospcode, file, month, _, ratio in newest.sort("hospcode", "file").iter_rows():
        if hospcode in serving:
            yield jump(hospcode, file, month, ratio)


def jump(hospcode: str, file: str, month: str, ratio: float) -> Cause:
    """The alarm of one file: its direction and a band of the ratio."""
    english, thai = next((en, th) for most, en, th in BANDS if ratio < most or most == float("inf"))
    what = f"{file} of {month}: {english} · แฟ้ม {file} เดือน {month}: {thai}"
    return Cause(JUMPED, hospcode, what, file, month, "fewer" if ratio < 1 else "more")
