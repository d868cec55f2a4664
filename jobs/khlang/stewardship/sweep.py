"""Old versions of the lake's tables: after an erasure nothing of them may be left to read."""

from __future__ import annotations

from khlang.errors import BusyError
from khlang.lake import tables
from khlang.lake.ledger import Ledger
from khlang.lake.locks import writer
from khlang.lake.maintain import ZONES
from khlang.lake.stores import boto
from khlang.settings import Settings
from khlang.silver.stored import WORK


def sweep(settings: Settings, ledger: Ledger) -> dict[str, int]:
    """Remove every file that the newest version of its table does not name; zone -> files removed.

    Under the writers' locks, one zone after the other. Raises BusyError when a job left a batch of the zone
    unfinished: it still reads the version before.
    """
    removed: dict[str, int] = {}
    for zone in ZONES:
        with writer(settings, zone):
            if ledger.has_open_batch(zone):
                words = ("a batch of this zone is not complete", "ยังมีชุดงานของชั้นข้อมูลนี้ค้างอยู่")
                raise BusyError("busy", *words, zone, f"`khlang run {zone}`, then `khlang erase --pending`")
            names = [name for name in ledger.visible() if name.startswith(f"{zone}.")]
            removed[zone] = sum(_emptied(settings, name) for name in names)
            if zone == "silver":
                removed[zone] += _work(settings)
    return removed


def _emptied(settings: Settings, name: str) -> int:
    """Files of older versions, and files that no version ever named."""
    table = tables.open_table(settings, name)
    gone = table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True)
    return len(gone)


def _work(settings: Settings) -> int:
    """Work objects of batches that died: no batch is open, so nobody needs them."""
    client, bucket = boto(settings, "lake"), settings.bucket("silver")
    count = 0
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{WORK}/"):
        for entry in page.get("Contents", []):
            client.delete_object(Bucket=bucket, Key=entry["Key"])
            count += 1
    return count
