"""The ledger's database: its engine, and the migrations that bring it to the newest form."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, create_engine, text

from khlang.lake.stores import ledger_url
from khlang.settings import Settings

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).with_name("migrations")
_MIGRATING = 4_305_201  # advisory lock: two processes that start at once migrate one after the other


def engine(settings: Settings) -> Engine:
    """A small pool of connections; a connection that died is noticed before it is used."""
    return create_engine(
        ledger_url(settings),
        pool_size=4,
        max_overflow=4,
        pool_pre_ping=True,
        hide_parameters=True,  # no value in an error message
        connect_args={"application_name": "khlang", "options": "-c timezone=UTC"},
    )


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration: the migrations of this package, no file."""
    from alembic.config import Config  # 0.3 s of a core, which every worker that opens the ledger would spend

    settled = Config()
    settled.set_main_option("script_location", str(MIGRATIONS))
    settled.attributes["connection"] = connection
    return settled


def migrate(settings: Settings) -> None:
    """Bring the database to the newest form; a database that is there already is left alone."""
    from alembic import command

    made = engine(settings)
    try:
        with made.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
            command.upgrade(config(connection), "head")
    finally:
        made.dispose()
