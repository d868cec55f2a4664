"""The leak gate: rows that are about to leave -> the same rows cleared, or a failure that names table and column.

Every value that planners read passes here. A text is of a closed set of the catalogue, or nothing that the
recognisers of free text know stands in it; nothing looks like a pseudonym; a number is no identifier; only
declared columns leave. There is no setting: what the gate does not know, it refuses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from math import isfinite
from typing import Any

from sqlalchemy import BigInteger, Boolean, DateTime, Double, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from khlang.conform.pseudonym import LETTERS
from khlang.conform.text.plain import plain
from khlang.conform.text.registry import recognisers
from khlang.errors import PrivacyError
from khlang.model.geography import areas
from khlang.model.indicator import indicators

LARGEST = 10**9
"""No count of a country's patients, visits or doses in a year reaches it; a phone or a citizen id does."""
MONTH = r"(?:[12][0-9]{3}-(?:0[1-9]|1[0-2]))?"
COMMIT = r"(?:[0-9a-f]{40})?"
TABLES = r"(?:bronze|silver|gold)\.[a-z][a-z0-9_]{1,40}"
_PSEUDONYM = re.compile(
    rf"[{''.join(sorted(set(LETTERS.values())))}][0-9]+\.[A-Za-z0-9_-]{{22}}(?![A-Za-z0-9_-])"
)
_NUMBERS = {Integer: int, BigInteger: int, Double: float, Boolean: bool, DateTime: datetime}
Known = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Cleared:
    """Rows that passed, for one table: made by `cleared` alone, and all that the share's job can write."""

    table: Table
    rows: tuple[tuple[Any, ...], ...]


def cleared(table: Table, rows: Iterable[Sequence[Any]]) -> Cleared:
    """Rows of a table that leaves; raises PrivacyError publish.leak at the first column that holds anything else."""
    kept = tuple(map(tuple, rows))
    place = f"{table.schema}.{table.name}"
    width = len(table.columns)
    if any(len(row) != width for row in kept):
        raise _leak(place, "a row has other columns than the declared ones")
    for at, column in enumerate(table.columns):
        values = {_hashable(row[at]) for row in kept} - {None}
        _judge(f"{place}.{column.name}", column.name, column.type, values)
    return Cleared(table, kept)


def named(place: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Codes of rows before they are looked up: a look-up that fails would quote what it did not find."""
    kept = list(rows)
    for name, known in known_texts().items():
        values = {row[name] for row in kept if row.get(name) is not None}
        if not all(isinstance(value, str) and known(value) for value in values):
            raise _leak(f"{place}.{name}", "a text is of no declared set")


def only_declared(schema: str, found: Iterable[str], declared: Iterable[str]) -> None:
    """What stands in the planners' schema is declared; raises PrivacyError publish.leak for any other table."""
    others = sorted(set(found) - set(declared))
    if others:
        raise _leak(f"{schema}, {len(others)} tables", "a table stands there that no share declares")


def _hashable(value: Any) -> Any:
    return json.dumps(value, sort_keys=True) if isinstance(value, dict | list) else value


def _judge(place: str, name: str, kind: object, values: set[Any]) -> None:
    """One column's distinct values."""
    if isinstance(kind, JSONB):
        versions = [json.loads(value) for value in values]
        if not all(isinstance(one, dict) and _is_versions(one) for one in versions):
            raise _leak(place, "it holds more than versions of tables")
    elif isinstance(kind, Text):
        _judge_texts(place, name, values)
    else:
        wanted = next((one for known, one in _NUMBERS.items() if isinstance(kind, known)), None)
        if wanted is None or not all(_is_number(value, wanted) for value in values):
            raise _leak(place, "a value is of another type, or too large for a count")


def _is_number(value: Any, wanted: type) -> bool:
    """Of that type, and no number that may be someone's."""
    if wanted in (bool, datetime):
        return isinstance(value, wanted)
    kinds = (int, float) if wanted is float else (int,)
    return (
        isinstance(value, kinds) and not isinstance(value, bool) and isfinite(value) and abs(value) < LARGEST
    )


def _is_versions(told: Mapping[str, Any]) -> bool:
    """Table -> version of Delta."""
    return all(re.fullmatch(TABLES, name) and _is_number(version, int) for name, version in told.items())


def _judge_texts(place: str, name: str, values: set[Any]) -> None:
    """Texts: of the column's closed set, or clean for every recogniser."""
    if not all(isinstance(value, str) for value in values):
        raise _leak(place, "a value is no text")
    if any(_PSEUDONYM.search(value) for value in values):
        raise _leak(place, "a text looks like a pseudonym")
    known = known_texts().get(name)
    if known is not None:
        if not all(map(known, values)):
            raise _leak(place, "a text is of no declared set")
        return
    for value in values:
        kinds = suspected(value)
        if kinds:
            raise _leak(place, f"a text looks like {', '.join(sorted(kinds))}")


def suspected(text: str) -> set[str]:
    """Kinds of identifiers that the recognisers of free text see in a text."""
    seen = plain(text).text
    return {one.kind for one in recognisers().values() if any(True for _ in one.find(seen))}


@cache
def known_texts() -> Mapping[str, Known]:
    """Column -> whether a text is of its closed set: the catalogue's indicators and areas, months, versions."""
    rules, places = indicators(), areas().values()
    versions = {version.version for rule in rules.values() for version in rule.definitions}
    sets = {
        "indicator": set(rules), "name_th": {rule.name_th for rule in rules.values()},
        "name_en": {rule.name_en for rule in rules.values()}, "level": {place.level for place in places},
        "area": {place.code for place in places}, "area_th": {place.name_th for place in places},
        "area_en": {place.name_en for place in places}, "iso": {place.iso for place in places if place.iso},
        "definition_version": versions,
    }  # fmt: skip
    forms = {"month": MONTH, "git_sha": COMMIT}
    members = {name: frozenset(found).__contains__ for name, found in sets.items()}
    return {**members, **{name: _form(pattern) for name, pattern in forms.items()}}


def _form(pattern: str) -> Known:
    whole = re.compile(pattern, re.ASCII)
    return lambda text: whole.fullmatch(text) is not None


def _leak(place: str, en: str) -> PrivacyError:
    """The failure; a value is never in it."""
    return PrivacyError(
        "publish.leak", en, "พบค่าที่อาจระบุตัวบุคคลในข้อมูลที่จะเผยแพร่ จึงไม่เผยแพร่", place,
        "nothing was published; see the runbook publish-failed",
    )  # fmt: skip
