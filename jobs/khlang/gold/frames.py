"""Sums of the ledger -> the marts that are made without a JVM: typed as declared, checked, ready to be stored."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import polars as pl
import pyarrow as pa

from khlang.gold import checks
from khlang.gold.months import read_from
from khlang.gold.views import facility_view
from khlang.lake.ledger import Ledger
from khlang.lake.months import (
    DELIVERIES,
    FACILITIES,
    FILES,
    delivery_months,
    file_months,
    known_facilities,
    last_arrival,
)
from khlang.lake.parquet import arrow
from khlang.model.facility import Facility
from khlang.model.mart import Mart, in_order

SPARK_TYPES = {
    "string": pa.string(), "int": pa.int32(), "bigint": pa.int64(), "date": pa.date32(),
    "timestamp_ntz": pa.timestamp("us"), "boolean": pa.bool_(), "double": pa.float64(),
}  # fmt: skip
LEDGER: dict[str, dict[str, Any]] = {
    "ledger_day": {"day": pl.Date}, "ledger_facility": FACILITIES, "ledger_delivery": DELIVERIES, "ledger_file": FILES,
}  # fmt: skip
"""Views of the ledger: the day up to which it is known, the registry, deliveries and files by month."""


def ledger_views(ledger: Ledger, facilities: Iterable[Facility]) -> dict[str, pl.DataFrame]:
    """What these marts read: a few selects, whatever the number of facilities."""
    day = last_arrival(ledger) or datetime.fromtimestamp(0, UTC).date()
    since = read_from(day)
    return {
        "facility": pl.DataFrame(facility_view(facilities)),
        "ledger_day": pl.DataFrame({"day": [day]}, schema=LEDGER["ledger_day"]),
        "ledger_facility": known_facilities(ledger),
        "ledger_delivery": delivery_months(ledger, since),
        "ledger_file": file_months(ledger, since),
    }


def built(declared: Mapping[str, Mart], views: Mapping[str, pl.DataFrame]) -> dict[str, pa.Table]:
    """Mart -> its rows, checked, of every mart that no select makes, each after those it reads."""
    known = dict(views)
    wanted = [name for name, mart in declared.items() if not mart.by_select]
    done = {}
    for mart in in_order(wanted, declared):
        done[mart.name] = made(mart, known)
        known[mart.name] = pl.DataFrame(done[mart.name])
        checks.judge(mart, checks.failures(mart, known[mart.name], known))
    return done


def made(mart: Mart, views: Mapping[str, pl.DataFrame]) -> pa.Table:
    """The mart's rows as its module makes them; other columns than the declared ones are refused."""
    frame = import_module(f"khlang.gold.made.{mart.name}").rows({view: views[view] for view in mart.reads})
    checks.columns_match(mart, [(name, kind) for name, kind in _kinds(mart, frame)])
    return arrow(frame).cast(pa.schema([(field.name, arrow_type(field.type)) for field in mart.fields]))


def _kinds(mart: Mart, frame: pl.DataFrame) -> Iterable[tuple[str, str]]:
    """(column, its declared type when the frame's fits it, else the frame's own)."""
    declared = {field.name: field.type for field in mart.fields}
    for name, kind in frame.schema.items():
        fits = name in declared and frame_type(declared[name]) == kind
        yield name, declared[name] if fits else str(kind)


def frame_type(kind: str) -> pl.DataType:
    """A Spark type as it is declared -> polars."""
    return pl.DataFrame(pa.table({"value": pa.array([], arrow_type(kind))})).schema["value"]


def arrow_type(kind: str) -> pa.DataType:
    """A Spark type as it is declared -> Arrow."""
    if found := re.fullmatch(r"decimal\((\d+),(\d+)\)", kind):
        return pa.decimal128(int(found[1]), int(found[2]))
    return SPARK_TYPES[kind]
