"""Databases and roles: each service owns its own; planners may read schema serving and nothing else."""

from __future__ import annotations

import psycopg
from psycopg import sql

from khlang.lake.secrets import Secrets
from khlang.settings import Settings

OWNERS = {
    "khlang": "database_password",
    "airflow": "airflow_db_password",
    "superset": "superset_db_password",
}
"""Database (and its owner's role) -> the name of its secret."""


def administrator(settings: Settings, database: str = "postgres") -> psycopg.Connection:
    """A connection of the superuser, each statement its own transaction."""
    return psycopg.connect(
        host="127.0.0.1",
        port=settings.port("database"),
        user="postgres",
        password=Secrets.open(settings).postgres_password,
        dbname=database,
        autocommit=True,
        connect_timeout=5,
    )


def create_databases(settings: Settings) -> None:
    """Make roles and databases where missing; passwords always follow the secrets file."""
    secrets = Secrets.open(settings)
    with administrator(settings) as connection:
        for name, secret in OWNERS.items():
            _role(connection, name, getattr(secrets, secret))
            _database(connection, name)
        _role(connection, "planner", secrets.planner_db_password)
        connection.execute("grant connect on database khlang to planner")
        connection.execute("alter role planner set search_path = serving")
        connection.execute("alter role planner set default_transaction_read_only = on")
    with administrator(settings, "khlang") as connection:
        connection.execute("create schema if not exists serving authorization khlang")
        connection.execute("revoke all on schema public from public")
        connection.execute("grant all on schema public to khlang")
        connection.execute("grant usage on schema serving to planner")
        connection.execute("grant select on all tables in schema serving to planner")
        connection.execute(
            "alter default privileges for role khlang in schema serving grant select on tables to planner"
        )


def _role(connection: psycopg.Connection, name: str, password: str) -> None:
    found = connection.execute("select 1 from pg_roles where rolname = %s", [name]).fetchone()
    verb = sql.SQL("alter" if found else "create")
    connection.execute(
        sql.SQL("{} role {} login password {}").format(verb, sql.Identifier(name), sql.Literal(password))
    )


def _database(connection: psycopg.Connection, name: str) -> None:
    found = connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone()
    if not found:
        connection.execute(
            sql.SQL("create database {} owner {} template template0 encoding 'UTF8'").format(
                sql.Identifier(name), sql.Identifier(name)
            )
        )
    connection.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(name)))
