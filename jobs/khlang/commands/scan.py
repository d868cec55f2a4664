"""khlang scan: is any of these values in a byte that lies outside landing? The places, never the values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from khlang.errors import PrivacyError, StoreError

if TYPE_CHECKING:
    from khlang.lake.scan.everything import Say
    from khlang.lake.scan.report import Report

TOLD_EVERY = 10.0
"""Seconds between lines of progress where no terminal shows it all along."""


def register(app: typer.Typer) -> None:
    """Add the command `scan`."""
    app.command("scan")(scan)


def scan(
    canaries: Annotated[
        Path, typer.Option(help="values: Parquet or CSV with kind, value, scan; or one a line")
    ],
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="files and folders; none: KHLANG_HOME but landing and keys, objects, databases"),
    ] = None,
    buckets: Annotated[bool | None, typer.Option(help="the lake's objects, through S3")] = None,
    databases: Annotated[bool | None, typer.Option(help="every table of every database")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> None:
    """Search every byte for known values, in all their spellings. Exit 4: found; 8: something was not read."""
    from khlang.lake.scan.canaries import Canaries
    from khlang.lake.scan.everything import scan_everything
    from khlang.settings import load

    with searching() as say:
        report = scan_everything(
            load(),
            Canaries.read(canaries),
            paths=paths or None,
            buckets=not paths if buckets is None else buckets,
            databases=not paths if databases is None else databases,
            spare=[canaries],
            say=say,
        )
    if as_json:
        for hit in report.hits():
            typer.echo(json.dumps(asdict(hit), ensure_ascii=False))
    else:
        _show(report)
    _judge(report)


def _judge(report: Report) -> None:
    """A find is a failure; so is a place that nobody could read."""
    if report.counts:
        raise PrivacyError(
            "scan.found",
            f"known values stand in {len({hit.where for hit in report.hits()})} places outside landing",
            "พบค่าที่ระบุตัวบุคคลได้นอกพื้นที่ landing",
            report.hits()[0].where,
            "stop publishing; find what wrote there; erase it, then scan again",
        )
    if report.unread:
        raise StoreError(
            "scan.unread",
            f"{len(report.unread)} places could not be read: nothing is known of them",
            "มีบางส่วนที่อ่านไม่ได้ จึงยังยืนยันไม่ได้ว่าไม่มีข้อมูลรั่ว",
            min(report.unread),
            "scan as the account that owns them, with the stack up",
        )


@contextmanager
def searching() -> Iterator[Say]:
    """What is searched and how much was: on a terminal all along, elsewhere a line now and then."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    started = told = monotonic()
    before = ""
    with console.status("looking") as spinner:

        def _say(part: str, searched: int) -> None:
            nonlocal told, before
            line = f"  searching {part}: {searched / 1e6:,.0f} MB, {monotonic() - started:.0f} s"
            spinner.update(line)
            if not console.is_terminal and (part != before or monotonic() - told > TOLD_EVERY):
                console.print(line)
                told, before = monotonic(), part

        yield _say


def _show(report: Report) -> None:
    for hit in report.hits():  # plain lines: a narrow terminal may wrap a place, but never cut it
        typer.echo(hit.where)
        counted = f"{hit.count} times, {hit.values} values, the first at byte {hit.offset}, mark {hit.mark}"
        typer.echo(f"    {hit.kind} as {hit.spelling}: {counted}")
    for title, places in (("not read", report.unread), ("not unpacked, bytes searched", report.undecoded)):
        for where, why in sorted(places.items()):
            typer.echo(f"{title}: {where} ({why})")
    searched, skipped = len(report.search.canaries.values), report.search.canaries.skipped
    typer.echo(
        f"{searched} values ({skipped} too short or not to be scanned) in {report.totals['bytes']:,} bytes of "
        f"{report.totals['sources']:,} sources: {sum(hit.count for hit in report.hits())} found"
    )
