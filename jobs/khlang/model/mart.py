"""Declared marts, building blocks and SQL functions of gold: one file each, in catalog/marts."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Any

from khlang.errors import CatalogError

SOURCE = re.compile(r"\b(?:from|join)\s+([a-z][a-z0-9_]*)", re.IGNORECASE)
NAMED = re.compile(r"(?:\bwith|,)\s*([a-z][a-z0-9_]*)\s+as\s*\(", re.IGNORECASE)
EXTERNAL = ("silver_", "code_", "ledger_")
"""Prefixes of views that gold opens and does not declare: tables of silver, code lists, sums of the ledger."""
FACILITY = "facility"


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a mart: name with its unit or kind, Spark type, labels."""

    name: str
    type: str
    en: str
    th: str


@dataclass(frozen=True, slots=True)
class Check:
    """What must hold of a mart after each build; exactly one kind is given.

    `unique` and `not_null` name columns; `rows_of` a view with as many rows; `column` has a range `low`-`high`.
    """

    unique: tuple[str, ...] = ()
    not_null: tuple[str, ...] = ()
    rows_of: str = ""
    column: str = ""
    low: float = 0
    high: float = 0

    @property
    def name(self) -> str:
        """How the check is called in messages, e.g. `unique hospcode, stay_key`."""
        if self.rows_of:
            return f"rows of {self.rows_of}"
        if self.column:
            return f"{self.column} in {self.low:g} to {self.high:g}"
        kind = "unique" if self.unique else "not null"
        return f"{kind} {', '.join(self.unique or self.not_null)}"


@dataclass(frozen=True, slots=True)
class Example:
    """Input rows by view, and the rows that must come out (only the columns named there are compared)."""

    title: str
    given: Mapping[str, list[dict[str, Any]]]
    expect: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Mart:
    """A select over silver and other marts; `stored` ones are tables of gold, others are building blocks.

    A mart without a select is made by the function `rows` of the module of its name in gold/made, from the views
    that it names.
    """

    name: str
    title_en: str
    title_th: str
    grain: str
    key: tuple[str, ...]
    stored: bool
    sql: str
    fields: tuple[Field, ...]
    checks: tuple[Check, ...] = ()
    examples: tuple[Example, ...] = ()
    named: tuple[str, ...] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        """Views that it is made from: those the select reads, in order of appearance, or those it names."""
        return sources(self.sql) or self.named

    @property
    def by_select(self) -> bool:
        """Whether Spark makes it; the others are small and made without a JVM."""
        return bool(self.sql)


@dataclass(frozen=True, slots=True)
class Function:
    """A named SQL expression, so that a rule is written once: `fiscal_year(day date) returns int`."""

    name: str
    parameters: str
    returns: str
    body: str
    en: str
    th: str
    examples: tuple[Mapping[str, Any], ...] = ()

    @property
    def ddl(self) -> str:
        """The statement that declares it to Spark."""
        head = f"create or replace temporary function {self.name}({self.parameters})"
        return f"{head} returns {self.returns} return {self.body}"


def sources(sql: str) -> tuple[str, ...]:
    """Views that a select reads: names after from and join, less the names it declares itself."""
    own = {name.lower() for name in NAMED.findall(sql)} | {"lateral", "unnest", "values"}
    found = (name.lower() for name in SOURCE.findall(sql))
    return tuple(dict.fromkeys(name for name in found if name not in own))


def example(raw: Mapping[str, Any]) -> Example:
    """An [[example]] of a declared file: title, given.<view> = rows, expect = rows."""
    return Example(raw["title"], dict(raw["given"]), list(raw["expect"]))


def _check(raw: Mapping[str, Any], where: str) -> Check:
    """A declared check -> Check; unknown attributes and empty checks are refused."""
    known = {item.name for item in fields(Check)}
    if not raw or not set(raw) <= known:
        raise CatalogError("mart.check", f"a check with attributes {sorted(raw)} is not known", place=where)
    given: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in raw.items()}
    return Check(**given)


def parse(text: str, where: str) -> Mart:
    """TOML text -> Mart; the key and every checked column must be declared columns."""
    raw = tomllib.loads(text)
    mart = Mart(
        name=raw["name"], title_en=raw["title_en"], title_th=raw["title_th"], grain=raw["grain"],
        key=tuple(raw["key"]), stored=raw["stored"], sql=raw.get("sql", ""), named=tuple(raw.get("reads", ())),
        fields=tuple(Field(**row) for row in raw["columns"]),
        checks=tuple(_check(row, where) for row in raw.get("checks", ())),
        examples=tuple(map(example, raw.get("example", ()))),
    )  # fmt: skip
    known = {column.name for column in mart.fields}
    used = {name for check in mart.checks for name in (*check.unique, *check.not_null, check.column) if name}
    if not set(mart.key) | used <= known:
        words = "the key or a check names a column that is not declared"
        raise CatalogError("mart.column", words, place=where)
    if bool(mart.sql) == bool(mart.named) or not (mart.sql or mart.stored):
        words = "a mart has a select, or it is stored and names the views that its module reads"
        raise CatalogError("mart.sql", words, place=where)
    if mart.stored and Check(unique=mart.key) not in mart.checks:
        raise CatalogError("mart.key", "a stored mart must check that its key is unique", place=where)
    return mart


@cache
def marts() -> dict[str, Mart]:
    """Name -> Mart for every file of catalog/marts."""
    folder = files("khlang.catalog") / "marts"
    found = [parse(p.read_text("utf-8"), p.name) for p in folder.iterdir() if p.name.endswith(".toml")]
    return {mart.name: mart for mart in sorted(found, key=lambda mart: mart.name)}


@cache
def functions() -> dict[str, Function]:
    """Name -> Function for every file of catalog/marts/functions."""
    folder = files("khlang.catalog") / "marts" / "functions"
    found = [tomllib.loads(p.read_text("utf-8")) for p in folder.iterdir() if p.name.endswith(".toml")]
    made = [Function(**{**raw, "examples": tuple(raw.get("examples", ()))}) for raw in found]
    return {function.name: function for function in sorted(made, key=lambda function: function.name)}


def selects() -> dict[str, Mart]:
    """Name -> Mart of those that Spark makes; they can not read the others."""
    return {name: mart for name, mart in marts().items() if mart.by_select}


def is_external(view: str) -> bool:
    """True for views that are opened, not declared: silver_*, code_*, ledger_*, facility."""
    return view.startswith(EXTERNAL) or view == FACILITY


def in_order(wanted: Iterable[str], declared: Mapping[str, Mart]) -> tuple[Mart, ...]:
    """The wanted marts and all they read, each after what it reads; a circle or an unknown name is refused."""
    done: dict[str, Mart] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        """Add one mart after those it reads."""
        if name in done or is_external(name):
            return
        if name in path or name not in declared:
            words = f"{name} is not declared, or reads itself"
            raise CatalogError("mart.reads", words, place=" > ".join(path))
        for source in declared[name].reads:
            visit(source, (*path, name))
        done[name] = declared[name]

    for name in wanted:
        visit(name, ())
    return tuple(done.values())


def externals(chosen: Iterable[str]) -> tuple[str, ...]:
    """Of the given views those that gold opens from outside, sorted and once each."""
    return tuple(sorted({view for view in chosen if is_external(view)}))
