"""An empty lake of its own in the running stores and database: own buckets, own database, own keys."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from psycopg import sql

from khlang.lake import keys
from khlang.lake.ledger import Ledger, migrate
from khlang.lake.stores import ledger_url
from khlang.model.facility import Facility
from khlang.settings import Settings, load
from khlang.stack.roles import administrator
from khlang.stack.seaweed import create_buckets
from lakes import Lake


def facility(hospcode: str, name: str = "รพ.สต.ตัวอย่าง") -> Facility:
    """An invented facility."""
    return Facility(hospcode, "", name, "P1", "18", "50", 1, "01", "01")


def database(stack: Settings, mark: str, like: str = "template0") -> Settings:
    """A ledger of its own; `like` names the database it begins as a copy of."""
    names = [sql.Identifier(f"khlang_{mark}"), sql.Identifier(like)]
    with administrator(stack) as connection:
        connection.execute(sql.SQL("create database {} owner khlang template {}").format(*names))
    return stack.model_copy(update={"database_url": f"{ledger_url(stack).rpartition('/')[0]}/khlang_{mark}"})


def dropped(settings: Settings) -> None:
    """End a database of its own: a scan of the server would read those of every module before it."""
    name = sql.Identifier(settings.database_url.rpartition("/")[2])
    with administrator(settings) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(name))


def filled(settings: Settings) -> Settings:
    """The ledger's tables, and three facilities."""
    migrate(settings)
    with Ledger.open(settings) as ledger:
        ledger.load_facilities([facility(code) for code in ("99001", "99002", "99003")])
    return settings


def empty_lake(stack: Settings, mark: str) -> Settings:
    """Buckets, keys and ledger that no other lake of the stack shares."""
    own = {
        "bucket_prefix": f"{mark}-",
        "key_store": f"file:keys/{mark}.json",
        "landing_lock_days": 1,
        "lock_wait_seconds": 20,
    }
    settings = filled(database(stack, mark).model_copy(update=own))
    create_buckets(settings, "landing")
    keys.create(settings)
    return settings


@contextmanager
def environment(settings: Settings) -> Iterator[None]:
    """The lake's settings as those of this process: the jobs' workers read them there."""
    own = {f"KHLANG_{name.upper()}": str(value) for name, value in settings.model_dump().items()}
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    load.cache_clear()
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        load.cache_clear()


@pytest.fixture(scope="module")
def lake(stores: Lake) -> Iterator[Settings]:
    """An empty lake for the tests of one module."""
    settings = empty_lake(stores.settings, f"t{secrets.token_hex(4)}")
    yield settings
    dropped(settings)


@pytest.fixture
def ledger(lake: Settings) -> Iterator[Ledger]:
    """Its ledger."""
    with Ledger.open(lake) as opened:
        yield opened


@pytest.fixture(name="ledger")
def unwritten(stores: Lake) -> Iterator[Ledger]:
    """A ledger that nobody has written to."""
    settings = filled(database(stores.settings, f"w{secrets.token_hex(4)}"))
    with Ledger.open(settings) as opened:
        yield opened
    dropped(settings)
