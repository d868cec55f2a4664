"""Curated silver -> marts, exact indicators and what of them may be published, visible together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import SparkSession
from sqlalchemy import func, select

from khlang.gold import frames, plan
from khlang.gold.build import (
    LARGE_BYTES,
    Build,
    Built,
    application,
    build_marts,
    open_silver,
    open_views,
    size,
)
from khlang.gold.disclosure import Rule
from khlang.gold.published import Coverage, release
from khlang.gold.views import expected
from khlang.lake.evidence import digests, note
from khlang.lake.ledger import Ledger
from khlang.lake.ledger.models import DeliveryRow
from khlang.lake.locks import writer
from khlang.lake.session import spark
from khlang.model.facility import Facility
from khlang.model.indicator import indicators
from khlang.model.mart import in_order, marts, selects
from khlang.settings import Settings

EXACT = "indicator"
PUBLISHED = "indicator_published"
MONTHS = "facility_month_published"


def run(settings: Settings) -> Mapping[str, Any] | None:
    """Build gold from every silver batch that gold has not seen; None when there is none.

    Raises QualityError when a declared check fails: then nothing of the batch becomes visible.
    """
    with writer(settings, "gold") as held:
        ledger = Ledger.open(settings)
        batch = ledger.open_batch("gold", *digests())
        if batch is None:
            return None
        facilities = ledger.facilities()
        versions = ledger.visible()
        silver = open_silver(settings, versions, _views())
        session = spark(settings, f"khlang {batch.id}", large=size(silver) > LARGE_BYTES)
        build = Build(session, settings, application(batch.id, versions), note(batch.id), held)
        open_views(build, silver, _views(), facilities)
        built = build_marts(build, selects(), _blocks())
        cards = frames.built(marts(), frames.ledger_views(ledger, facilities))
        built |= {name: build.store_arrow(name, rows) for name, rows in cards.items()}
        built |= _indicators(build, settings, facilities, _as_of(ledger))
        left = {f"gold.{name}": one.version for name, one in built.items()}
        counts = {f"gold.{name}": {"rows": one.rows} for name, one in built.items()}
        held.check()
        ledger.commit_batch(batch, left, counts)
        session.catalog.clearCache()
        return {"batch": batch.id, "tables": {name: one.rows for name, one in sorted(built.items())}}


def _blocks() -> list[str]:
    """Declared views that indicators read."""
    read = [view for one in indicators().values() for rule in one.definitions for view in rule.reads]
    return [name for name in (*read, "computed_year") if name in selects()]


def _views() -> list[str]:
    """Everything that marts and indicators read."""
    read = [view for one in indicators().values() for rule in one.definitions for view in rule.reads]
    chosen = in_order([*selects(), *_blocks()], selects())
    return [*read, *(view for mart in chosen for view in mart.reads)]


def _indicators(
    build: Build, settings: Settings, facilities: tuple[Facility, ...], as_of: datetime
) -> dict[str, Built]:
    """The exact table, and what may leave of it."""
    exact = build.spark.sql(plan.exact(indicators().values())).orderBy(*plan.KEY).toArrow()
    seen = Coverage(_heard(build.spark), expected(facilities), as_of)
    volumes = build.spark.sql(plan.VOLUME_SQL).toArrow().to_pylist()
    rule = Rule(settings.suppress_below - 1, settings.round_to)
    allowed = release(exact.to_pylist(), volumes, indicators(), seen, rule)
    stored = {EXACT: exact, PUBLISHED: allowed.indicators, MONTHS: allowed.months}
    return {name: build.store_arrow(name, rows) for name, rows in stored.items()}


def _heard(session: SparkSession) -> dict[tuple[str, str, int, str], int]:
    """(level, area, fiscal year, month) -> facilities with at least one event there and then."""
    rows = session.sql(plan.COVERAGE_SQL).toArrow().to_pylist()
    return {(r["level"], r["area"], r["fiscal_year"], r["month"]): r["facilities_heard"] for r in rows}


def _as_of(ledger: Ledger) -> datetime:
    """Arrival of the newest delivery that the numbers rest on; without any, the start of the era."""
    newest = select(func.max(DeliveryRow.arrived_at)).where(DeliveryRow.state == "current")
    with ledger.engine.connect() as connection:
        return connection.execute(newest).scalar() or datetime.fromtimestamp(0, UTC)
