"""One right value -> the same value gone wrong, for each code of the fault catalogue that speaks of a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from khlang.model.codes import codes_of
from khlang.model.contract import Column, Contract

THAI_DIGITS = "๐๑๒๓๔๕๖๗๘๙"
Damage = Callable[[Column, pl.Series, np.random.Generator], pl.Series]
"""Right values of a column -> wrong ones; null where this value can not go wrong so."""
OPEN = frozenset({"PROVIDERTYPE"})
KEPT = frozenset({"name", "address", "contact", "free_text"})


@dataclass(frozen=True, slots=True)
class Fault:
    """One code: its share among planted faults, the columns it can hit, how it damages a value."""

    code: str
    share: float
    fits: Callable[[Contract, Column], bool]
    damage: Damage


def _dated(column: Column) -> bool:
    return column.type in ("date", "datetime")


def _numeric(column: Column) -> bool:
    return column.type in ("int", "decimal")


def _listed(column: Column) -> bool:
    return column.codes is not None and column.name not in OPEN


def _free(contract: Contract, column: Column) -> bool:
    return column.name not in contract.key


def _either(rng: np.random.Generator, count: int, *forms: pl.Series) -> pl.Series:
    """One of several damaged forms for each value."""
    which = rng.integers(0, len(forms), count)
    return pl.DataFrame({str(n): form for n, form in enumerate(forms)}).select(
        pl.coalesce(pl.when(pl.Series(which == n)).then(pl.col(str(n))) for n in range(len(forms)))
    ).to_series()  # fmt: skip


def _no_date(column: Column, values: pl.Series, rng: np.random.Generator) -> pl.Series:
    zero = values.str.replace_all(r"\d", "0")
    month = values.str.slice(0, 4) + "13" + values.str.slice(6)
    dashed = values.str.slice(0, 4) + "-" + values.str.slice(4, 2) + "-" + values.str.slice(6)
    return _either(rng, len(values), zero, month, dashed)


def _buddhist(column: Column, values: pl.Series, rng: np.random.Generator) -> pl.Series:
    year = values.str.slice(0, 4).cast(pl.Int64, strict=False) + 543
    moved = year.cast(pl.String) + values.str.slice(4)
    return moved.set(values.str.slice(4, 4) == "0229", None)


def _no_number(column: Column, values: pl.Series, rng: np.random.Generator) -> pl.Series:
    return _either(
        rng, len(values), values + "x", "~" + values, pl.repeat("n", len(values), dtype=pl.String, eager=True)
    )


def _out_of_range(column: Column, values: pl.Series, rng: np.random.Generator) -> pl.Series:
    whole = "9" * ((column.width or 3) - column.scale)
    text = whole + ("." + "9" * column.scale if column.scale else "")
    fits = column.range is not None and float(text) > column.range[1]
    return pl.repeat(text if fits else None, len(values), dtype=pl.String, eager=True)


def _no_code(column: Column, values: pl.Series, rng: np.random.Generator) -> pl.Series:
    return pl.repeat("X" * (column.width or 1), len(values), dtype=pl.String, eager=True)


def _lost_zeros(column: Column, values: pl.Series, rng: np.random.Generator) -> pl.Series:
    bare = values.str.strip_chars_start("0")
    wrong = (bare == "") | (bare == values)
    if column.codes:
        wrong |= bare.is_in(sorted(codes_of(column.codes)))
    if column.name == "HOSPCODE":
        wrong |= ~values.str.contains(r"^\d+$")
    return bare.set(wrong, None)


def _dotted(column: Column, values: pl.Series, rng: np.random.Generator) -> pl.Series:
    dotted = values.str.slice(0, 3) + "." + values.str.slice(3)
    return dotted.set((values.str.len_chars() < 4) | (values.str.len_chars() >= (column.width or 6)), None)


def _thai_digits(column: Column, values: pl.Series, rng: np.random.Generator) -> pl.Series:
    thai = values.str.replace_many(list("0123456789"), list(THAI_DIGITS))
    return thai.set(thai == values, None)


def _blanks(column: Column, values: pl.Series, rng: np.random.Generator) -> pl.Series:
    return _either(rng, len(values), " " + values, values + "  ", " " + values + " ")


def _too_long(column: Column, values: pl.Series, rng: np.random.Generator) -> pl.Series:
    if column.type == "char":
        return values.str.slice(0, 1) + "9" * (column.width or 1)
    return pl.repeat("1" * ((column.width or 1) + 1), len(values), dtype=pl.String, eager=True)


def _checksum(column: Column, values: pl.Series, rng: np.random.Generator) -> pl.Series:
    last = values.str.slice(12, 1).cast(pl.Int64, strict=False)
    return values.str.slice(0, 12) + ((last + 1) % 10).cast(pl.String)


def _blank(column: Column, values: pl.Series, rng: np.random.Generator) -> pl.Series:
    return values.str.replace_all(r".+", "")


def _other_facility(column: Column, values: pl.Series, rng: np.random.Generator) -> pl.Series:
    return pl.repeat("99999", len(values), dtype=pl.String, eager=True)


def _unchanged(column: Column, values: pl.Series, rng: np.random.Generator) -> pl.Series:
    return values


def _short(contract: Contract, column: Column) -> bool:
    """Whether a longer value is a fault there: ids, codes and numbers, no key, no citizen id."""
    counted = column.width is not None and column.privacy not in KEPT and column.name not in OPEN
    return counted and column.checksum is None and _free(contract, column)


VALUE_FAULTS = (
    Fault("date.unreadable", 8, lambda k, c: _dated(c) and _free(k, c), _no_date),
    Fault("date.buddhist", 10, lambda k, c: _dated(c), _buddhist),
    Fault("number.unreadable", 7, lambda k, c: _numeric(c) and _free(k, c), _no_number),
    Fault("number.range", 10, lambda k, c: c.range is not None and _free(k, c), _out_of_range),
    Fault("code.unknown", 10, lambda k, c: _listed(c) and _free(k, c), _no_code),
    Fault("code.zeros", 8, lambda k, c: _listed(c) or c.name == "HOSPCODE", _lost_zeros),
    Fault("code.dots", 8, lambda k, c: c.icd and c.width == 6, _dotted),
    Fault(
        "digits.thai", 8, lambda k, c: _dated(c) or _numeric(c) or _listed(c) or c.name == "CID", _thai_digits
    ),
    Fault("text.trimmed", 8, lambda k, c: c.privacy not in KEPT and c.name != "HOSPCODE", _blanks),
    Fault("text.too_long", 7, _short, _too_long),
    Fault("cid.checksum", 7, lambda k, c: c.checksum == "cid", _checksum),
    Fault("required.missing", 8, lambda k, c: c.required and _free(k, c), _blank),
    Fault("key.missing", 7, lambda k, c: c.name in k.key and c.name != "HOSPCODE", _blank),
    Fault("key.unreadable", 5, lambda k, c: c.name in k.key and _dated(c), _no_date),
    Fault("row.facility", 6, lambda k, c: c.name == "HOSPCODE", _other_facility),
)
"""The faults of values, with their shares among planted faults."""
REFUSING = frozenset({"row.width", "row.encoding", "row.facility", "key.missing", "key.unreadable"})
