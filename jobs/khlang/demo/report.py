"""What the demo shows at its end: the balance of every file, the time of every stage, where to look."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from khlang.demo.scheduler import TaskRun
from khlang.demo.watch import JOBS
from khlang.lake import tables
from khlang.lake.ledger import Delivery, Ledger
from khlang.lake.secrets import location
from khlang.settings import Settings


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of one file: delivered = accepted + refused; `current` rows stand in silver."""

    file: str
    delivered: int
    accepted: int
    refused: int
    current: int


def balance(settings: Settings, ledger: Ledger) -> list[Lines]:
    """One row per file of the standard that has arrived, over all deliveries."""
    visible = ledger.visible()
    found = []
    for file in ledger.balance():
        name = f"silver.{file.file.lower()}"
        current = count(settings, name, visible[name]) if name in visible else 0
        found.append(Lines(file.file, file.delivered, file.accepted, file.refused, current))
    return found


def count(settings: Settings, name: str, version: int) -> int:
    """Rows of a table at a version."""
    import polars as pl

    return int(tables.frame(settings, name, version).select(pl.len()).collect().item())


def show_balance(console: Console, lines: list[Lines]) -> None:
    """Print the balance; a file whose lines do not add up is marked."""
    table = Table(title="ยอดสมดุลทุกแฟ้ม / balance of every file, all deliveries", title_justify="left")
    table.add_column("แฟ้ม\nfile", no_wrap=True)
    for head in ("ส่งมา\ndelivered", "รับ\naccepted", "ไม่รับ\nrefused", "ปัจจุบัน\ncurrent"):
        table.add_column(head, justify="right", no_wrap=True)
    for line in lines:
        mark = "" if line.delivered == line.accepted + line.refused else " [red]≠[/red]"
        table.add_row(line.file + mark, *_numbers(line.delivered, line.accepted, line.refused, line.current))
    total = [
        sum(getattr(line, name) for line in lines) for name in ("delivered", "accepted", "refused", "current")
    ]
    table.add_section()
    table.add_row("รวม / total", *_numbers(*total), style="bold")
    console.print(table)


def show_stages(console: Console, tasks: list[TaskRun], rows: int) -> None:
    """Print seconds of every stage of this run, and how many delivered lines that makes a second."""
    table = Table(title="เวลา / time per stage", title_justify="left")
    table.add_column("ขั้น\nstage")
    table.add_column("วินาที\nseconds", justify="right")
    table.add_column("แถว/วินาที\nlines/s", justify="right")
    now, total = datetime.now(UTC), 0.0
    for job in JOBS:
        seconds = sum(t.seconds(now) for t in tasks if t.job == job and t.state == "success")
        total += seconds
        table.add_row(job, f"{seconds:.1f}", f"{rows / seconds:,.0f}" if seconds else "-")
    table.add_section()
    table.add_row("all", f"{total:.1f}", f"{rows / total:,.0f}" if total else "-", style="bold")
    console.print(table)
    counted = f"lines/s: the {rows:,} lines of the zips of this run, over the seconds of the stage"
    console.print(f"{counted} / นับแถวที่ส่งมารอบนี้", highlight=False)


def show_receipt(console: Console, ledger: Ledger, arrived: list[Delivery]) -> None:
    """Print the number of one delivery of this run, one with refused lines when there is any, and how to see it."""
    current = [delivery.receipt for delivery in arrived if delivery.state == "current"]
    refused = [member.receipt for member in ledger.members(current) if member.refused]
    for number in [*refused, *current, *(delivery.receipt for delivery in arrived)][:1]:
        console.print(f"ใบรับ / a receipt: {_khlang()} receipt {number}", soft_wrap=True, highlight=False)


def _khlang() -> str:
    """The command as it is called from here."""
    beside = Path(sys.executable).with_name("khlang")
    if not beside.exists():
        return "python -m khlang"
    return str(beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside)


def show_addresses(console: Console, settings: Settings) -> None:
    """Print where to look, as whom, and where the passwords are."""
    airflow = f"http://127.0.0.1:{settings.port('airflow')}"
    superset = f"http://127.0.0.1:{settings.port('superset')}"
    for what, address, user, password in (
        (
            "dashboard / แดชบอร์ด",
            f"{superset}/superset/dashboard/health-overview/",
            "planner",
            "superset_planner",
        ),
        ("dashboards, administrator", superset, "admin", "superset_admin"),
        ("Airflow", airflow, "admin", "airflow_admin"),
    ):  # plain lines: a narrow terminal may wrap an address, but never cut it
        console.print(f"{what}: {address}", soft_wrap=True, highlight=False)
        console.print(
            f"    user {user}, password: the value of {password}_password in secrets.json",
            soft_wrap=True,
            highlight=False,
        )
    console.print(f"passwords / รหัสผ่าน: {location(settings)}", soft_wrap=True, highlight=False)


def show_front_door(console: Console, settings: Settings, ledger: Ledger, arrived: list[Delivery]) -> None:
    """Print the facilities' page with a new passphrase of a facility that this run delivered for."""
    hospcode = next((delivery.hospcode for delivery in arrived if delivery.hospcode), None)
    if hospcode is None:
        return
    passphrase = ledger.issue_pass(hospcode)
    ledger.audit("demo", "passphrase", hospcode)
    address = f"http://127.0.0.1:{settings.port('front_door')}"
    for line in (
        f"หน้าส่งข้อมูลของหน่วยบริการ / facilities' page: {address}",
        f"    รหัสหน่วยบริการ / facility {hospcode}, รหัสผ่าน / passphrase {passphrase}",
        f"    another facility: {_khlang()} facilities pass HOSPCODE",
    ):
        console.print(line, soft_wrap=True, highlight=False)


def _numbers(*values: int) -> list[str]:
    return [f"{value:,}" for value in values]
