"""A ledger that nobody has written to, and short ways to fill it with deliveries of a month."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from khlang.conform.member import MemberResult
from khlang.lake.ledger import Delivery, Ledger
from khlang.model.bangkok import BANGKOK
from khlang.settings import Settings
from lakes import Lake

from .landing_lake import database, dropped, facility, filled

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
LONG = timedelta(days=46)


@pytest.fixture(scope="module")
def blank(stores: Lake) -> Iterator[str]:
    """Name of a migrated database without a facility."""
    mark = f"a{secrets.token_hex(4)}"
    settings = filled(database(stores.settings, mark))
    with Ledger.open(settings) as ledger, ledger.engine.begin() as connection:
        connection.execute(text("DELETE FROM facility"))
    yield f"khlang_{mark}"
    dropped(settings)


@pytest.fixture
def settings(stores: Lake, blank: str) -> Iterator[Settings]:
    """A lake whose ledger is empty."""
    own = database(stores.settings, f"t{secrets.token_hex(4)}", blank)
    yield own
    dropped(own)


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    """Its ledger."""
    with Ledger.open(settings) as opened:
        yield opened


def registered(ledger: Ledger, since: datetime = NOW - 9 * LONG, **of: Any) -> None:
    """Facility 99001, in force since then."""
    ledger.load_facilities([replace(facility("99001"), **of)], since)


def read(ledger: Ledger, delivery: Delivery, accepted: int, refused: int = 0) -> None:
    """Bronze reads the delivery's only file."""
    batch = ledger.open_batch("bronze")
    assert batch is not None
    told = MemberResult(delivery.receipt, 1, (), accepted + refused, accepted, refused, 0, {})
    ledger.record_members(batch, [told])
    ledger.commit_batch(batch, {}, {"bronze.person": {"rows": accepted + refused}})


def at(month: int, day: int, hour: int = 9, year: int = 2026) -> datetime:
    """A wall clock time in Bangkok, as it stands in a zip's name."""
    return datetime(year, month, day, hour)


def instant(month: int, day: int, hour: int = 9) -> datetime:
    """The same as a moment."""
    return at(month, day, hour).replace(tzinfo=BANGKOK)
