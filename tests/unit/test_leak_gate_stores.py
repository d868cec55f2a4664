"""A release with a leak in it is stopped as a whole: planners go on reading the one before."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from khlang.errors import PrivacyError
from khlang.lake.ledger import Ledger
from khlang.model.share import shares
from khlang.settings import Settings
from khlang.shares import job

from .landing_lake import lake, ledger
from .planted import CID
from .test_leak_gate import GOOD

pytestmark = pytest.mark.stack
__all__ = ["lake", "ledger"]


def _published(**changed: Any) -> dict[str, list[dict[str, Any]]]:
    tables = [one for share in shares().values() for one in share.tables]
    counts = {name: 20 for one in tables for name in one.counts}
    made = {one.source: [counts | GOOD] for one in tables}
    made["gold.indicator_published"] = [counts | GOOD | changed]
    if "month" not in changed:
        made["gold.facility_month_published"][0].pop("indicator")
    return made


def _read(ledger: Ledger) -> list[tuple[Any, ...]]:
    with ledger.engine.connect() as connection:
        rows = connection.execute(
            text("SELECT release_id, indicator, numerator FROM serving.indicator_published")
        )
        history = connection.execute(
            text("SELECT release_id, table_versions FROM serving.release ORDER BY 1")
        )
        return [*map(tuple, rows), *map(tuple, history)]


@pytest.fixture
def released(lake: Settings, ledger: Ledger) -> list[tuple[Any, ...]]:
    with ledger.engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA IF NOT EXISTS serving"))
        job._release(connection, _published(), {"gold.indicator": 1}, lake)
    return _read(ledger)


@pytest.mark.parametrize(
    "changed", [{"indicator": CID}, {"definition_version": CID}, {"numerator": int(CID)}]
)
def test_a_release_with_a_leak_leaves_the_earlier_one(
    lake: Settings, ledger: Ledger, released: list[tuple[Any, ...]], changed: dict[str, Any]
) -> None:
    assert released[0][1:] == ("ht_control", 20) and len(released) > 1
    with pytest.raises(PrivacyError, match=r"publish\.leak") as refused, ledger.engine.begin() as connection:
        job._release(connection, _published(**changed), {"gold.indicator": 2}, lake)
    assert CID not in str(refused.value) and next(iter(changed)) in refused.value.place
    assert _read(ledger) == released


def test_a_table_that_nobody_declared_stops_the_release(
    lake: Settings, ledger: Ledger, released: list[tuple[Any, ...]]
) -> None:
    with ledger.engine.begin() as connection:
        connection.execute(text("CREATE TABLE serving.copy_of_person (cid text)"))
    try:
        with pytest.raises(PrivacyError, match=r"publish\.leak"), ledger.engine.begin() as connection:
            job._release(connection, _published(), {"gold.indicator": 2}, lake)
    finally:
        with ledger.engine.begin() as connection:
            connection.execute(text("DROP TABLE serving.copy_of_person"))
    assert _read(ledger) == released
