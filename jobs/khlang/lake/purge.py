"""What tables held before a rebuild: files that no current version names, removed at once, without waiting 30 days."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any
from urllib.request import ProxyHandler, build_opener

from khlang.errors import BusyError
from khlang.lake import tables
from khlang.lake.ledger import Ledger
from khlang.lake.locks import writer
from khlang.lake.stores import boto
from khlang.settings import Settings

ZONES = ("bronze", "silver", "gold")
WORK = "_work/"
"""Short-lived objects of silver, outside every table (khlang.silver.stored)."""
SETTLED = 5.0
"""Seconds until the embedded store has taken removed objects out of its volumes' lists."""
ACTOR = "khlang purge"


def run(settings: Settings) -> Mapping[str, Any] | None:
    """Remove every file that the newest versions do not name, under the locks of all writers; None: none is due.

    Earlier versions can not be read any more. Raises BusyError while a stage has not followed: its tables would
    still hold the old rows, or a reader's version would lose its files.
    """
    with ExitStack() as held:
        for zone in ZONES:
            held.enter_context(writer(settings, zone))
        ledger = held.enter_context(Ledger.open(settings))
        if not ledger.purge_due():
            return None
        if not ledger.all_followed():
            words = ("silver or gold has not followed bronze yet", "ชั้น silver หรือ gold ยังไม่ตามข้อมูลใหม่")
            raise BusyError(
                "purge.early", *words, "gold", "khlang run silver, khlang run gold, then this again"
            )
        files = sum(_vacuumed(settings, name) for name in ledger.visible())
        files += _swept(settings)
        if not settings.lake_endpoint:
            _compact(settings)
        ledger.note_purge(ACTOR, files)
    return {"files_removed": files}


def _vacuumed(settings: Settings, name: str) -> int:
    """Files removed of one table: of older versions, and of attempts that nobody committed."""
    table = tables.open_table(settings, name)
    gone = table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True)
    return len(gone)


def _swept(settings: Settings) -> int:
    """Work objects of batches that died."""
    client, bucket, gone = boto(settings, "lake"), settings.bucket("silver"), 0
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=WORK):
        for entry in page.get("Contents", []):
            client.delete_object(Bucket=bucket, Key=entry["Key"])
            gone += 1
    return gone


def _compact(settings: Settings) -> None:
    """The embedded store rewrites its volumes without removed objects; another store's own upkeep does that."""
    time.sleep(SETTLED)
    address = f"http://127.0.0.1:{settings.port('lake_master')}/vol/vacuum?garbageThreshold=0.000001"
    with build_opener(ProxyHandler({})).open(address, timeout=600) as answer:
        answer.read()
