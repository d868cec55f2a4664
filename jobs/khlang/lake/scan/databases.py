"""PostgreSQL, every database and table, dumped as text: COPY ... TO STDOUT."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from khlang.lake.scan.report import Report, Source
from khlang.lake.secrets import Secrets
from khlang.settings import Settings

if TYPE_CHECKING:
    import psycopg

DATABASES = "SELECT datname FROM pg_database WHERE datallowconn ORDER BY datname"
TABLES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
AND (has_table_privilege(c.oid, 'SELECT') OR n.nspname NOT IN ('pg_catalog', 'information_schema'))
ORDER BY 1, 2
"""
"""Tables and materialised views, the server's own too (pg_statistic holds values of columns) where the role may."""


def scan_databases(report: Report, settings: Settings) -> None:
    """Search every table of every database that the superuser of the embedded server may open.

    A server of one's own (KHLANG_DATABASE_URL) is searched in that database, with that role's rights.
    """
    with _connect(settings, None) as first:
        every = [name for (name,) in first.execute(DATABASES)]
        names = [first.info.dbname] if settings.database_url else every
    for name in names:
        with _connect(settings, name) as connection:
            for schema, table in connection.execute(TABLES).fetchall():
                _scan(report, connection, name, schema, table)


def _scan(
    report: Report, connection: psycopg.Connection[Any], database: str, schema: str, table: str
) -> None:
    import psycopg
    from psycopg import sql

    where = f"database {database}, table {schema}.{table}"
    report.name(f"database {database}", f"{schema}.{table}")
    statement = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT").format(sql.Identifier(schema, table))
    try:
        with connection.cursor() as cursor, cursor.copy(statement) as rows:
            report.take(Source(where, _pieces(iter(rows))))
    except psycopg.errors.UndefinedTable:
        return
    except psycopg.Error as error:
        report.could_not_read(where, error)


def _pieces(rows: Any) -> Iterator[bytes]:
    """Rows, many at a time."""
    return iter(lambda: b"".join(map(bytes, islice(rows, 1000))), b"")


def _connect(settings: Settings, name: str | None) -> psycopg.Connection[Any]:
    import psycopg
    from psycopg.conninfo import make_conninfo

    if settings.database_url:
        address = settings.database_url.replace("postgresql+psycopg://", "postgresql://", 1)
        return psycopg.connect(address, autocommit=True)
    password = Secrets.open(settings).postgres_password
    address = make_conninfo(
        host="127.0.0.1", port=settings.port("database"), user="postgres", dbname=name or "postgres"
    )
    return psycopg.connect(address, password=password, autocommit=True, client_encoding="UTF8")
