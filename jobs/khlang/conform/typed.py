"""Text columns of a file -> typed columns by wire name, every broken rule named at its row and column."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from khlang.conform.check import FORM, lake_type, typed
from khlang.conform.faultlog import KEY_VOID, FaultLog
from khlang.conform.parse import Parsed
from khlang.conform.screen import reading
from khlang.model.contract import Column, Contract

_VOIDING = ("text.too_long", "number.range", "code.unknown", "cid.checksum", FORM)
_RAW, _HOLDS, _TRIMMED = "raw\0", "holds\0", "trimmed\0"


def typed_frame(parsed: Parsed, contract: Contract, log: FaultLog) -> pl.DataFrame:
    """Text columns -> typed columns of the newest layout; columns that nobody sent are null."""
    frame, rows = parsed.frame, parsed.frame.height
    bare = frame.select(pl.all().str.strip_chars()).with_columns(pl.when(pl.all() != "").then(pl.all()))
    full = [c for c in contract.current if c.name in bare.columns and bare[c.name].null_count() < rows]
    read = bare.hstack(frame.select(pl.all().name.prefix(_RAW))).select(
        *(reading(c).value.alias(c.name) for c in full),
        *(hold.alias(_HOLDS + c.name) for c in full if (hold := reading(c).holds) is not None),
        *((pl.col(c.name) != pl.col(_RAW + c.name)).alias(_TRIMMED + c.name) for c in full),
    )
    layouts = _Layouts(parsed)
    filled = {column.name for column in full}
    columns: list[pl.Series] = []
    for column in contract.current:
        name, before = column.name, len(log.codes)
        is_key = name in contract.key
        if name in filled:
            log.add(read[_TRIMMED + name], name, "text.trimmed")
            values = _values(column, read, bare[name], log, is_key)
        else:
            values = pl.Series([None], dtype=lake_type(column)).new_from_index(0, rows)
        if (is_key or column.required) and values.null_count():
            blank = bare[name].is_null().to_numpy() if name in filled else np.ones(rows, np.bool_)
            log.add(blank & layouts.having(name), name, "key.missing" if is_key else "required.missing")
        _mark_void_keys(log, before, is_key)
        columns.append(values.alias(name))
    return pl.DataFrame(columns)


def _values(column: Column, read: pl.DataFrame, text: pl.Series, log: FaultLog, is_key: bool) -> pl.Series:
    """A column's values: as read where the reading holds, rule by rule in the other rows."""
    values = read[column.name]
    if reading(column).holds is None:
        return values
    holds = read[_HOLDS + column.name]
    if holds.all():  # null (no value) counts as right
        return values
    rows = np.flatnonzero(~holds.fill_null(True).to_numpy())
    found = FaultLog()
    treated = typed(column, text.gather(rows), found, is_key)
    for index, name, code in zip(found.rows, found.columns, found.codes, strict=True):
        log.note(rows[index], name, code)
    place = np.arange(len(values))
    place[rows] = len(values) + np.arange(len(rows))
    return pl.concat([values, treated.cast(values.dtype)]).gather(place)


class _Layouts:
    """Which rows stand in a member whose layout knows a column."""

    def __init__(self, parsed: Parsed) -> None:
        self._known: list[frozenset[str]] = []
        names = [sheet.layout.name for sheet in parsed.sheets]
        order = {name: number for number, name in enumerate(dict.fromkeys(names))}
        first = {sheet.layout.name: sheet.layout for sheet in reversed(parsed.sheets)}
        self._known = [frozenset(first[name].columns) for name in order]
        self._layout = np.array([order[name] for name in names])[parsed.sheet]

    def having(self, column: str) -> NDArray[np.bool_]:
        """A mark per row."""
        marks: NDArray[np.bool_] = np.array([column in known for known in self._known])[self._layout]
        return marks


def _mark_void_keys(log: FaultLog, before: int, is_key: bool) -> None:
    """Rows whose key lost a value are noted under the marker KEY_VOID."""
    if not is_key:
        return
    for index in range(before, len(log.codes)):
        if log.codes[index] in _VOIDING:
            log.note(log.rows[index], log.columns[index], KEY_VOID)
