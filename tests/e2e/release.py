"""An invented release in the serving schema: every province, two years, some cells hidden."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import create_engine, text

from khlang.lake.stores import ledger_url
from khlang.model.codes import code_list
from khlang.model.indicator import Indicator, indicators
from khlang.settings import Settings

AS_OF = datetime(2026, 11, 22, 2, 41, tzinfo=UTC)
AREA_COLUMNS = ("level", "area", "area_th", "area_en", "iso")
HIDDEN_PROVINCES = ("24", "95")
"""Provinces whose cells are all hidden."""


def publish_invented(settings: Settings) -> int:
    """Fill the serving tables; returns the number of rows."""
    rows = list(_rows())
    columns = ", ".join(rows[0])
    values = ", ".join(f":{name}" for name in rows[0])
    engine = create_engine(ledger_url(settings))
    with engine.begin() as connection:
        for statement in DDL:
            connection.execute(text(statement))
        connection.execute(
            text(f"INSERT INTO serving.indicator_published ({columns}) VALUES ({values})"), rows
        )
    engine.dispose()
    return len(rows)


DDL = (
    "CREATE SCHEMA IF NOT EXISTS serving",
    "DROP TABLE IF EXISTS serving.indicator_published",
    "CREATE TABLE serving.indicator_published (release_id int, indicator text, name_th text, name_en text, "
    "level text, area text, area_th text, area_en text, iso text, fiscal_year int, month text, "
    "numerator bigint, denominator bigint, value double precision, hidden bool, facilities_heard int, "
    "facilities_expected int, as_of timestamptz, definition_version text)",
    "GRANT USAGE ON SCHEMA serving TO planner",
    "GRANT SELECT ON ALL TABLES IN SCHEMA serving TO planner",
)


def _areas() -> Iterator[tuple[str, str, str, str, str | None]]:
    yield "country", "TH", "ประเทศไทย", "Thailand", None
    for region in range(1, 14):
        yield "region", str(region), f"เขตสุขภาพที่ {region}", f"Health region {region}", None
    for row in code_list("provinces"):
        yield "province", row["code"], row["name_th"], row["name_en"], f"TH-{row['code']}"


def _rows() -> Iterator[dict[str, Any]]:
    draw = random.Random(20)
    for indicator in indicators().values():
        months = [f"2026-{month:02d}" for month in range(6, 10)] if indicator.period == "month" else [""]
        for fiscal_year in (2568, 2569):
            for area in _areas():
                for month in months:
                    yield _row(
                        draw, indicator, fiscal_year, month, dict(zip(AREA_COLUMNS, area, strict=True))
                    )


def _row(
    draw: random.Random, indicator: Indicator, fiscal_year: int, month: str, area: dict[str, Any]
) -> dict[str, Any]:
    hidden = area["area"] in HIDDEN_PROVINCES and area["level"] == "province"
    size = {"country": 400, "region": 40, "province": 6}[area["level"]]
    denominator = 5 * draw.randint(20 * size, 60 * size)
    numerator = 5 * round(denominator * draw.uniform(0.3, 0.9) / 5)
    if indicator.period == "month":
        numerator, denominator = 5 * draw.randint(2 * size, 9 * size), None
    cell = {"numerator": numerator, "denominator": denominator}
    value = numerator / denominator if denominator else None
    if hidden:
        cell, value = {"numerator": None, "denominator": None}, None
    return {
        "release_id": 1, "indicator": indicator.id, "name_th": indicator.name_th, "name_en": indicator.name_en,
        **area, "fiscal_year": fiscal_year, "month": month, **cell, "value": value, "hidden": hidden,
        "facilities_heard": size * 7, "facilities_expected": size * 8, "as_of": AS_OF, "definition_version": "1",
    }  # fmt: skip
