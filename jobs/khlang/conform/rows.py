"""De-identified columns + places + faults -> bronze rows, and the account of each member's lines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from khlang.conform.faultlog import KEY_VOID, FaultLog
from khlang.conform.member import MemberResult
from khlang.conform.parse import Parsed, Sheet
from khlang.model.faults import catalogue

FAULT = pl.Struct({"column": pl.String, "code": pl.String})


def own_columns() -> dict[str, pl.DataType]:
    """Our own columns of every bronze table, after the contract's."""
    return {
        "_receipt": pl.String(), "_member": pl.Int32(), "_line": pl.Int32(), "_sent_at": pl.Datetime("us"),
        "_arrival": pl.Int64(), "_pass": pl.Int32(), "_accepted": pl.Boolean(), "_repeated": pl.Boolean(),
        "_faults": pl.List(FAULT), "_key": pl.Binary(), "_row": pl.Int64(),
    }  # fmt: skip


def _refusing() -> list[str]:
    """Codes that keep a row out of silver."""
    return [KEY_VOID, *(fault.code for fault in catalogue().values() if fault.effect == "refuse")]


def _refused(log: FaultLog, rows: int) -> NDArray[np.bool_]:
    """Whether each row is kept out of silver."""
    marks, refusing = np.zeros(rows, np.bool_), _refusing()
    for index, code in zip(log.rows, log.codes, strict=True):
        if code in refusing:
            marks[index] = True
    return marks


def _faults_by_row(log: FaultLog, rows: int) -> pl.Series:
    """The list of faults of each row, null for none."""
    found = log.frame().filter(pl.col("code") != KEY_VOID)
    lists = found.group_by("row", maintain_order=True).agg(pl.struct("column", "code").alias("_faults"))
    place = np.full(rows, lists.height)
    place[lists["row"].to_numpy()] = np.arange(lists.height)
    nothing = pl.Series("_faults", [None], dtype=pl.List(FAULT))
    return lists["_faults"].cast(pl.List(FAULT)).append(nothing).gather(place)


def _places(sheets: Sequence[Sheet], owner: NDArray[np.int32], line: NDArray[np.int32]) -> list[pl.Series]:
    """Receipt, member, line, time in the name, arrival and pass of every row."""
    member = [sheet.member for sheet in sheets]
    return [
        pl.Series("_receipt", [m.receipt for m in member]).gather(owner),
        pl.Series("_member", [m.position for m in member], dtype=pl.Int32).gather(owner),
        pl.Series("_line", line, dtype=pl.Int32),
        pl.Series("_sent_at", [m.sent_at for m in member], dtype=pl.Datetime("us")).gather(owner),
        pl.Series("_arrival", [m.arrival for m in member], dtype=pl.Int64).gather(owner),
        pl.Series("_pass", [m.pass_number for m in member], dtype=pl.Int32).gather(owner),
    ]


def _broken_rows(parsed: Parsed, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """Rows that could not be split or decoded: only their place and fault (exact rules, 6)."""
    owner = np.array([sheet for sheet, _, _ in parsed.broken])
    line = np.array([line for _, line, _ in parsed.broken], np.int32)
    facility = pl.Series("hospcode", [sheet.member.hospcode for sheet in parsed.sheets]).gather(owner)
    faults = pl.Series(
        "_faults", [[{"column": None, "code": code}] for _, _, code in parsed.broken], dtype=pl.List(FAULT)
    )
    known = pl.DataFrame([facility, *_places(parsed.sheets, owner, line), faults]).with_columns(
        pl.lit(False).alias("_accepted"), pl.lit(False).alias("_repeated")
    )
    absent = [pl.lit(None, kind).alias(name) for name, kind in schema.items() if name not in known.columns]
    return known.with_columns(absent).select(list(schema))


def assemble(
    table: pl.DataFrame, parsed: Parsed, log: FaultLog, schema: dict[str, pl.DataType]
) -> pl.DataFrame:
    """Contract columns with hashes, their places and faults -> bronze rows in the order of `schema`.

    Of accepted rows with one key in one member the last line wins; the others get row.repeated (a flag).
    """
    owner = parsed.sheet
    refused = _refused(log, table.height)
    repeated = _repeated(table["_key"], owner, refused)
    log.add(repeated, None, "row.repeated")
    faults = _faults_by_row(log, table.height)
    places = _places(parsed.sheets, owner, parsed.line)
    marks = [pl.Series("_accepted", ~refused), pl.Series("_repeated", repeated), faults.alias("_faults")]
    good = pl.DataFrame([*table.get_columns(), *places, *marks]).select(list(schema))
    return pl.concat([good, _broken_rows(parsed, schema)]) if parsed.broken else good


def _repeated(key: pl.Series, owner: NDArray[np.int32], refused: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Accepted rows that a later line of the same member replaces."""
    places = pl.DataFrame([key, pl.Series("owner", owner), pl.Series("at", np.arange(len(owner)))])
    kept = places.filter(pl.Series(~refused))
    if kept.select("owner", "_key").n_unique() == kept.height:
        return np.zeros_like(refused)
    last = kept.group_by("owner", "_key").agg(pl.col("at").max())["at"].to_numpy()
    repeated = ~refused
    repeated[last] = False
    return repeated


def account(rows: pl.DataFrame, sheets: Sequence[Sheet]) -> list[MemberResult]:
    """Bronze rows -> one result per member: lines delivered, accepted, refused, repeated, faults."""
    place = ["_receipt", "_member"]
    sums = rows.group_by(place).agg(
        pl.len().alias("delivered"), pl.col("_accepted").sum(), pl.col("_repeated").sum()
    )
    lines = {(r["_receipt"], r["_member"]): r for r in sums.to_dicts()}
    counts: dict[tuple[str, int], dict[tuple[str, str | None], int]] = {}
    exploded = rows.select(*place, "_faults").drop_nulls("_faults").explode("_faults").unnest("_faults")
    for row in exploded.group_by(*place, "column", "code").len().to_dicts():
        counts.setdefault((row["_receipt"], row["_member"]), {})[row["code"], row["column"]] = row["len"]
    results = []
    for sheet in sheets:
        here = (sheet.member.receipt, sheet.member.position)
        line = lines.get(here, {"delivered": 0, "_accepted": 0, "_repeated": 0})
        unknown = tuple(i for i, field in enumerate(sheet.fields, 1) if field is None)
        results.append(
            MemberResult(
                *here,
                sheet.codes,
                line["delivered"],
                line["_accepted"],
                line["delivered"] - line["_accepted"],
                line["_repeated"],
                counts.get(here, {}),
                unknown,
            )
        )
    return results
