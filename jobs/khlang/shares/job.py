"""Published gold -> the tables that planners read: one release, one transaction, all or nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, MetaData, Table, delete, insert, inspect, select, text

from khlang.lake import tables
from khlang.lake.evidence import digests, git_sha
from khlang.lake.ledger import Ledger
from khlang.lake.ledger.models import ReleaseRow
from khlang.lake.locks import writer
from khlang.model.share import Share, shares
from khlang.settings import Settings
from khlang.shares.gate import Cleared, cleared, only_declared
from khlang.shares.serving import SCHEMA, release_table, shared_rows, shared_tables

Published = Mapping[str, list[dict[str, Any]]]
RELEASE = ("as_of", "table_versions", "git_sha", "rows")
"""What serving.release tells beside the number and the time of a release."""


def run(settings: Settings) -> Mapping[str, Any] | None:
    """Publish the newest gold; None when there is no gold batch that was not published.

    A batch whose tables are those of the newest release (a job died after it) makes no second one.
    """
    with writer(settings, "publish") as held:
        ledger = Ledger.open(settings)
        batch = ledger.open_batch("publish", *digests())
        if batch is None:
            return None
        versions = ledger.visible()
        published = _read(settings, versions)
        held.check()
        with ledger.engine.begin() as connection:
            done = _released(connection, versions) or _release(connection, published, versions, settings)
        ledger.commit_batch(batch, {}, {})
        return {"batch": batch.id, **done}


def _read(settings: Settings, versions: Mapping[str, int]) -> Published:
    """Every published table that a share names, at its visible version."""
    sources = {one.source for share in shares().values() for one in share.tables}
    return {
        name: tables.frame(settings, name, versions[name]).collect().to_dicts() for name in sorted(sources)
    }


def _released(connection: Connection, versions: Mapping[str, int]) -> dict[str, Any] | None:
    """The newest release, when it is of the same gold tables."""
    newest = connection.execute(
        select(ReleaseRow.id, ReleaseRow.table_versions).order_by(ReleaseRow.id.desc())
    )
    row = newest.first()
    same = row is not None and _gold(row.table_versions) == _gold(versions)
    return {"release": row.id, "tables": {}} if row is not None and same else None


def _gold(versions: Mapping[str, int]) -> dict[str, int]:
    return {name: version for name, version in versions.items() if name.startswith("gold.")}


def _release(
    connection: Connection, published: Published, versions: Mapping[str, int], settings: Settings
) -> dict[str, Any]:
    """Replace what planners read and write the release down, in the caller's transaction."""
    now = datetime.now(UTC)
    as_of = max((row["as_of"] for rows in published.values() for row in rows), default=now)
    count = sum(len(published[one.source]) for share in shares().values() for one in share.tables)
    told = {"as_of": as_of, "table_versions": dict(versions), "git_sha": git_sha(), "rows": count}
    noted = insert(ReleaseRow).values(released_at=now, **told).returning(ReleaseRow.id)
    number = connection.execute(noted).scalar_one()
    loaded: dict[str, int] = {}
    metadata = MetaData()
    history = release_table(metadata)
    for share in shares().values():
        stored = shared_tables(share, metadata)
        for table in (history, *stored.values()):
            _ready(connection, table, share)
        for one in share.tables:
            rows = shared_rows(one, published[one.source], number, settings.suppress_below - 1)
            loaded[f"{SCHEMA}.{one.name}"] = _replace(connection, cleared(stored[one.name], rows))
    _append(connection, cleared(history, [(number, now, *(told[name] for name in RELEASE))]))
    seen = inspect(connection)
    standing = [*seen.get_table_names(schema=SCHEMA), *seen.get_view_names(schema=SCHEMA)]
    only_declared(SCHEMA, standing, {table.name for table in metadata.tables.values()})
    return {"release": number, "tables": loaded}


def _ready(connection: Connection, table: Table, share: Share) -> None:
    """The table exists with the declared columns, and the share's role may read it."""
    seen = inspect(connection)
    if seen.has_table(table.name, schema=SCHEMA):
        held = [column["name"] for column in seen.get_columns(table.name, schema=SCHEMA)]
        if held == [column.name for column in table.columns]:
            return
        table.drop(connection)
    table.create(connection)
    connection.execute(text(f'GRANT SELECT ON {SCHEMA}."{table.name}" TO "{share.role}"'))


def _replace(connection: Connection, passed: Cleared) -> int:
    """Old rows out, new rows in; readers see the old ones until the transaction ends."""
    connection.execute(delete(passed.table))
    return _append(connection, passed)


def _append(connection: Connection, passed: Cleared) -> int:
    """Rows into the planners' schema by COPY: the only statement that writes there."""
    table, rows = passed.table, passed.rows
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    driver: Any = connection.connection.driver_connection
    with (
        driver.cursor() as cursor,
        cursor.copy(f'COPY {SCHEMA}."{table.name}" ({columns}) FROM STDIN') as copy,
    ):
        for row in rows:
            copy.write_row([json.dumps(cell) if isinstance(cell, dict) else cell for cell in row])
    return len(rows)
