"""khlang deliver, withdraw, facilities: the front door and the registry behind it."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from khlang.errors import SettingsError

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from khlang.lake.ledger import Delivery
    from khlang.model.facility import Facility

Json = Annotated[bool, typer.Option("--json", help="one JSON object a line, for machines")]


def register(app: typer.Typer) -> None:
    """Add the commands of the door."""
    app.command("deliver")(deliver)
    app.command("withdraw")(withdraw)
    registry = typer.Typer(help="The registry of facilities: who may deliver.", no_args_is_help=True)
    registry.command("load")(load_facilities)
    registry.command("list")(list_facilities)
    registry.command("pass")(issue_pass)
    app.add_typer(registry, name="facilities")


def deliver(
    zips: Annotated[list[Path], typer.Argument(help="zips, or folders with zips in them")],
    as_json: Json = False,
) -> None:
    """Verify zips, store them in landing, record them; prints the receipt numbers. Exit 5: one was refused."""
    from khlang.landing.deliver import deliver_all
    from khlang.settings import load

    paths = _found(zips)
    with _progress(len(paths), quiet=as_json) as advance:
        taken = deliver_all(load(), paths, advance)
    if as_json:
        for delivery in taken:
            typer.echo(json.dumps(_as_json(delivery), ensure_ascii=False))
    else:
        _show_receipts(taken)
    if any(delivery.state == "rejected" for delivery in taken):
        raise typer.Exit(5)


def withdraw(
    number: Annotated[str, typer.Argument(help="receipt number of the delivery")],
    cause: Annotated[str, typer.Option(help="why, for the audit; no patient's particulars")],
) -> None:
    """Take a wrong delivery back: with the next curate, earlier versions of its rows are current again."""
    from khlang.lake.ledger import Ledger
    from khlang.settings import load

    if not cause.strip():
        words = ("a withdrawal needs its cause", "การยกเลิกต้องระบุเหตุผล")
        raise SettingsError("withdraw.cause", *words, "--cause", 'for example --cause "wrong month"')
    with Ledger.open(load()) as ledger:
        delivery = ledger.withdraw(number, cause)
        ledger.audit(getpass.getuser(), "withdraw", number)
    typer.echo(f"{delivery.receipt}: {delivery.state}; khlang run silver / ยกเลิกแล้ว")


def load_facilities(
    file: Annotated[Path, typer.Argument(help="CSV: hospcode, hospcode9, name, level, hostype, ...")],
    since: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="in force since; default: now")
    ] = None,
) -> None:
    """Take over a registry: new and changed facilities are in force from a day on, none is removed."""
    from khlang.lake.ledger import Ledger
    from khlang.model.bangkok import BANGKOK
    from khlang.model.facility import facilities
    from khlang.settings import load

    found = facilities(_registry(file))
    with Ledger.open(load()) as ledger:
        loaded = ledger.load_facilities(found, since.replace(tzinfo=BANGKOK) if since else None)
        ledger.audit(getpass.getuser(), "facilities", f"{loaded.added} added, {loaded.changed} changed")
    typer.echo(f"{loaded.added} added, {loaded.changed} changed, {loaded.unchanged} unchanged")


def _registry(file: Path) -> str:
    """The text of a registry's file; raises SettingsError when it is not there, or not UTF-8."""
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError:
        words = ("the registry is not UTF-8", "ไฟล์ทะเบียนไม่ใช่ UTF-8")
        step = "save it as `CSV UTF-8`; nothing was loaded"
        raise SettingsError("facilities.encoding", *words, file.name, step) from None


def list_facilities(as_json: Json = False) -> None:
    """Facilities in force."""
    from dataclasses import asdict

    from khlang.commands.receipt_form import screen
    from khlang.lake.ledger import Ledger
    from khlang.settings import load

    with Ledger.open(load()) as ledger:
        found = ledger.facilities()
    if as_json:
        for facility in found:
            typer.echo(json.dumps(asdict(facility), ensure_ascii=False))
        return
    screen().print(registry_table(found))


def issue_pass(
    hospcodes: Annotated[list[str], typer.Argument(help="codes of facilities, five digits each")],
    revoke: Annotated[bool, typer.Option("--revoke", help="take the passphrase back instead")] = False,
) -> None:
    """A new passphrase for the facilities' page, shown once; the one before it ends, with its sessions."""
    from khlang.lake.ledger import Ledger
    from khlang.settings import load

    with Ledger.open(load()) as ledger:
        for hospcode in hospcodes:
            if revoke:
                ledger.revoke_pass(hospcode)
                ledger.audit(getpass.getuser(), "passphrase revoked", hospcode)
                typer.echo(f"{hospcode}: revoked / ยกเลิกรหัสผ่านแล้ว")
            else:
                passphrase = ledger.issue_pass(hospcode)
                ledger.audit(getpass.getuser(), "passphrase", hospcode)
                typer.echo(f"{hospcode}: {passphrase}")


def registry_table(found: Iterable[Facility]) -> RichTable:
    """Facilities, a row each; the codes of a place stand together."""
    from rich.table import Table

    table = Table()
    for head in ("รหัส\nhospcode", "รหัส 9\nhospcode9", "ชื่อ\nname", "ระดับ\nlevel", "ประเภท\ntype"):
        table.add_column(head, no_wrap="name" not in head, overflow="fold")
    table.add_column("เขต จว. อ. ต.\nregion, place", no_wrap=True)
    table.add_column("เปิด-ปิด\nopened, closed", overflow="fold")
    for one in found:
        place = f"{one.health_region} {one.province} {one.ampur} {one.tambon}"
        told = " - ".join(str(day) for day in (one.opened, one.closed) if day)
        life = f"{told} → {one.successor}" if one.successor else told
        table.add_row(one.hospcode, one.hospcode9, one.name, one.level, one.hostype, place, life)
    return table


def _found(given: list[Path]) -> list[Path]:
    """The zips that are meant: files, and those in folders. What is not there is named before any is taken."""
    missing = [str(path) for path in given if not path.exists()]
    if missing:
        words = ("there is no such file or folder", "ไม่พบไฟล์หรือโฟลเดอร์นี้")
        step = "check the path; nothing was delivered"
        raise SettingsError("zip.missing", *words, ", ".join(missing), step)
    paths = [found for path in given for found in (sorted(path.rglob("*.zip")) if path.is_dir() else [path])]
    if not paths:
        words = ("there is no zip in the folder", "ไม่มีไฟล์ zip ในโฟลเดอร์")
        step = "name the folder that holds F43_<hospcode>_<time>.zip"
        raise SettingsError("zip.missing", *words, ", ".join(map(str, given)), step)
    return paths


def _as_json(delivery: Delivery) -> dict[str, str | None]:
    """What `deliver --json` says of a zip."""
    return {
        "receipt": delivery.receipt,
        "zip": delivery.name,
        "facility": delivery.hospcode,
        "state": delivery.state,
        "code": delivery.code,
        "duplicate_of": delivery.duplicate_of,
    }


def _show_receipts(taken: list[Delivery]) -> None:
    """The table of receipt numbers."""
    from rich.table import Column, Table
    from rich.text import Text

    from khlang.commands.receipt_form import screen, sentence
    from khlang.model.faults import catalogue
    from khlang.receipts.words import LANGS

    heads = ("เลขที่\nreceipt", "zip", "สถานะ\nstate", "รหัส\ncode")
    table = Table(*(Column(head, no_wrap=True) for head in heads))
    for delivery in taken:
        told = f"= {delivery.duplicate_of}" if delivery.duplicate_of else delivery.code or ""
        table.add_row(delivery.receipt, delivery.name, delivery.state, told)
    console = screen()
    console.print(table)
    for code in dict.fromkeys(delivery.code for delivery in taken if delivery.code):
        console.print(Text(f"{code}\n{sentence(catalogue()[code], LANGS)}"))


@contextmanager
def _progress(total: int, quiet: bool) -> Iterator[Callable[[Delivery], None]]:
    """A bar while zips are taken, on the error stream."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as bar:
        task = bar.add_task("deliver", total=total)
        yield lambda _: bar.advance(task)
