"""Small draws and expressions that every recipe uses."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from khlang.synth.words import indices

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]
YEAR_DAYS = 365.2425


def choose(rng: np.random.Generator, shares: Mapping[str, float], count: int) -> pl.Series:
    """`count` codes drawn by their shares."""
    codes = pl.Series(list(shares), dtype=pl.String)
    return codes.gather(indices(rng, np.array(list(shares.values())), count))


def one_of(rng: np.random.Generator, codes: list[str], count: int) -> pl.Series:
    """`count` codes drawn evenly."""
    return pl.Series(codes, dtype=pl.String).gather(rng.integers(0, len(codes), count))


def some(rng: np.random.Generator, frame: pl.DataFrame, share: float | NDArray[np.float64]) -> pl.DataFrame:
    """The rows of a frame that a chance of `share` takes."""
    return frame.filter(pl.Series(rng.random(frame.height) < share))


def either(flags: Flags | pl.Series, yes: pl.Series | str, no: pl.Series | str = "") -> pl.Series:
    """`yes` where the flag is up, else `no`."""
    chosen = pl.when(pl.lit(pl.Series(flags))).then(pl.lit(yes)).otherwise(pl.lit(no))
    return pl.select(chosen).to_series()


def same(code: str, count: int) -> pl.Series:
    """One code `count` times."""
    return pl.repeat(code, count, dtype=pl.String, eager=True)


def days(numbers: Numbers | pl.Series) -> pl.Expr:
    """So many days, row by row."""
    return pl.duration(days=pl.lit(pl.Series(numbers)))


def minutes(numbers: Numbers | pl.Series) -> pl.Expr:
    """So many minutes, row by row."""
    return pl.duration(minutes=pl.lit(pl.Series(numbers)))


def seconds(numbers: Numbers | pl.Series) -> pl.Expr:
    """So many seconds, row by row."""
    return pl.duration(seconds=pl.lit(pl.Series(numbers)))


def midnight(column: str) -> pl.Expr:
    """A day as the time it begins."""
    return pl.col(column).cast(pl.Datetime("us"))


def bounded(values: NDArray[np.float64], low: float, high: float) -> pl.Series:
    """Values kept inside bounds."""
    return pl.Series(np.clip(values, low, high))
