"""`khlang demo`: stack up, invented extracts delivered, DAGs run by the scheduler, numbers shown."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from khlang.demo.months import Post
    from khlang.lake.ledger import Ledger
    from khlang.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    facilities: Annotated[int, typer.Option(help="facilities of a set of invented extracts")] = 60,
    persons: Annotated[int, typer.Option(help="mean catchment population of a facility")] = 260,
    minutes: Annotated[float, typer.Option(help="give up when nothing is published after so long")] = 15,
) -> None:
    """Start the stack, deliver invented extracts, wait for the DAGs, print the balance and the addresses."""
    from rich.console import Console

    from khlang.demo.months import Size, next_post
    from khlang.lake.ledger import Ledger
    from khlang.settings import load

    console, settings, began = Console(), load(), time.monotonic()
    console.rule("1 บริการ / stack", align="left")
    _start(settings)
    with Ledger.open(settings) as ledger:
        console.rule("2 ข้อมูลสมมุติ / invented extracts", align="left")
        post = next_post(settings, ledger, Size(facilities, persons), console.print)
        _register(ledger, post, console)
        _run(settings, ledger, post, console, minutes * 60)
    console.print(f"done in {time.monotonic() - began:.0f} s / เสร็จแล้ว", style="bold green")


def _start(settings: Settings) -> None:
    from khlang.stack.plan import up
    from khlang.stack.progress import progress

    with progress() as say:
        up(settings, (), say)


def _register(ledger: Ledger, post: Post, console: Console) -> None:
    """The set's facilities may deliver from now on."""
    from khlang.model.facility import facilities

    loaded = ledger.load_facilities(facilities(post.registry.read_text("utf-8")))
    console.print(f"  registry: {loaded.added} facilities added, {loaded.unchanged} known")
    console.print(f"  to deliver: {len(post.zips)} zips of {', '.join(post.months)}")


def _run(settings: Settings, ledger: Ledger, post: Post, console: Console, limit: float) -> None:
    """Deliver, let Airflow work, show what came of it."""
    from khlang.demo.report import (
        balance,
        show_addresses,
        show_balance,
        show_front_door,
        show_receipt,
        show_stages,
    )
    from khlang.demo.scheduler import Scheduler
    from khlang.demo.watch import DAGS, Watch

    scheduler = Scheduler(settings)
    scheduler.await_dags(DAGS, seconds=120)
    began = datetime.now(UTC).replace(microsecond=0)  # the store tells whole seconds
    watch = Watch(scheduler, ledger, began, len(post.zips), console)
    console.rule("3 ส่งข้อมูล / delivery", align="left")
    _deliver(settings, post.zips, console)
    console.rule("4 Airflow: ingest → curate → publish", align="left")
    for dag in DAGS:
        scheduler.unpause(dag)
    scheduler.trigger("ingest")
    tasks = watch.until_published(limit)
    console.rule("5 ผล / result", align="left")
    arrived = watch.deliveries()
    rows = sum(file.delivered for file in ledger.balance([delivery.receipt for delivery in arrived]))
    show_balance(console, balance(settings, ledger))
    show_stages(console, tasks, rows)
    show_addresses(console, settings)
    show_front_door(console, settings, ledger, arrived)
    show_receipt(console, ledger, arrived)


def inbox_key(path: Path) -> str:
    """Where a facility puts a zip: sender, day, name; one that is sent again never takes the place of the first."""
    sender = path.name[4:9] if path.name[4:9].isdigit() else "other"
    return f"{sender}/{path.parent.name}/{path.name}"


def _deliver(settings: Settings, zips: tuple[Path, ...], console: Console) -> None:
    """Every second zip through `khlang deliver`, the others put straight into the inbox bucket."""
    from khlang.lake.stores import boto
    from khlang.landing.deliver import deliver_all

    client, bucket = boto(settings, "landing"), settings.bucket("inbox")
    for path in zips[1::2]:
        client.upload_file(str(path), bucket, inbox_key(path))
    console.print(f"  {len(zips[1::2])} zips put into the bucket {bucket} by other means")
    began = time.monotonic()
    taken = deliver_all(settings, list(zips[::2]))
    refused = sum(delivery.state == "rejected" for delivery in taken)
    console.print(
        f"  {len(taken)} zips delivered at the door in {time.monotonic() - began:.1f} s, {refused} refused"
    )
