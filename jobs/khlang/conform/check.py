"""Text values that are not plainly right -> typed values; what breaks a rule becomes null and is named."""

from __future__ import annotations

import polars as pl

from khlang.conform.faultlog import FaultLog
from khlang.conform.repair import gregorian, padded, western_digits, without_dots
from khlang.model.codes import codes_of
from khlang.model.contract import UNCHECKED_WIDTH, Column

DIGITS_IN_DECIMAL = 38
FORM = "value.form"
NO_FIGURE = r"^-?0[0-9]{8}"
"""No figure begins like this: a telephone number or an id does."""


def lake_type(column: Column) -> pl.DataType:
    """The column's type in bronze and silver; a decimal gets room for its whole width before the point."""
    if column.type == "int":
        return pl.Int64()
    if column.type == "decimal":
        return pl.Decimal(min(DIGITS_IN_DECIMAL, (column.width or 0) + column.scale), column.scale)
    if column.type == "date":
        return pl.Date()
    if column.type == "datetime":
        return pl.Datetime("us")
    return pl.String()


def _void(text: pl.Series, wrong: pl.Series, column: Column, code: str, log: FaultLog) -> pl.Series:
    """Values where `wrong` holds become null under that code."""
    if not log.add(wrong, column.name, code):
        return text
    return text.zip_with(
        ~wrong.fill_null(False), pl.Series([None], dtype=text.dtype).new_from_index(0, len(text))
    )


def _date(column: Column, text: pl.Series, log: FaultLog, unreadable: str) -> pl.Series:
    """YYYYMMDD or YYYYMMDDHHMMSS -> date or wall-clock time; Buddhist years are repaired first."""
    moved = gregorian(column, text, log)
    exact = moved.str.contains(r"^[0-9]{14}$" if column.type == "datetime" else r"^[0-9]{8}$")
    if column.type == "datetime":
        exact = exact & (moved.str.slice(12, 2) < "60")
        clean = moved.set(~exact.fill_null(True), None)
        parsed = clean.str.to_datetime("%Y%m%d%H%M%S", strict=False, time_unit="us")
    else:
        clean = moved.set(~exact.fill_null(True), None)
        parsed = clean.str.to_date("%Y%m%d", strict=False)
    log.add(moved.is_not_null() & parsed.is_null(), column.name, unreadable)
    log.add((moved != text) & parsed.is_not_null(), column.name, "date.buddhist")
    return parsed


def _number(column: Column, text: pl.Series, log: FaultLog, unreadable: str) -> pl.Series:
    """-?digits[.digits] -> int64 or decimal; width in digits, scale, range (exact rules, 5)."""
    text = _void(text, ~text.str.contains(r"^-?[0-9]+(\.[0-9]+)?$"), column, unreadable, log)
    text = _void(text, text.str.contains(NO_FIGURE), column, FORM, log)
    digits = text.str.len_chars() - text.str.starts_with("-") - text.str.contains(".", literal=True)
    long = digits > (column.width or DIGITS_IN_DECIMAL)
    parts = text.str.splitn(".", 2).struct.field("field_1")
    long = long | (parts.str.len_chars().fill_null(0) > column.scale)
    text = _void(text, long, column, "text.too_long", log)
    value = (
        text.str.to_integer(strict=False)
        if column.type == "int"
        else text.cast(lake_type(column), strict=False)
    )
    if column.range:
        low, high = column.range
        figure = value.cast(pl.Float64)
        value = _void(value, (figure < low) | (figure > high), column, "number.range", log)
    return value


def valid_cid(text: pl.Expr) -> pl.Expr:
    """Whether each value is 13 digits with a right check digit: x = sum(d_i * (14-i)), (11 - x mod 11) mod 10."""
    number = pl.when(text.str.contains(r"^[0-9]{13}$")).then(text).str.to_integer(strict=False)
    weighted = pl.sum_horizontal((number // 10 ** (13 - i)) % 10 * (14 - i) for i in range(1, 13))
    return ((11 - weighted % 11) % 10 == number % 10).fill_null(False)


def _chars(column: Column, text: pl.Series, log: FaultLog) -> pl.Series:
    """Codes, ids and texts: width in characters, closed code list or form, check digit."""
    if column.privacy in UNCHECKED_WIDTH:
        return text
    if column.width is not None:
        text = _void(text, text.str.len_chars() > column.width, column, "text.too_long", log)
    text = padded(column, text, log)
    if column.codes:
        listed = text.is_in(pl.Series(sorted(codes_of(column.codes))).implode())
        text = _void(text, text.is_not_null() & ~listed, column, "code.unknown", log)
    if column.shape is not None:
        text = _void(text, ~text.str.contains(column.shape.pattern), column, FORM, log)
    if column.checksum == "cid":
        valid = pl.select(valid_cid(pl.lit(text))).to_series()
        text = _void(text, text.is_not_null() & ~valid, column, "cid.checksum", log)
    return text


def typed(column: Column, text: pl.Series, log: FaultLog, is_key: bool) -> pl.Series:
    """One column's trimmed text -> typed values, nulls where void; every fault goes to the log.

    Order (extracts rules, 5): Thai digits, Buddhist year, type, width, range, code list or form, check digit.
    """
    text = western_digits(column, text, log)
    unreadable = "key.unreadable" if is_key else None
    if column.type in ("date", "datetime"):
        return _date(column, text, log, unreadable or "date.unreadable")
    if column.type in ("int", "decimal"):
        return _number(column, text, log, unreadable or "number.unreadable")
    return _chars(column, without_dots(column, text, log), log)
