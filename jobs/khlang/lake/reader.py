"""A table of the lake for analysts: to Arrow, pandas or polars without Spark, at the visible version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import polars as pl
import polars.selectors as cs

from khlang.errors import SettingsError, StoreError
from khlang.lake import tables
from khlang.lake.ledger import Ledger
from khlang.lake.parquet import arrow
from khlang.settings import Settings, load

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

BANGKOK = ZoneInfo("Asia/Bangkok")


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
        return pl.SQLContext(t=rows).execute(f"SELECT * FROM t WHERE {self.where}", eager=False)

    def polars(self) -> pl.DataFrame:
        """All rows as a polars frame."""
        return self.lazy().collect()

    def arrow(self) -> pa.Table:
        """All rows as an Arrow table."""
        return arrow(self.polars())

    def pandas(self) -> pd.DataFrame:
        """All rows as a pandas frame."""
        return self.arrow().to_pandas()

    def export(self, path: Path) -> int:
        """Write the rows to PATH (.parquet or .csv); returns how many."""
        rows = self.polars()
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            pq.write_table(arrow(rows), path)
        elif path.suffix == ".csv":
            # hashes are bytes: as text they are hexadecimal, for CSV knows no bytes
            rows.with_columns(cs.binary().bin.encode("hex")).write_csv(path)
        else:
            raise SettingsError("export.form", "a table is exported as .parquet or .csv", place=path.name)
        return rows.height


def _moment(known_at: datetime | date) -> datetime:
    """A moment in UTC; a day means its end in Bangkok."""
    if not isinstance(known_at, datetime):
        known_at = datetime.combine(known_at, time.max, BANGKOK)
    return known_at.replace(tzinfo=known_at.tzinfo or BANGKOK).astimezone(UTC)


def table(
    name: str,
    where: str | None = None,
    known_at: datetime | date | None = None,
    settings: Settings | None = None,
) -> Table:
    """A table ("silver.service") as readers may see it, or as the lake knew it at a moment.

    Raises StoreError when no complete batch holds it (at that time).
    """
    chosen = settings or load()
    ledger = Ledger.open(chosen)
    versions = ledger.visible() if known_at is None else ledger.visible_at(_moment(known_at))
    if name not in versions:
        raise StoreError(
            "table.invisible", f"no complete batch holds {name}", "ยังไม่มีข้อมูลตารางนี้", name, "khlang status"
        )
    return Table(chosen, name, versions[name], where)
