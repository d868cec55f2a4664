"""What each facility sent for each month, summed by the database: the scorecard's only look at the ledger."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl
from psycopg import sql
from sqlalchemy import func, select

from khlang.lake.ledger import Ledger
from khlang.lake.ledger.models import DeliveryRow
from khlang.lake.ledger.withheld import LOADED
from khlang.model.bangkok import BANGKOK

FACILITIES = {
    "hospcode": pl.String, "registered_date": pl.Date, "opened_date": pl.Date, "closed_date": pl.Date,
}  # fmt: skip
DELIVERIES = {
    "hospcode": pl.String, "month": pl.String, "loaded": pl.Int64, "rejected": pl.Int64, "duplicate": pl.Int64,
    "withdrawn": pl.Int64, "first_arrived_on": pl.Date,
}  # fmt: skip
FILES = {
    "hospcode": pl.String, "month": pl.String, "file": pl.String, "delivered": pl.Int64, "accepted": pl.Int64,
    "refused": pl.Int64, "repaired": pl.Int64, "rows": pl.Int64,
}  # fmt: skip

_FACILITIES = """
SELECT hospcode, (min(valid_from) AT TIME ZONE 'Asia/Bangkok')::date,
       max(opened) FILTER (WHERE valid_to IS NULL), max(closed) FILTER (WHERE valid_to IS NULL)
FROM facility GROUP BY hospcode ORDER BY hospcode"""
# The month before the time in the zip's name; a zip without one: before its arrival.
_TOLD = """
SELECT receipt, coalesce(hospcode, sender) AS hospcode, state, arrived_at AT TIME ZONE 'Asia/Bangkok' AS arrived,
       to_char(date_trunc('month', coalesce(sent_at, name_time, arrived_at AT TIME ZONE 'Asia/Bangkok'))
               - interval '1 month', 'YYYY-MM') AS month
FROM delivery WHERE coalesce(hospcode, sender) IS NOT NULL"""
_DELIVERIES = """
SELECT hospcode, month, count(*) FILTER (WHERE state = ANY({loaded})),
       count(*) FILTER (WHERE state = 'rejected'), count(*) FILTER (WHERE state = 'duplicate'),
       count(*) FILTER (WHERE state = 'withdrawn'),
       (min(arrived) FILTER (WHERE state = ANY({loaded})))::date
FROM ({told}) AS told WHERE month >= {since} AND state NOT IN ('received', 'checked')
GROUP BY hospcode, month ORDER BY hospcode, month"""
# `rows` are those of the month's largest zip: a zip that is sent again, corrected, holds the same month twice.
_FILES = """
SELECT hospcode, month, file, sum(delivered)::bigint, sum(accepted)::bigint, sum(refused)::bigint,
       sum(repaired)::bigint, max(accepted)::bigint
FROM (SELECT told.hospcode, told.month, told.receipt, member.file, sum(member.delivered) AS delivered,
             sum(member.accepted) AS accepted, sum(member.refused) AS refused, sum(member.repaired) AS repaired
      FROM ({told}) AS told JOIN member ON member.receipt = told.receipt
      WHERE told.month >= {since} AND told.state = ANY({loaded}) AND member.file IS NOT NULL
      GROUP BY told.hospcode, told.month, told.receipt, member.file) AS sent
GROUP BY hospcode, month, file ORDER BY hospcode, month, file"""


def known_facilities(ledger: Ledger) -> pl.DataFrame:
    """Every facility of the registry: when it was first registered, its first and last day of service."""
    return _copied(ledger, _FACILITIES, FACILITIES)


def delivery_months(ledger: Ledger, since: str) -> pl.DataFrame:
    """(facility, month) -> deliveries by what became of them, day of the first that was loaded."""
    return _copied(ledger, _DELIVERIES, DELIVERIES, since=since, loaded=list(LOADED))


def file_months(ledger: Ledger, since: str) -> pl.DataFrame:
    """(facility, month, file) -> lines of loaded deliveries; withdrawn ones do not count."""
    return _copied(ledger, _FILES, FILES, since=since, loaded=list(LOADED))


def last_arrival(ledger: Ledger) -> date | None:
    """Day (Bangkok) on which the newest delivery came; None for an empty ledger."""
    with ledger.engine.connect() as connection:
        newest = connection.execute(select(func.max(DeliveryRow.arrived_at))).scalar()
    return newest.astimezone(BANGKOK).date() if newest else None


def _copied(ledger: Ledger, query: str, columns: Mapping[str, Any], **values: object) -> pl.DataFrame:
    """A select's rows by COPY: a tenth of what fetching millions of rows one by one costs."""
    literals = {name: sql.Literal(value) for name, value in values.items()}
    asked = sql.SQL(f"COPY ({query}) TO STDOUT (FORMAT csv)").format(told=sql.SQL(_TOLD), **literals)
    with ledger.engine.connect() as connection:
        opened: Any = connection.connection.cursor()  # psycopg's own: COPY is not in the common interface
        with opened as cursor, cursor.copy(asked) as out:
            text = b"".join(out)
    if not text:
        return pl.DataFrame(schema=dict(columns))
    return pl.read_csv(io.BytesIO(text), has_header=False, schema=dict(columns))
