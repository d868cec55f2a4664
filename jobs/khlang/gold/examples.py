"""Worked examples of the catalog -> small views, so that every declared select is run as it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from khlang.conform.conform import stored_schema
from khlang.gold import frames, plan
from khlang.gold.frames import LEDGER, arrow_type
from khlang.gold.views import FACILITY, FACILITY_AREA, code_view, facility_area_view
from khlang.lake.linked import NAME, link_schema
from khlang.lake.parquet import arrow_schema
from khlang.model.contract import contracts
from khlang.model.facility import Facility
from khlang.model.indicator import Indicator
from khlang.model.mart import Example, Mart, functions, in_order, is_external, marts

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LINKED = NAME.replace(".", "_")
Rows = list[dict[str, Any]]


def declare_functions(session: SparkSession) -> None:
    """The catalog's SQL functions, once per session."""
    for function in functions().values():
        session.sql(function.ddl)


def mart_rows(session: SparkSession, mart: Mart, example: Example) -> Rows:
    """Rows that a mart gives for an example's input."""
    if not mart.by_select:
        views = {view: pl.DataFrame(_table(view, example.given.get(view, []))) for view in mart.reads}
        return frames.made(mart, views).to_pylist()
    _open(session, [mart.name], example.given)
    return session.table(mart.name).toArrow().to_pylist()


def indicator_rows(session: SparkSession, indicator: Indicator, example: Example) -> Rows:
    """Rows of gold.indicator at level province for an example's input, without level and indicator."""
    read = [view for definition in indicator.definitions for view in definition.reads]
    _open(session, [*read, "computed_year", "facility"], example.given)
    _register(session, "facility_area", facility_area_view(map(_facility, example.given["facility"])))
    rows = session.sql(plan.exact([indicator])).where("level = 'province'").toArrow().to_pylist()
    named = ("area", "fiscal_year", "month", "numerator", "denominator")
    return [{name: row[name] for name in named if row[name] is not None} for row in rows]


def agree(expected: Iterable[Mapping[str, Any]], got: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the rows are those expected, in any order; each expected row compares the columns it names."""
    left = [{name: _plain(value) for name, value in row.items()} for row in got]
    for wanted in expected:
        match = next(
            (row for row in left if all(row.get(name) == value for name, value in wanted.items())), None
        )
        if match is None:
            return False
        left.remove(match)
    return not left


def _plain(value: Any) -> Any:
    """A value as it is written in TOML: decimals as text."""
    return str(value) if isinstance(value, Decimal) else value


def _facility(row: Mapping[str, Any]) -> Facility:
    """A facility of an example: code and province are enough."""
    return Facility(row["hospcode"], "", "", "", "", row["province"], 0, "", "")


def _open(session: SparkSession, wanted: Iterable[str], given: Mapping[str, Rows]) -> None:
    """Views of the example's rows, empty ones of what it does not give, and the declared selects over them."""
    chosen = list(wanted)
    order = in_order([name for name in chosen if name not in given], marts())
    outside = {view for mart in order for view in mart.reads if is_external(view)}
    for view in outside | {name for name in chosen if is_external(name)} | set(given):
        if view not in given and view.startswith("code_"):
            _register(session, view, code_view(view))
        else:
            _register(session, view, _table(view, given.get(view, [])))
    for mart in order:
        if mart.name not in given:
            session.sql(mart.sql).createOrReplaceTempView(mart.name)


def _register(session: SparkSession, view: str, rows: pa.Table) -> None:
    session.createDataFrame(rows).createOrReplaceTempView(view)


def _table(view: str, rows: Rows) -> pa.Table:
    """The rows of a view with all its columns; those not given are null."""
    schema = _schema(view, rows)
    unknown = {name for row in rows for name in row} - set(schema.names)
    if unknown:
        raise KeyError(f"{view} has no columns {sorted(unknown)}")
    columns = [
        pa.array([_typed(row.get(field.name), field.type) for row in rows], type=field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _schema(view: str, rows: Rows) -> pa.Schema:
    """Columns of a view: of the contract, a declared mart, the ledger, the registry, or as given (code lists)."""
    if view == LINKED:
        return arrow_schema(link_schema())
    if view.startswith("silver_"):
        contract = next(c for c in contracts().values() if c.table == view.removeprefix("silver_"))
        return arrow_schema(stored_schema(contract)).append(pa.field("person_key", pa.string()))
    if view in marts():
        return pa.schema([(column.name, arrow_type(column.type)) for column in marts()[view].fields])
    if view in LEDGER:
        return arrow_schema(LEDGER[view])
    if view.startswith("code_"):
        return pa.schema(
            [(name, pa.string()) for name in dict.fromkeys(name for row in rows for name in row)]
        )
    return FACILITY_AREA if view == "facility_area" else FACILITY


def _typed(value: Any, kind: pa.DataType) -> Any:
    """A TOML value in the column's type: decimals are written as text."""
    if value is not None and pa.types.is_decimal(kind):
        return Decimal(str(value)).quantize(Decimal(1).scaleb(-kind.scale))
    if isinstance(value, date) and not isinstance(value, datetime) and pa.types.is_timestamp(kind):
        return datetime(value.year, value.month, value.day)
    return value
