"""A member of any size -> bronze rows piece by piece, with the account of the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from khlang.conform.conform import Rules, rows_of
from khlang.conform.member import Member, MemberResult
from khlang.conform.parse import Unread, read_sheets
from khlang.conform.repeats import Repeats
from khlang.conform.rows import FAULT
from khlang.conform.stream import PIECE_BYTES, Read

REPEATED = "row.repeated"


@dataclass(frozen=True, slots=True)
class Large:
    """What became of a large member. `repeated`: piece -> lines that a line of a later piece replaces.

    The account counts them; the pieces that were handed over do not name them yet (`marked` does).
    """

    result: MemberResult
    repeated: dict[int, NDArray[np.int32]]


def conform_large(
    member: Member,
    read: Read,
    rules: Rules,
    take: Callable[[int, pl.DataFrame], None],
    most: int = PIECE_BYTES,
) -> Large:
    """Conform a member in pieces of about `most` bytes, handing over each piece's number and bronze rows.

    As `conform` of the whole, in memory for a piece. Raises what `conform` raises.
    """
    results, repeats = [], Repeats()
    for sheet in read_sheets(member, read, rules.contract, most):
        if isinstance(sheet, Unread):
            result = MemberResult(
                member.receipt, member.position, sheet.codes, sheet.delivered, 0, sheet.refused
            )
            return Large(result, {})
        rows, (result,) = rows_of([sheet], rules)
        results.append(result)
        take(repeats.add(rows), rows)
    found = repeats.found()
    return Large(_together(results, sum(map(len, found.values()))), found)


def _together(results: Sequence[MemberResult], later: int) -> MemberResult:
    """The pieces' accounts as one; `later` rows are replaced by another piece's."""
    faults: Counter[tuple[str, str | None]] = Counter()
    for result in results:
        faults.update(result.faults)
    if later:
        faults[REPEATED, None] += later
    return replace(
        results[0],
        delivered=sum(result.delivered for result in results),
        accepted=sum(result.accepted for result in results),
        refused=sum(result.refused for result in results),
        repeated=sum(result.repeated for result in results) + later,
        faults=dict(faults),
        holds_erased=any(result.holds_erased for result in results),
        found=tuple(dict.fromkeys(one for result in results for one in result.found)),
    )


def marked(rows: pl.DataFrame, lines: NDArray[np.int32]) -> pl.DataFrame:
    """A piece's bronze rows with these lines marked as repeated, the fault named last as ever."""
    replaced = pl.col("_line").is_in(pl.Series(lines, dtype=pl.Int32).implode())
    fault = pl.lit(pl.Series([[{"column": None, "code": REPEATED}]], dtype=pl.List(FAULT)))
    added = pl.concat_list(pl.col("_faults").fill_null(pl.lit([], pl.List(FAULT))), fault)
    return rows.with_columns(
        (pl.col("_repeated") | replaced).alias("_repeated"),
        pl.when(replaced).then(added).otherwise(pl.col("_faults")).alias("_faults"),
    )
