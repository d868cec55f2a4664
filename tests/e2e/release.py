"""An invented release in the serving schema, through the share's own code: every province, some cells hidden."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import MetaData, create_engine

from khlang.lake.stores import ledger_url
from khlang.model.codes import code_list
from khlang.model.indicator import Indicator, indicators
from khlang.model.share import shares
from khlang.settings import Settings
from khlang.shares.serving import shared_rows, shared_tables

AS_OF = datetime(2026, 11, 22, 2, 41, tzinfo=UTC)
HIDDEN_PROVINCES = ("24", "95")
"""Provinces whose cells are all hidden."""
MONTHS = ((2568, "2025-08"), (2568, "2025-09"), (2569, "2025-10"), (2569, "2025-11"), (2569, "2025-12"))
Row = dict[str, Any]


def publish_invented(settings: Settings) -> int:
    """Fill the serving tables; returns the number of rows."""
    made = {"indicator_published": list(_indicators()), "facility_month": list(_months())}
    engine = create_engine(ledger_url(settings))
    with engine.begin() as connection:
        for share in shares().values():
            metadata = MetaData()
            stored = shared_tables(share, metadata)
            metadata.drop_all(connection)
            metadata.create_all(connection)
            for one in share.tables:
                rows = shared_rows(one, made[one.name], 1, settings.suppress_below - 1)
                names = [column.name for column in one.columns]
                connection.execute(
                    stored[one.name].insert(), [dict(zip(names, row, strict=True)) for row in rows]
                )
    engine.dispose()
    return sum(map(len, made.values()))


def _areas() -> Iterator[tuple[str, str]]:
    yield "country", "TH"
    yield from (("region", str(region)) for region in range(1, 14))
    yield from (("province", row["code"]) for row in code_list("provinces"))


def _indicators() -> Iterator[Row]:
    draw = random.Random(20)
    for indicator in indicators().values():
        monthly = indicator.period == "month"
        times = MONTHS if monthly else ((2568, ""), (2569, ""))
        for fiscal_year, month in times:
            for level, area in _areas():
                told = {"level": level, "area": area, "fiscal_year": fiscal_year, "month": month}
                yield _coverage(level) | told | _cell(draw, indicator, level, area)


def _months() -> Iterator[Row]:
    draw = random.Random(21)
    counts = next(
        one.counts for share in shares().values() for one in share.tables if one.name == "facility_month"
    )
    for fiscal_year, month in MONTHS:
        for row in code_list("provinces"):
            hidden = row["code"] in HIDDEN_PROVINCES
            volumes = {name: None if hidden else 5 * draw.randint(20, 900) for name in counts}
            told = {"level": "province", "area": row["code"], "fiscal_year": fiscal_year, "month": month}
            yield _coverage("province") | told | volumes | {"hidden": hidden}


def _size(level: str) -> int:
    return {"country": 400, "region": 40, "province": 6}[level]


def _coverage(level: str) -> Row:
    expected = 8 * _size(level)
    return {"facilities_heard": expected * 7 // 8, "facilities_expected": expected, "as_of": AS_OF}


def _cell(draw: random.Random, indicator: Indicator, level: str, area: str) -> Row:
    """Counts rounded to 5; a month's count has no denominator; a hidden cell has neither."""
    size = _size(level)
    denominator = 5 * draw.randint(20 * size, 60 * size)
    numerator = 5 * round(denominator * draw.uniform(0.3, 0.9) / 5)
    cell: Row = {"numerator": numerator, "denominator": denominator, "value": numerator / denominator}
    if indicator.period == "month":
        cell = {"numerator": 5 * draw.randint(2 * size, 9 * size), "denominator": None, "value": None}
    hidden = level == "province" and area in HIDDEN_PROVINCES
    shown = dict.fromkeys(cell) if hidden else cell
    return shown | {"hidden": hidden, "indicator": indicator.id, "definition_version": "1"}
