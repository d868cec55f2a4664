"""A table of the lake for analysts: to Arrow, pandas or polars without Spark, at the visible version."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import polars.selectors as cs

from khlang.errors import SettingsError
from khlang.lake import tables
from khlang.lake.asked import not_a_condition, not_a_table, nothing_visible
from khlang.lake.ledger import Ledger
from khlang.lake.parquet import arrow
from khlang.model.bangkok import BANGKOK
from khlang.settings import Settings, load

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

FORMS = (".parquet", ".csv")

"""Endings of files to which a table is exported."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table at one Delta version; nothing is read before it is asked for."""

    settings: Settings
    name: str
    version: int
    where: str | None = None

    def lazy(self) -> pl.LazyFrame:
        """A polars query over the table; `where` is SQL over its columns."""
        rows = tables.frame(self.settings, self.name, self.version)
        if self.where is None:
            return rows
        with self._condition(rows):
            chosen = pl.SQLContext(t=rows).execute(f"SELECT * FROM t WHERE {self.where}", eager=False)
            chosen.collect_schema()
            return chosen

    def polars(self) -> pl.DataFrame:
        """All rows as a polars frame."""
        return self.collected(self.lazy())

    def collected(self, query: pl.LazyFrame) -> pl.DataFrame:
        """What a query over `lazy()` gives; some conditions show only now that they fit no value."""
        with self._condition(query):
            return query.collect()

    @contextmanager
    def _condition(self, rows: pl.LazyFrame) -> Iterator[None]:
        """A condition that can not be kept is named; without one, a failure of polars is a bug and stays one."""
        try:
            yield
        except pl.exceptions.PolarsError as raw:
            if self.where is None:
                raise
            columns = tables.frame(self.settings, self.name, self.version).collect_schema().names()
            raise not_a_condition(self.name, columns, raw) from None

    def arrow(self) -> pa.Table:
        """All rows as an Arrow table."""
        return arrow(self.polars())

    def pandas(self) -> pd.DataFrame:
        """All rows as a pandas frame."""
        return self.arrow().to_pandas()

    def export(self, path: Path) -> int:
        """Write the rows to PATH (.parquet or .csv); returns how many."""
        if path.suffix not in FORMS:
            words = ("a table is exported as .parquet or .csv", "ส่งออกได้เฉพาะ .parquet หรือ .csv")
            raise SettingsError("export.form", *words, path.name, f"give the file one of the endings {FORMS}")
        rows = self.polars()
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            pq.write_table(arrow(rows), path)
        else:
            flat(rows).write_csv(path)
        return rows.height


def flat(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows as CSV can hold them: bytes (hashes) as hexadecimal text, lists and records (faults) as JSON text."""
    nested = [name for name, kind in rows.schema.items() if kind.is_nested()]
    told = rows.with_columns(cs.binary().bin.encode("hex"))
    return told.with_columns(_as_json(told[name]) for name in nested)


def _as_json(values: pl.Series) -> pl.Series:
    told = [None if value is None else json.dumps(value, ensure_ascii=False) for value in values.to_list()]
    return pl.Series(values.name, told, dtype=pl.String)


def _moment(known_at: datetime | date) -> datetime:
    """A moment in UTC; a day means its end in Bangkok."""
    if not isinstance(known_at, datetime):
        known_at = datetime.combine(known_at, time.max, BANGKOK)
    return known_at.replace(tzinfo=known_at.tzinfo or BANGKOK).astimezone(UTC)


def visible(known_at: datetime | date | None = None, settings: Settings | None = None) -> dict[str, int]:
    """Table -> Delta version that readers may see, or that the lake showed at a moment."""
    ledger = Ledger.open(settings or load())
    return ledger.visible() if known_at is None else ledger.visible_at(_moment(known_at))


def table(
    name: str,
    where: str | None = None,
    known_at: datetime | date | None = None,
    settings: Settings | None = None,
) -> Table:
    """A table ("silver.service") as readers may see it, or as the lake knew it at a moment.

    Raises SettingsError for a name that no table has or a condition that is none, StoreError when no
    complete batch holds the table (at that time).
    """
    chosen = settings or load()
    versions = visible(known_at, chosen)
    if name not in versions:
        raise not_a_table(name, versions) or nothing_visible(name, known_at is not None)
    return Table(chosen, name, versions[name], where)
