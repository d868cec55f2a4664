"""What the demo shows at its end: the balance of every file, the time of every stage, where to look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from khlang.demo.scheduler import TaskRun
from khlang.demo.watch import JOBS
from khlang.lake import tables
from khlang.lake.ledger import Ledger
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
    table.add_column("แฟ้ม / file")
    for head in ("ส่งมา / delivered", "รับ / accepted", "ไม่รับ / refused", "ปัจจุบัน / current"):
        table.add_column(head, justify="right")
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
    """Print seconds and rows per second of every stage of this run."""
    table = Table(title=f"เวลา / time per stage, {rows:,} lines in this run", title_justify="left")
    table.add_column("stage")
    table.add_column("seconds", justify="right")
    table.add_column("rows/s", justify="right")
    now, total = datetime.now(UTC), 0.0
    for job in JOBS:
        seconds = sum(t.seconds(now) for t in tasks if t.job == job and t.state == "success")
        total += seconds
        table.add_row(job, f"{seconds:.1f}", f"{rows / seconds:,.0f}" if seconds else "-")
    table.add_section()
    table.add_row("all", f"{total:.1f}", f"{rows / total:,.0f}" if total else "-", style="bold")
    console.print(table)


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


def _numbers(*values: int) -> list[str]:
    return [f"{value:,}" for value in values]
