"""khlang up, down, status: the embedded stack on loopback."""

from __future__ import annotations

from typing import Annotated

import typer

Only = Annotated[str, typer.Option("--only", help="groups or services: stores,database ...")]
Json = Annotated[bool, typer.Option("--json", help="one JSON object for machines")]


def register(app: typer.Typer) -> None:
    """Add the commands of the stack."""
    app.command("up")(up)
    app.command("down")(down)
    app.command("status")(status)


def up(only: Only = "") -> None:
    """Start the stack: stores, database, Airflow, dashboards; starts again what has died."""
    from khlang.settings import load
    from khlang.stack.plan import up as start
    from khlang.stack.progress import progress

    with progress() as say:
        start(load(), _names(only), say)


def down(only: Only = "") -> None:
    """Stop the stack; waits until every process has ended."""
    from khlang.settings import load
    from khlang.stack.plan import down as stop
    from khlang.stack.progress import progress

    with progress() as say:
        stop(load(), _names(only), say)


def status(json: Json = False) -> None:
    """Health, addresses, folders and freshness of the stack."""
    from khlang.settings import load
    from khlang.stack.status import report, show

    found = report(load())
    show(found, as_json=json)
    if not found.healthy:
        raise typer.Exit(7)


def _names(only: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in only.split(",") if name.strip())
