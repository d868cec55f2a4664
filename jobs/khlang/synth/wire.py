"""Recipe rows -> the text of the wire: every column of the contract, in its order and form."""

from __future__ import annotations

import numpy as np
import polars as pl

from khlang.model.contract import Column, Contract
from khlang.synth.visits import staff
from khlang.synth.words import fills, weighted
from khlang.synth.world import World


def finished(world: World, contract: Contract, rows: pl.DataFrame) -> pl.DataFrame:
    """All columns of the newest layout as text, plus `f` and `month`: which zip the row goes into.

    Rows bring `day` (when they came to be), `r` or `f`, and the columns whose values hang together;
    facility codes, PID, CID, staff, time of update and freely drawn columns are added here.
    """
    if "f" not in rows.columns:
        rows = rows.with_columns(f=world.people["f"].gather(rows["r"]))
    rng = world.draws(f"wire {contract.file}")
    columns: dict[str, pl.Series] = {name: rows[name] for name in rows.columns}
    for column in contract.current:
        if column.name not in columns:
            columns[column.name] = _drawn(world, contract, column, columns, rng)
    month = pl.Series(world.plan.month_of(rows["day"].cast(pl.Date).to_numpy()), dtype=pl.Int64)
    texts = [wire_text(column, columns[column.name]).alias(column.name) for column in contract.current]
    note = (
        rows["note"]
        if "note" in rows.columns
        else pl.Series([None], dtype=pl.Int64).new_from_index(0, rows.height)
    )
    return pl.DataFrame([rows["f"].cast(pl.Int64), month.alias("month"), note.alias("note"), *texts])


def _drawn(
    world: World, contract: Contract, column: Column, columns: dict[str, pl.Series], rng: np.random.Generator
) -> pl.Series:
    """One column that the recipe left to us; what nobody declared stays empty."""
    facility, name, count = columns["f"], column.name, len(columns["f"])
    if name in ("HOSPCODE", "HOSPCODE9"):
        return world.facilities[name.lower()].gather(facility)
    if name in ("PID", "CID") and "r" in columns:
        return world.people[name.lower()].gather(columns["r"])
    if name == "PROVIDER":
        return staff(world, contract.file, facility)
    if name == "D_UPDATE":
        return _updated(world, columns["day"], rng)
    base = _short_code(contract, name)
    if base is not None and base in columns:
        return _long_codes(world, columns[base], column.required)
    how, what = fills().get((contract.file, name), ("blank", ""))
    if how == "pick":
        return weighted(what).draw(rng, count)
    low, high = (float(part) for part in what.split()[:2]) if what else (0.0, 0.0)
    if how == "int":
        return pl.Series(rng.integers(int(low), int(high) + 1, count))
    if how == "decimal":
        return pl.Series(rng.uniform(low, high, count))
    return pl.repeat("", count, dtype=pl.String, eager=True)


def _updated(world: World, day: pl.Series, rng: np.random.Generator) -> pl.Series:
    """Time of the last change: some hours after the day began; what is older is dated in the first month."""
    first = np.datetime64(world.plan.start)
    days = day.cast(pl.Date).to_numpy().astype("datetime64[D]")
    days = np.where(days < first, first + rng.integers(0, 27, len(days)), days)
    seconds = rng.integers(16 * 3600, 22 * 3600, len(days))
    return pl.Series((days.astype("datetime64[s]") + seconds).astype("datetime64[us]"))


def _short_code(contract: Contract, name: str) -> str | None:
    """The column with the 5-digit code beside a column with the 9-character one."""
    if "9" not in name:
        return None
    known = {column.name for column in contract.current}
    tail = name.removeprefix("HOSP9_")
    guesses = [name[:-1], name.replace("9", ""), f"HOSP_{tail}", tail, f"HOSP{tail}", f"H{tail}", "PPPLACE"]
    return next((guess for guess in guesses if guess in known and guess != name), None)


def _long_codes(world: World, short: pl.Series, required: bool) -> pl.Series:
    """9-character codes of 5-digit ones; N/A where one is required and none is known."""
    nine = dict(world.facilities.select("hospcode", "hospcode9").iter_rows())
    return short.replace_strict(nine, default="N/A" if required else "", return_dtype=pl.String)


def wire_text(column: Column, values: pl.Series) -> pl.Series:
    """Typed values -> text as the standard wants it; null is the empty text."""
    if values.dtype == pl.String:
        return values.fill_null("")
    if column.type == "date":
        text = values.cast(pl.Date).dt.strftime("%Y%m%d")
    elif column.type == "datetime":
        text = values.cast(pl.Datetime("us")).dt.strftime("%Y%m%d%H%M%S")
    elif column.scale:
        text = values.cast(pl.Float64).round(column.scale).cast(pl.Decimal(18, column.scale)).cast(pl.String)
    elif values.dtype.is_float():
        text = values.round(0).cast(pl.Int64).cast(pl.String)
    else:
        text = values.cast(pl.String)
    return text.fill_null("")
