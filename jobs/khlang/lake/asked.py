"""A table, a column or a condition that somebody asked for and nothing has -> a named error with the nearest names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

import polars as pl

from khlang.errors import KhlangError, SettingsError, StoreError
from khlang.model.contract import contracts
from khlang.model.mart import marts

MADE_BESIDE = (
    "silver.orphan",
    "silver.person_link",
    "gold.indicator",
    "gold.indicator_published",
    "gold.facility_month_published",
)
"""Tables that no contract and no mart declares."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]{0,40}")
_MISSING = re.compile(r'unable to find column "([^"]*)"')


def known_tables() -> tuple[str, ...]:
    """Every table that a lake may come to hold."""
    files = [contract.table for contract in contracts().values()]
    stored = [f"gold.{mart.name}" for mart in marts().values() if mart.stored]
    return (*(f"{zone}.{file}" for zone in ("bronze", "silver") for file in files), *MADE_BESIDE, *stored)


def nearest(name: str, known: Iterable[str]) -> str:
    """`did you mean silver.person, bronze.person?`, or nothing when no name is near."""
    names = list(known)
    near = get_close_matches(name.lower(), names, 3, 0.75)
    near += [other for other in names if other.endswith(f".{name.lower()}") and other not in near]
    return f"did you mean {', '.join(near)}? " if near else ""


def not_a_table(name: str, visible: Iterable[str]) -> KhlangError | None:
    """The error for a name that no table has; None when it is one that may come."""
    known = dict.fromkeys([*visible, *known_tables()])
    if name in known:
        return None
    step = f"{nearest(name, known)}`khlang table` lists every table"
    words = ("there is no table of this name", "ไม่มีตารางชื่อนี้")
    return SettingsError("table.unknown", *words, name, step)


def nothing_visible(name: str, at_a_moment: bool) -> KhlangError:
    """The error for a table that no complete batch holds (yet, or at that time)."""
    if at_a_moment:
        words = (f"no complete batch held {name} at that time", "ณ เวลานั้นยังไม่มีข้อมูลตารางนี้")
        return StoreError("table.invisible", *words, name, "ask for a later moment, or without --known-at")
    words = (f"no complete batch holds {name} yet", "ยังไม่มีข้อมูลตารางนี้")
    step = "`khlang table` lists what there is; `khlang status` says how far the lake is"
    return StoreError("table.invisible", *words, name, step)


def not_a_column(name: str, table: str, columns: Iterable[str]) -> KhlangError:
    """The error for a column that the table does not have."""
    known = list(columns)
    shown = name if _NAME.fullmatch(name) else "of that name"
    words = (f"there is no column {shown}", "ไม่มีคอลัมน์นี้")
    step = f"{nearest(name, known)}the columns are {', '.join(known)}"
    return SettingsError("table.column", *words, table, step)


def not_a_condition(table: str, columns: Iterable[str], raw: pl.exceptions.PolarsError) -> KhlangError:
    """The error for a condition that polars refuses. Its own message may quote a value: only a name is taken."""
    missing = _MISSING.search(str(raw))
    if missing and _NAME.fullmatch(missing[1]):
        return not_a_column(missing[1], table, columns)
    words = (
        "the condition can not be read, or does not fit its columns",
        "อ่านเงื่อนไขไม่ได้ หรือไม่ตรงกับชนิดของคอลัมน์",
    )
    step = (
        "text and dates in single quotes, e.g. --where \"hospcode = '10001' AND date_serv >= '2026-10-01'\""
    )
    return SettingsError("table.where", *words, f"{table}, --where", step)
