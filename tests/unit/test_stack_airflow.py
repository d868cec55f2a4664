"""Airflow of the stack: the declared pools stand in its own table before a scheduler can look for them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest
from psycopg import Connection

from khlang.lake.secrets import Secrets
from khlang.lake.session import environments
from khlang.settings import Settings
from khlang.stack import airflow, superset
from khlang.stack.roles import administrator
from lakes import Lake

TABLE = """
from airflow.models.pool import Pool
from sqlalchemy.dialects.postgresql import dialect
from sqlalchemy.schema import CreateTable
print(CreateTable(Pool.__table__).compile(dialect=dialect()))
"""
"""Airflow's own model of its table, as the statement that makes it."""


@pytest.fixture
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An installation with secrets, where nothing runs."""
    made = Settings(home=tmp_path_factory.mktemp("home"), base_port=21500)
    Secrets.create(made)
    return made


@pytest.fixture
def tables(stores: Lake) -> Iterator[Connection]:
    """Airflow's database with the table of pools and nothing else."""
    python = environments() / "airflow" / "bin" / "python"
    asked = subprocess.run([str(python), "-c", TABLE], capture_output=True, text=True, check=True)
    with administrator(stores.settings, "airflow") as connection:
        connection.execute("create table team (name varchar(50) primary key)")
        connection.execute(asked.stdout[asked.stdout.index("CREATE TABLE") :].encode())
        yield connection
        connection.execute("drop table slot_pool, team")


@pytest.mark.stack
def test_the_declared_pools_are_made_and_get_their_size_back(stores: Lake, tables: Connection) -> None:
    declared = json.loads(airflow.POOLS.read_text())
    asked = "select pool, slots, description, include_deferred from slot_pool"
    for _ in range(2):
        airflow.set_pools(stores.settings)
        found = {name: tuple(rest) for name, *rest in tables.execute(asked).fetchall()}
        assert found == {name: tuple(pool.values()) for name, pool in declared.items()}
        tables.execute("update slot_pool set slots = 7")


def test_pools_are_made_after_the_migration_and_before_any_unit_starts(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    done: list[str] = []
    monkeypatch.setattr(airflow, "_migrate", lambda settings: done.append("migrate"))
    monkeypatch.setattr(airflow, "set_pools", lambda settings: done.append("pools"))
    for unit in airflow.services(settings):
        unit.prepare()
    assert done == ["migrate", "pools"]


def test_the_dashboards_put_no_socket_outside_the_home(settings: Settings) -> None:
    assert "--no-control-socket" in superset.service(settings).command
