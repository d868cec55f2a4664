"""Later deliveries of the same keys: rows that changed since, and rows sent again as they were."""

from __future__ import annotations

import numpy as np
import polars as pl

from khlang.model.contract import contracts
from khlang.synth.registers import Tables
from khlang.synth.words import rows
from khlang.synth.world import World


def changed(world: World, tables: Tables) -> Tables:
    """Add the declared changes (catalog/synth/changes.csv): the row goes once more into a later month."""
    if world.plan.months < 2:
        return tables
    more: Tables = dict(tables)
    for number, change in enumerate(rows("changes")):
        frame = more[change["file"]]
        again = _again(world, f"change {number}", frame, change)
        more[change["file"]] = pl.concat([frame, again])
    return more


def _again(world: World, topic: str, frame: pl.DataFrame, change: dict[str, str]) -> pl.DataFrame:
    """Rows of a file that one declared change touches, as they are sent in a later month."""
    rng, column, key = world.draws(topic), change["column"], list(contracts()[change["file"]].key)
    last = world.plan.months - 1
    once = (pl.struct(key).is_first_distinct()) & (pl.struct(key).is_last_distinct())
    wanted = (pl.col("month") < last) & once
    if column:
        wanted &= pl.col(column) == change["was"]
    chosen = frame.filter(wanted)
    chosen = chosen.filter(pl.Series(rng.random(chosen.height) < float(change["share"])))
    later = (
        chosen["month"].to_numpy()
        + 1
        + (rng.random(chosen.height) * (last - chosen["month"].to_numpy())).astype(int)
    )
    moved = chosen.with_columns(month=pl.Series(later, dtype=pl.Int64))
    if not column:
        return moved
    starts = np.array([world.plan.month_start(month) for month in range(last + 1)], dtype="datetime64[s]")
    seconds = rng.integers(0, 27, len(later)) * 86_400 + rng.integers(30_000, 60_000, len(later))
    stamp = pl.Series((starts[later] + seconds).astype("datetime64[us]")).dt.strftime("%Y%m%d%H%M%S")
    return moved.with_columns(pl.lit(change["now"]).alias(column), D_UPDATE=stamp)
