"""khlang keys: which keys there are and how old they are; never their bytes."""

from __future__ import annotations

import getpass
import json
from datetime import UTC, datetime
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the commands of the key store."""
    keys = typer.Typer(help="The key store: ids and ages of keys, never their bytes.", no_args_is_help=True)
    keys.command("show")(show)
    keys.command("create")(create)
    keys.command("rotate")(rotate)
    keys.command("retire")(retire)
    keys.command("scan")(scan)
    app.add_typer(keys, name="keys")


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


def create() -> None:
    """Make the key store that the settings name, a key for each purpose; one that is there is kept."""
    from khlang.lake import keys
    from khlang.settings import load

    store = keys.create(load())
    typer.echo(f"{len(store.listed())} keys")


Kind = Annotated[str, typer.Argument(help="vault (zips of landing) or names (the name books)")]


Rotated = Annotated[
    str, typer.Argument(help="lake (all pseudonyms), vault (zips of landing) or names (the name books)")
]


def rotate(purpose: Rotated) -> None:
    """A new version of a key; what stands under the old one follows. Cut off, run it again: it goes on."""
    from khlang.lake.rotation import rotate as rotated
    from khlang.settings import load

    if purpose == "lake":
        _rotate_lake()
        return
    done = rotated(load(), purpose, _actor())
    told = "completed the rotation to" if done.resumed else "rotated to"
    typer.echo(f"{told} {done.purpose} v{done.version}: {done.rewrapped} data keys wrapped anew")


def _rotate_lake() -> None:
    """Every pseudonym of bronze, silver and the ledger carried to the next version."""
    from khlang.settings import load
    from khlang.stewardship.rotation import rotate as carried

    done = carried(load(), _actor(), lambda line: typer.echo(line, err=True))
    told = f"lake v{done['since']} carried to v{done['version']}: {done['rows']:,} rows of {done['tables']} tables"
    typer.echo(f"{told}; gold follows with `khlang run gold`")


def retire(purpose: Kind, version: Annotated[int, typer.Argument(help="the old version")]) -> None:
    """Destroy an old key-encryption key, when nothing is wrapped under it any more. Exit 4: something is."""
    from khlang.lake.rotation import retire as retired
    from khlang.settings import load

    retired(load(), purpose, version, _actor())
    typer.echo(f"{purpose} v{version} is destroyed")


def scan() -> None:
    """Does any key's bytes stand in an object, a database, a file or a process's environment? Exit 4: one does."""
    from khlang.errors import PrivacyError
    from khlang.lake.scan.keybytes import key_search, keys_of, scan_keys
    from khlang.lake.scan.report import Report
    from khlang.settings import load

    settings = load()
    report = Report(key_search(keys_of(settings)))
    scan_keys(settings, report, lambda part, searched: typer.echo(f"searching {part}"))
    for hit in report.hits():
        typer.echo(f"{hit.where}: {hit.kind} as {hit.spelling}, at byte {hit.offset}")
    for where, why in sorted(report.unread.items()):
        typer.echo(f"not read: {where} ({why})")
    keys, searched = len(report.search.canaries.values), report.totals["bytes"]
    typer.echo(
        f"{keys} keys in {searched:,} bytes of {report.totals['sources']:,} sources: {len(report.hits())} found"
    )
    if report.counts or report.unread:
        words = ("a key stands outside the key store, or not all could be read", "พบกุญแจนอกที่เก็บกุญแจ")
        step = "docs/runbooks/keys.md: rotate the key, then erase the copy"
        raise PrivacyError("key.leaked", *words, "see above", step)


def _actor() -> str:
    """Whom the audit names."""
    return getpass.getuser()
