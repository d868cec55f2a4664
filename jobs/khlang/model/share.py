"""Declared shares: what a named party may read, table by table and column by column."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from khlang.errors import CatalogError

TYPES = frozenset({"text", "integer", "bigint", "double", "boolean", "instant"})


@dataclass(frozen=True, slots=True)
class SharedColumn:
    """One column that leaves: name, type, labels. What is not listed stays."""

    name: str
    type: str
    en: str
    th: str


@dataclass(frozen=True, slots=True)
class SharedTable:
    """One table of a share, made from one published table of gold; `counts` are columns that count people."""

    name: str
    source: str
    counts: tuple[str, ...]
    columns: tuple[SharedColumn, ...]


@dataclass(frozen=True, slots=True)
class Share:
    """What one party may read: the database role, and its tables."""

    name: str
    title_en: str
    title_th: str
    role: str
    tables: tuple[SharedTable, ...]


def _table(raw: dict[str, Any], where: str) -> SharedTable:
    """A declared table -> SharedTable; unknown types and uncounted counts are refused."""
    columns = tuple(SharedColumn(**row) for row in raw["columns"])
    names = {column.name for column in columns}
    if any(column.type not in TYPES for column in columns) or not set(raw["counts"]) <= names:
        raise CatalogError("share.column", f"table {raw['name']} has a column of no known type", place=where)
    if not raw["source"].endswith("_published"):
        raise CatalogError("share.source", "only published tables of gold may be shared", place=where)
    return SharedTable(raw["name"], raw["source"], tuple(raw["counts"]), columns)


def parse(text: str, where: str) -> Share:
    """TOML text -> Share."""
    raw = tomllib.loads(text)
    tables = tuple(_table(row, where) for row in raw["table"])
    return Share(raw["name"], raw["title_en"], raw["title_th"], raw["role"], tables)


@cache
def shares() -> dict[str, Share]:
    """Name -> Share for every file of catalog/shares."""
    folder = files("khlang.catalog") / "shares"
    found = [parse(p.read_text("utf-8"), p.name) for p in folder.iterdir() if p.name.endswith(".toml")]
    return {share.name: share for share in sorted(found, key=lambda share: share.name)}
