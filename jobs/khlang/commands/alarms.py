"""khlang alarms: what the lake itself found wrong with deliveries, and nobody has put right yet."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from khlang.errors import SettingsError

Json = Annotated[bool, typer.Option("--json", help="one JSON object a line, for machines")]
Kind = Annotated[str, typer.Option("--kind", help="silent.facility or jumped.volume")]
Tell = Annotated[bool, typer.Option("--tell", help="only what nobody was told of; it then counts as told")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("alarms")(alarms)


def alarms(as_json: Json = False, kind: Kind = "", tell: Tell = False) -> None:
    """Open alarms, the newest first: facilities gone silent, files whose volume jumped."""
    from datetime import UTC, datetime

    from khlang.lake.alarms import KINDS
    from khlang.lake.ledger import Ledger
    from khlang.settings import load
    from khlang.stack.status import told

    if (kind and kind not in KINDS) or (kind and tell):
        words = ("there is no such kind of alarm, or --tell stands beside it", "ไม่มีการแจ้งเตือนชนิดนี้")
        raise SettingsError("alarm.kind", *words, kind, f"one of {', '.join(KINDS)}; --tell takes all")
    with Ledger.open(load()) as ledger:
        found = ledger.tell_alarms(datetime.now(UTC)) if tell else ledger.alarms(kind or None)
    for alarm in map(told, found):
        line = f"{alarm['raised_at'][:10]}  {alarm['kind']}  {alarm['hospcode']}  {alarm['what']}"
        typer.echo(json.dumps(alarm, ensure_ascii=False) if as_json else line)
    if not found and not as_json:
        typer.echo("no alarm / ไม่มีการแจ้งเตือน")
