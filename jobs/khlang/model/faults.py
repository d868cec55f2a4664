"""The fault catalogue: code -> effect, scope, and what to say to the clerk in Thai and English."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal, get_args

from khlang.errors import CatalogError

Effect = Literal["reject", "skip", "refuse", "void", "flag", "repair"]
Scope = Literal["delivery", "file", "row", "value"]

PLACE = "faults.toml"


@dataclass(frozen=True, slots=True)
class Fault:
    """One code: `en`/`th` say what is wrong, `fix_en`/`fix_th` what the clerk should do; never a value.

    `lake`: only the lake can know it, the offline check can not. `column`: the fault names its column.
    """

    code: str
    scope: Scope
    effect: Effect
    en: str
    th: str
    fix_en: str
    fix_th: str
    example: str
    column: bool = False
    lake: bool = False
    retired: bool = False


@dataclass(frozen=True, slots=True)
class EffectWords:
    """What an effect means to the sender, in English and Thai."""

    effect: Effect
    en: str
    th: str


def _allowed(row: dict[str, Any], key: str, allowed: tuple[str, ...]) -> None:
    """Refuse a row whose `key` is not one of the allowed words."""
    if row.get(key) not in allowed:
        raise CatalogError(f"fault.{key}", f"fault {row.get('code')} has an unknown {key}", place=PLACE)


def _fault(row: dict[str, Any]) -> Fault:
    """One declared entry -> Fault; unknown effects, scopes and attributes and empty words are refused."""
    _allowed(row, "effect", get_args(Effect))
    _allowed(row, "scope", get_args(Scope))
    try:
        fault = Fault(**row)
    except TypeError as wrong:
        raise CatalogError("fault.shape", f"fault {row.get('code')}: {wrong}", place=PLACE) from None
    if not all((fault.code, fault.en, fault.th, fault.fix_en, fault.fix_th, fault.example)):
        raise CatalogError("fault.words", f"fault {fault.code} lacks a sentence", place=PLACE)
    return fault


def parse(text: str) -> dict[str, Fault]:
    """TOML text -> code -> Fault, in the declared order; a code that stands twice is refused."""
    found: dict[str, Fault] = {}
    for row in tomllib.loads(text).get("fault", []):
        fault = _fault(row)
        if fault.code in found:
            raise CatalogError("fault.repeated", f"fault {fault.code} is declared twice", place=PLACE)
        found[fault.code] = fault
    return found


def _text() -> str:
    """The declared catalogue as text."""
    return (files("khlang.catalog") / PLACE).read_text("utf-8")


@cache
def catalogue() -> Mapping[str, Fault]:
    """Code -> Fault for every declared code, in the order in which faults are looked for (read-only)."""
    return MappingProxyType(parse(_text()))


@cache
def effects() -> Mapping[str, EffectWords]:
    """Effect -> its words, one for every effect (read-only)."""
    declared = tomllib.loads(_text())["effect"]
    if set(declared) != set(get_args(Effect)):
        raise CatalogError("fault.effect", "the words of the effects are not complete", place=PLACE)
    words = {effect: EffectWords(effect, **declared[effect]) for effect in get_args(Effect)}
    return MappingProxyType(words)


def first_of(codes: Iterable[str]) -> str:
    """The code that answers for a delivery when several apply: the first in the catalogue's order."""
    given = set(codes)
    if unknown := given - set(catalogue()):
        raise CatalogError("fault.unknown", f"undeclared codes: {', '.join(sorted(unknown))}", place=PLACE)
    return next(code for code in catalogue() if code in given)
