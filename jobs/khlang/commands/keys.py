"""khlang keys: which keys there are and how old they are; never their bytes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the commands of the key store."""
    keys = typer.Typer(help="The key store: ids and ages of keys, never their bytes.", no_args_is_help=True)
    keys.callback()(_keys)
    keys.command("show")(show)
    app.add_typer(keys, name="keys")


def _keys() -> None:
    """Keep `show` a word of its own while it is the only one."""


def show(as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False) -> None:
    """Purpose, version, id and age of every key. Refuses like every job when a key is unfit. Exit 4."""
    from rich.console import Console
    from rich.table import Table

    from khlang.lake.keys import KeyStore
    from khlang.model.bangkok import clock
    from khlang.settings import load

    now = datetime.now(UTC)
    rows = [
        {
            "purpose": key.purpose,
            "version": key.version,
            "id": key.id,
            "created": key.created.isoformat(timespec="seconds") if as_json else clock(key.created),
            "days": (now - key.created).days,
        }
        for key in KeyStore.open(load()).listed()
    ]
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row))
        return
    table = Table(*("created (Asia/Bangkok)" if name == "created" else name for name in rows[0]))
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console().print(table)
