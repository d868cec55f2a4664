"""`khlang table NAME`: look at a table of the lake, or export it, without Spark."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the command `table`."""

    @app.command("table")
    def show(
        name: Annotated[str, typer.Argument(help="zone.table, e.g. silver.service")],
        where: Annotated[str | None, typer.Option(help="SQL condition over its columns")] = None,
        known_at: Annotated[
            datetime | None, typer.Option(help="as the lake knew it then (Bangkok time)")
        ] = None,
        export: Annotated[
            Path | None, typer.Option(help="write all rows to FILE.parquet or FILE.csv")
        ] = None,
    ) -> None:
        """Look at a table at its visible version; --export writes all of it."""
        import polars as pl
        from rich import print as show_text

        from khlang.lake.reader import table

        found = table(name, where, known_at)
        if export is not None:
            show_text(f"{found.export(export)} rows of {name} (version {found.version}) -> {export}")
            return
        rows = found.lazy().head(SHOWN).collect()
        total = found.lazy().select(pl.len()).collect().item()
        with pl.Config(tbl_cols=-1, tbl_rows=SHOWN, fmt_str_lengths=24, tbl_hide_dataframe_shape=True):
            print(rows)
        show_text(f"{total} rows, {len(rows.columns)} columns, version {found.version}")
