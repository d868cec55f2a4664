"""`khlang table NAME`: look at a table of the lake, or export it, without Spark."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from khlang.lake.reader import Table

SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the command `table`."""
    app.command("table")(table)


def table(
    name: Annotated[
        str | None, typer.Argument(help="zone.table, e.g. silver.service; none: what tables there are")
    ] = None,
    where: Annotated[str | None, typer.Option(help="SQL condition over its columns")] = None,
    columns: Annotated[str, typer.Option(help="NAME,NAME: these, however wide")] = "",
    rows: Annotated[int, typer.Option(min=1, help="how many rows to show")] = SHOWN,
    known_at: Annotated[datetime | None, typer.Option(help="as the lake knew it then (Bangkok time)")] = None,
    export: Annotated[Path | None, typer.Option(help="write all rows to FILE.parquet or FILE.csv")] = None,
) -> None:
    """Look at a table at its visible version; --export writes all of it. Without a name: the tables there are."""
    from khlang.lake.reader import table as opened

    if name is None:
        _list(known_at)
        return
    found = opened(name, where, known_at)
    if export is not None:
        typer.echo(f"{found.export(export):,} rows of {name} (version {found.version}) -> {export}")
        return
    _show(found, [column.strip() for column in columns.split(",") if column.strip()], rows)


def _show(found: Table, asked: list[str], rows: int) -> None:
    """The first rows and, below, what is not shown."""
    import polars as pl

    from khlang.commands.receipt_form import screen
    from khlang.commands.table_form import show, show_rest
    from khlang.lake.asked import not_a_column

    chosen = found.lazy()
    known = chosen.collect_schema().names()
    for column in asked:
        if column not in known:
            raise not_a_column(column, found.name, known)
    total = int(found.collected(chosen.select(pl.len())).item())
    first = found.collected(chosen.head(rows))
    console = screen()
    left = show(console, found.name, first, asked)
    console.print(f"{found.name}, version {found.version}", highlight=False)
    show_rest(console, (first.height, total), len(known) - len(left), left)


def _list(known_at: datetime | None) -> None:
    """The tables that readers may see, zone by zone."""
    from khlang.lake.reader import visible

    versions = visible(known_at)
    for zone in dict.fromkeys(name.partition(".")[0] for name in sorted(versions)):
        names = sorted(name.partition(".")[2] for name in versions if name.partition(".")[0] == zone)
        typer.echo(f"{zone}: {', '.join(names)}")
    if versions:
        typer.echo(f"name one as zone.table / ระบุชื่อแบบนี้: khlang table {max(versions)}")
    else:
        typer.echo("no table yet: no batch is complete / ยังไม่มีตาราง: ยังไม่มีชุดข้อมูลที่เสร็จสมบูรณ์")
