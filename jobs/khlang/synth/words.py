"""Declared word lists of catalog/synth -> frozen values: names, diagnoses, cares, drugs, tests, fills."""

from __future__ import annotations

import csv
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

FOLDER = files("khlang.catalog") / "synth"


@dataclass(frozen=True, slots=True)
class Weighted:
    """Codes with their shares; `draw` gives n of them."""

    codes: pl.Series
    shares: NDArray[np.float64]

    def draw(self, rng: np.random.Generator, count: int) -> pl.Series:
        """`count` codes drawn by their shares."""
        return self.codes.gather(indices(rng, self.shares, count))


def indices(rng: np.random.Generator, shares: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """`count` positions drawn by shares that need not add up to one."""
    edges = np.cumsum(shares / shares.sum())
    return np.minimum(np.searchsorted(edges, rng.random(count), side="right"), len(shares) - 1)


def weighted(declared: str) -> Weighted:
    """ "1:30 2:70" -> Weighted; a missing code before the colon is the empty value."""
    pairs = [part.split(":") for part in declared.split()]
    shares = np.array([float(share) for _, share in pairs])
    return Weighted(pl.Series([code for code, _ in pairs], dtype=pl.String), shares)


@cache
def rows(name: str) -> tuple[dict[str, str], ...]:
    """Rows of catalog/synth/<name>.csv in file order."""
    return tuple(csv.DictReader((FOLDER / f"{name}.csv").read_text("utf-8").splitlines()))


@cache
def tables(name: str) -> dict[str, Any]:
    """The declared TOML file catalog/synth/<name>.toml."""
    return tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))


@cache
def fills() -> dict[tuple[str, str], tuple[str, str]]:
    """(file, column) -> (how, what) of the columns that are drawn without regard to others."""
    return {(row["file"], row["column"]): (row["how"], row["what"]) for row in rows("fills")}


@cache
def season(name: str) -> NDArray[np.float64]:
    """Twelve monthly factors around one; the empty name is an even year."""
    for row in rows("seasons"):
        if row["season"] == name:
            months = np.array([float(row[month]) for month in list(row)[1:]])
            return months / months.mean()
    return np.ones(12)


@cache
def diagnoses() -> pl.DataFrame:
    """Diagnoses by kind of visit, with age, sex and season of their patients."""
    numbers = ["weight", "age_low", "age_high"]
    return pl.DataFrame(rows("diagnoses")).with_columns(pl.col(numbers).cast(pl.Float64))


@cache
def drugs() -> pl.DataFrame:
    """Invented drug codes with unit, usual amount and price."""
    return pl.DataFrame(rows("drugs")).with_columns(pl.col("amount", "price").cast(pl.Float64))
