"""Declared checks of a mart -> one select, and a loud failure that names the check and never a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from khlang.errors import QualityError
from khlang.model.mart import Check, Mart


def failures_sql(mart: Mart, hashed: bool = True) -> str:
    """One row: `rows`, and for every check how many rows fail it (c0, c1 ...).

    `hashed`: keys are compared by their hash, a tenth of the bytes to sort. Two keys with one hash can only seem
    equal: such a check may fail where none should, never pass where one should fail (see `certain`).
    """
    parts = [f"{_failures(check, hashed)} as c{position}" for position, check in enumerate(mart.checks)]
    return f"select count(*) as rows, {', '.join(parts)} from {mart.name}"


def certain(mart: Mart, found: Mapping[str, int]) -> bool:
    """Whether what was found with hashed keys needs no second look at the keys themselves."""
    return not any(check.unique and found[f"c{position}"] for position, check in enumerate(mart.checks))


def _failures(check: Check, hashed: bool) -> str:
    """How many rows fail a check, as an aggregate."""
    if check.unique:
        key = "xxhash64" if hashed else "struct"
        return f"count(*) - count(distinct {key}({', '.join(check.unique)}))"
    if check.not_null:
        return f"count_if({' or '.join(f'{name} is null' for name in check.not_null)})"
    if check.rows_of:
        return f"abs(count(*) - (select count(*) from {check.rows_of}))"
    return f"count_if({check.column} < {check.low:g} or {check.column} > {check.high:g})"


def failures(mart: Mart, rows: pl.DataFrame, views: Mapping[str, pl.DataFrame]) -> dict[str, int]:
    """The same counts of a frame: `rows`, and for every check how many rows fail it."""
    counts = {f"c{position}": _failing(check, rows, views) for position, check in enumerate(mart.checks)}
    return {"rows": rows.height} | counts


def _failing(check: Check, rows: pl.DataFrame, views: Mapping[str, pl.DataFrame]) -> int:
    """How many rows of a frame fail a check; a value that is not there is in no range and fails none."""
    if check.unique:
        return rows.height - rows.select(check.unique).n_unique()
    if check.not_null:
        return rows.filter(pl.any_horizontal(pl.col(check.not_null).is_null())).height
    if check.rows_of:
        return abs(rows.height - views[check.rows_of].height)
    return rows.filter((pl.col(check.column) < check.low) | (pl.col(check.column) > check.high)).height


def judge(mart: Mart, found: Mapping[str, int]) -> int:
    """Rows of the mart when every check holds; else QualityError with the checks that failed."""
    failed = [
        f"{check.name}: {found[f'c{position}']} rows"
        for position, check in enumerate(mart.checks)
        if found[f"c{position}"]
    ]
    if failed:
        raise QualityError(
            "mart.check", f"gold.{mart.name} breaks its checks: {'; '.join(failed)}",
            f"ตาราง gold.{mart.name} ไม่ผ่านการตรวจ: {'; '.join(failed)}",
            f"gold.{mart.name}", "nothing of this batch becomes visible; see the runbook gold-failed",
        )  # fmt: skip
    return int(found["rows"])


def columns_match(mart: Mart, columns: Sequence[tuple[str, str]]) -> None:
    """Refuse a mart whose select does not give exactly the declared columns and types."""
    declared = [(column.name, column.type) for column in mart.fields]
    differ = [f"{name} {kind}" for name, kind in columns if (name, kind) not in declared]
    differ += [f"{name} {kind} is missing" for name, kind in declared if (name, kind) not in columns]
    if differ or [name for name, _ in columns] != [name for name, _ in declared]:
        raise QualityError(
            "mart.columns", f"{mart.name}: columns are not as declared: {', '.join(differ)}", place=mart.name
        )
