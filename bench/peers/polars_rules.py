"""The checks of the standard as Polars expressions: staged text -> repaired text -> typed values and faults."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from bench.peers.shared_work import BLANKS, BUDDHIST, layouts_with, precision
from khlang.model.codes import codes_of
from khlang.model.contract import UNCHECKED_WIDTH, Column, Contract

THAI = list("๐๑๒๓๔๕๖๗๘๙")
NUMBER = r"^-?[0-9]+(\.[0-9]+)?$"


def dtype(column: Column) -> pl.DataType:
    """The column's type in the tables."""
    if column.type == "int":
        return pl.Int64()
    if column.type == "decimal":
        return pl.Decimal(precision(column), column.scale)
    return {"date": pl.Date(), "datetime": pl.Datetime("us")}.get(column.type, pl.String())


@dataclass(frozen=True, slots=True)
class Checks:
    """One file's checks; `filled` names the columns that hold any text at all, `thai` whether Thai digits occur."""

    contract: Contract
    filled: frozenset[str]
    thai: bool

    def apply(self, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
        """Rows with text columns by wire name -> typed columns by wire name, and the faults of each row as text."""
        columns = [column for column in self.contract.current if column.name in self.filled]
        bare = [
            pl.col(c.name).str.strip_chars(BLANKS).replace("", None).alias(f"b.{c.name}") for c in columns
        ]
        done = (
            rows.lazy()
            .with_columns(bare)
            .with_columns(self._repaired(c).alias(f"d.{c.name}") for c in columns)
            .with_columns(_typed(c).alias(f"v.{c.name}") for c in columns)
            .collect()
        )
        masks = done.lazy().select(self._masks()).collect()
        hot = [mask.name for mask in masks if mask.any()]
        return self._values(done), self._faults(done.hstack(masks.select(hot)), hot)

    def _repaired(self, column: Column) -> pl.Expr:
        """Thai digits, dots of ICD codes, lost zeros, Buddhist years."""
        text = pl.col(f"b.{column.name}")
        if self.thai and not (column.type == "char" and column.privacy in UNCHECKED_WIDTH):
            text = text.str.replace_many(THAI, list("0123456789"))
        if column.icd:
            text = text.str.replace_all(".", "", literal=True)
        if column.name == "HOSPCODE":
            return pl.when(text.str.contains("^[0-9]{1,4}$")).then(text.str.zfill(5)).otherwise(text)
        if column.codes:
            codes, long = sorted(codes_of(column.codes)), text.str.zfill(column.width or 0)
            lost = ~text.is_in(codes) & long.is_in(codes)
            return pl.when(lost).then(long).otherwise(text)
        if column.type in ("date", "datetime"):
            digits = 14 if column.type == "datetime" else 8
            year = text.str.slice(0, 4)
            thai_year = year.is_between(pl.lit("2400"), pl.lit("2700")) & text.str.contains(
                f"^[0-9]{{{digits}}}$"
            )
            moved = (year.str.to_integer(strict=False) - BUDDHIST).cast(pl.String) + text.str.slice(4)
            return pl.when(thai_year).then(moved).otherwise(text)
        return text

    def _masks(self) -> list[pl.Expr]:
        """Which rows have a fault of some column, named `kind.COLUMN`."""
        masks: list[pl.Expr] = []
        for column in self.contract.current:
            name = column.name
            must = name in self.contract.key or column.required
            known = pl.col("layout").is_in(layouts_with(self.contract, column))
            if name not in self.filled:
                masks += [known.alias(f"none.{name}")] if must else []
                continue
            raw, bare, text, value = (pl.col(f"{part}{name}") for part in ("", "b.", "d.", "v."))
            masks += [
                ((raw != bare) & bare.is_not_null()).fill_null(False).alias(f"trim.{name}"),
                (bare != text).fill_null(False).alias(f"fix.{name}"),
                (text.is_not_null() & value.is_null()).alias(f"void.{name}"),
            ]
            if must:
                masks.append((text.is_null() & known).alias(f"none.{name}"))
        return masks

    def _values(self, done: pl.DataFrame) -> pl.DataFrame:
        return done.select(
            pl.col(f"v.{c.name}").alias(c.name)
            if c.name in self.filled
            else pl.lit(None, dtype(c)).alias(c.name)
            for c in self.contract.current
        )

    def _faults(self, done: pl.DataFrame, hot: list[str]) -> pl.Series:
        """`COLUMN:code,...` per row, null where nothing is wrong; only faults that occur are looked at."""
        parts = []
        for mask in hot:
            kind, _, name = mask.partition(".")
            code = self._code(kind, self.contract.column(name))
            parts.append(pl.when(pl.col(mask)).then(pl.lit(f"{name}:") + code))
        if not parts:
            return pl.Series("_faults", [None], dtype=pl.String).new_from_index(0, done.height)
        text = pl.concat_str(parts, separator=",", ignore_nulls=True).replace("", None)
        return done.select(text.alias("_faults")).to_series()

    def _code(self, kind: str, column: Column) -> pl.Expr:
        """The fault code of a row where the mask holds."""
        is_key = column.name in self.contract.key
        if kind == "trim":
            return pl.lit("text.trimmed")
        if kind == "none":
            return pl.lit("key.missing" if is_key else "required.missing")
        if kind == "fix":
            return _repair(column)
        text = pl.col(f"d.{column.name}")
        if column.type in ("date", "datetime"):
            return pl.lit("key.unreadable" if is_key else "date.unreadable")
        if column.type in ("int", "decimal"):
            unreadable = pl.lit("key.unreadable" if is_key else "number.unreadable")
            fits = _fits(column, text)
            rest = pl.when(fits).then(pl.lit("number.range")).otherwise(pl.lit("text.too_long"))
            return pl.when(text.str.contains(NUMBER)).then(rest).otherwise(unreadable)
        listed = pl.lit("code.unknown" if column.codes else "cid.checksum")
        return (
            pl.when(text.str.len_chars() > (column.width or 0))
            .then(pl.lit("text.too_long"))
            .otherwise(listed)
        )


def _repair(column: Column) -> pl.Expr:
    """The code of a repair: what the column's kind allows, Thai digits where the bare text holds some."""
    kinds = {"date": "date.buddhist", "datetime": "date.buddhist"}
    code = kinds.get(column.type, "code.dots" if column.icd else "code.zeros")
    thai = pl.col(f"b.{column.name}").str.contains("[๐-๙]")
    return pl.when(thai).then(pl.lit("digits.thai")).otherwise(pl.lit(code))


def _fits(column: Column, text: pl.Expr) -> pl.Expr:
    """Whether a number has no more digits than the width and no more decimals than the scale."""
    digits = (
        text.str.len_chars()
        - text.str.starts_with("-").cast(pl.UInt32)
        - text.str.contains(".", literal=True)
    )
    shape = rf"^-?[0-9]+(\.[0-9]{{1,{column.scale}}})?$" if column.scale else "^-?[0-9]+$"
    return text.str.contains(shape) & (digits <= (column.width or 0))


def _typed(column: Column) -> pl.Expr:
    """Repaired text -> value; null where a rule is broken."""
    text = pl.col(f"d.{column.name}")
    if column.type == "date":
        shaped = pl.when(text.str.contains("^[0-9]{8}$")).then(text)
        return shaped.str.to_date("%Y%m%d", strict=False)
    if column.type == "datetime":
        shaped = pl.when(text.str.contains("^[0-9]{12}[0-5][0-9]$")).then(text)
        return shaped.str.to_datetime("%Y%m%d%H%M%S", strict=False, time_unit="us")
    if column.type in ("int", "decimal"):
        fits = pl.when(_fits(column, text)).then(text)
        value = (
            fits.str.to_integer(strict=False)
            if column.type == "int"
            else fits.cast(dtype(column), strict=False)
        )
        if column.range:
            value = pl.when(value.cast(pl.Float64).is_between(*column.range)).then(value)
        return value
    if column.privacy in UNCHECKED_WIDTH:
        return text
    good = text.str.len_chars() <= column.width if column.width else pl.lit(True)
    if column.codes:
        good = good & text.is_in(sorted(codes_of(column.codes)))
    if column.checksum == "cid":
        good = good & _valid_cid(text)
    return pl.when(good).then(text)


def _valid_cid(text: pl.Expr) -> pl.Expr:
    """13 digits, the last of them the check digit of the others."""
    number = pl.when(text.str.contains("^[0-9]{13}$")).then(text).str.to_integer(strict=False)
    weighted = pl.sum_horizontal((number // 10 ** (13 - place)) % 10 * (14 - place) for place in range(1, 13))
    return ((11 - weighted % 11) % 10 == number % 10).fill_null(False)
