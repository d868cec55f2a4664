"""Rows of a facility's files by month -> the rows expected from its own history, and which months jump.

Median and median absolute deviation of the months before: a month that was wrong moves them little. Months in
which nothing came are no zeros, they are left out; a file that is missing from a zip that came has no rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from khlang.model.scorecard import Volume

Numbers = npt.NDArray[np.float64]

MEDIAN_LOSS = 1.57
"""Variance of a median of n values: this many times that of their mean."""
TO_DEVIATION = 1.4826
"""Median absolute deviation of a normal value -> its standard deviation."""
YEAR = 12
"""Months that are looked back on; the farthest is the same month a year ago."""
FACILITIES_AT_ONCE = 500
GRID = {
    "hospcode": pl.String,
    "file": pl.String,
    "number": pl.Int32,
    "position": pl.Int32,
    "rows": pl.Float64,
}


@dataclass(frozen=True, slots=True)
class Band:
    """Per month of a file: rows expected, the lowest and highest that are none too few or many, months known."""

    expected: Numbers
    low: Numbers
    high: Numbers
    known: npt.NDArray[np.int64]


def volumes(months: pl.DataFrame, rules: Volume) -> pl.DataFrame:
    """(hospcode, file, number of the month, rows) -> the same with expected, low, high, history_months, is_jump.

    Every month in which the facility sent anything gives a row for every file that it sent before.
    """
    return pl.concat(_judged(months.filter(some), rules) for some in portions(months))


def portions(rows: pl.DataFrame) -> list[pl.Expr]:
    """Conditions that part rows by facility, some hundred at a time: a look back costs many times their memory."""
    codes = rows["hospcode"].unique().sort()
    firsts = range(0, max(len(codes), 1), FACILITIES_AT_ONCE)
    return [pl.col("hospcode").is_in(codes[first : first + FACILITIES_AT_ONCE].implode()) for first in firsts]


def _judged(months: pl.DataFrame, rules: Volume) -> pl.DataFrame:
    """Some facilities' months with their bands; months in which nothing came are left out again."""
    grid = _grid(months)
    rows = grid["rows"].to_numpy()
    found = band(_before(rows, grid["position"].to_numpy(), rules), rules)
    judged = found.expected >= rules.least_rows
    with np.errstate(invalid="ignore"):
        jumps = judged & ((rows < found.low) | (rows > found.high))
    told = {"expected": found.expected, "low": found.low, "high": found.high}
    made = grid.with_columns(
        *(pl.Series(name, values).fill_nan(None) for name, values in told.items()),
        pl.Series("history_months", found.known, pl.Int32),
        pl.Series("is_jump", jumps, pl.Boolean),
    ).filter(pl.col("rows").is_not_null(), (pl.col("rows") > 0) | (pl.col("expected") > 0))
    return made.select(
        "hospcode", "file", "number", pl.col("rows").cast(pl.Int64), "expected", "low", "high", "history_months",
        "is_jump",
    )  # fmt: skip


def _grid(months: pl.DataFrame) -> pl.DataFrame:
    """Every month of a file from its first to the facility's last; rows null where the facility sent nothing."""
    came = months.select("hospcode", "number").unique().with_columns(pl.lit(0.0).alias("none"))
    last = came.group_by("hospcode").agg(pl.max("number").alias("last"))
    spans = months.group_by("hospcode", "file").agg(pl.min("number").alias("first")).join(last, on="hospcode")
    grid = (
        spans.with_columns(pl.int_ranges("first", pl.col("last") + 1).alias("number")).explode("number")
        .with_columns(pl.col("number").cast(pl.Int32), (pl.col("number") - pl.col("first")).alias("position"))
        .join(months, on=["hospcode", "file", "number"], how="left")
        .join(came, on=["hospcode", "number"], how="left")
        .with_columns(pl.coalesce(pl.col("rows").cast(pl.Float64), "none").alias("rows"))
    )  # fmt: skip
    return grid.select(pl.col(name).cast(kind) for name, kind in GRID.items()).sort(
        "hospcode", "file", "number"
    )


def _before(rows: Numbers, position: npt.NDArray[np.int32], rules: Volume) -> Numbers:
    """Per month the months before it, the nearest first; NaN where there is none or it teaches nothing."""
    window = np.full((len(rows), YEAR), np.nan)
    for back in range(1, min(YEAR, len(rows)) + 1):
        window[back:, back - 1] = np.where(position[back:] >= back, rows[:-back], np.nan)
    first = np.flatnonzero((position >= 1) & (position <= YEAR))
    column = position[first] - 1
    others = window[first].copy()
    others[np.arange(len(first)), column] = np.nan
    with np.errstate(invalid="ignore"):
        large = window[first, column] > rules.first_zip_factor * _median(others)
    window[first[large], column[large]] = np.nan
    return window


def band(window: Numbers, rules: Volume) -> Band:
    """Months before (one row a month, the nearest first, NaN where unknown) -> what is expected of the month."""
    known = np.sum(~np.isnan(window), axis=1)
    usual = np.where(known >= rules.least_months, _median(window), np.nan)
    spread = TO_DEVIATION * _median(np.abs(window - usual[:, None]))
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = usual * _season(usual, window[:, -1], rules)
        wide = np.sqrt((1 + _beside(usual, spread, rules) * expected) * _doubt(known, rules))
        root = 2 * np.sqrt(expected + 0.375)  # counts have a deviation of about 1 on this scale
        low = np.maximum(root - rules.deviations_low * wide, 0) ** 2 / 4 - 0.375
        high = (root + rules.deviations_high * wide) ** 2 / 4 - 0.375
    low = np.maximum(np.minimum(low, expected * rules.ratio_low), 0)
    return Band(expected, low, np.maximum(high, expected * rules.ratio_high), known)


def _beside(usual: Numbers, spread: Numbers, rules: Volume) -> Numbers:
    """Variance of a month beside that of single events, relative to the usual rows squared, as the history shows it."""
    single = 1 / np.maximum(usual, 1)
    least = rules.variation_least**2 + (rules.chance_least - 1) * single
    most = rules.variation_most**2 + (rules.chance_most - 1) * single
    return np.clip((spread * single) ** 2 - single, least, most)


def _doubt(known: npt.NDArray[np.int64], rules: Volume) -> Numbers:
    """How much wider a band is because only so many months are known."""
    months = np.maximum(known, 1)
    return (1 + MEDIAN_LOSS / months) * (1 + rules.doubt / months)


def _season(usual: Numbers, year_ago: Numbers, rules: Volume) -> Numbers:
    """Factor of the month's season: a year ago against the usual, believed the more the less chance is in it.

    Past the bounds of a jump it is no season.
    """
    chance = 1 / np.maximum(usual, 1) + rules.variation_least**2
    belief = rules.season**2 / (rules.season**2 + chance)
    factor = 1 + belief * (np.clip(year_ago / np.maximum(usual, 1), rules.ratio_low, rules.ratio_high) - 1)
    return np.where(np.isnan(year_ago), 1.0, factor)


def _median(values: Numbers) -> Numbers:
    """Median of each row without its NaN; NaN for a row of nothing else."""
    ordered = np.sort(values, axis=1)  # NaN come last
    known = np.sum(~np.isnan(values), axis=1)
    place = np.arange(len(values))
    lower, upper = np.maximum(known - 1, 0) // 2, np.minimum(known // 2, values.shape[1] - 1)
    return np.where(known > 0, (ordered[place, lower] + ordered[place, upper]) / 2, np.nan)
