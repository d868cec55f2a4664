"""A small lake of two facilities in this process: loaded, curated, looked at to the last byte, made anew."""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import polars as pl
import polars.selectors as cs
import pytest

from khlang.bronze.job import run as bronze
from khlang.lake import purge, tables
from khlang.lake.fingerprint import fingerprint
from khlang.lake.ledger import Ledger
from khlang.lake.stores import boto
from khlang.landing.deliver import deliver_all
from khlang.settings import Settings, load
from khlang.silver.job import run as silver
from khlang.stack.seaweed import create_buckets
from lakes import Lake

from .landing_lake import dropped, empty_lake
from .other_rules import Copied
from .zips import zipped

HEAD = "HOSPCODE|PID|DATERECORD|DRUGALLERGY|DNAME|INFORMANT|INFORMHOSP|D_UPDATE|HOSP9_INFORMHOSP"
CONTRACT = "catalog/contracts/th43/drugallergy.toml"
STRICTER = '{name="HOSP9_INFORMHOSP", type="char", width=9, required=true, class="'
OLD = ("QX7654321", "QX7654322", "QX7654323")
"""Values of the column that stays under the old rules and goes under the new ones, one for each delivery."""
FILES = ("drugallergy", "chronic")


def _members(hospcode: str, day: int, value: str, pids: range) -> dict[str, bytes]:
    allergies = [
        f"{hospcode}|{pid}|20260901|A{pid}|แพ้ยา|1|{hospcode}|202609{day:02d}080000|{value}" for pid in pids
    ]
    chronic = [f"{hospcode}|{pid}|20200131|E119|03|202609{day:02d}080000" for pid in pids]
    heads = {"DRUGALLERGY.txt": HEAD, "CHRONIC.txt": "HOSPCODE|PID|DATE_DIAG|CHRONIC|TYPEDISCH|D_UPDATE"}
    told = dict(zip(heads, (allergies, chronic), strict=True))
    return {name: "\r\n".join([heads[name], *lines, ""]).encode() for name, lines in told.items()}


class Small:
    """A lake in this process: deliver, load, curate, look."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings, self.folder = settings, folder
        self.ledger = Ledger.open(settings)

    def deliver(self, hospcode: str, day: int, value: str, pids: range) -> str:
        """A zip of both files; its receipt."""
        path = self.folder / f"F43_{hospcode}_{datetime(2026, 10, day, 12):%Y%m%d%H%M%S}.zip"
        path.write_bytes(zipped(_members(hospcode, day, value, pids)))
        return deliver_all(self.settings, [path])[0].receipt

    def rebuild(self, which: str = "outdated") -> object:
        """One run of bronze that makes anew."""
        return bronze(self.settings.model_copy(update={"rebuild": which}))

    def purge(self) -> object:
        """The purge, as if gold had followed: these lakes have none."""
        batch = self.ledger.open_batch("gold")
        if batch is not None:
            self.ledger.commit_batch(batch, {}, {})
        return purge.run(self.settings)

    def rows(self, name: str) -> pl.DataFrame:
        """Visible rows of a table."""
        return tables.frame(self.settings, name).collect()

    def hashes(self, *but: str) -> dict[str, str]:
        """Table -> hash of its visible rows, all columns but the batch's name and some others."""
        found = {}
        for name in (f"{zone}.{file}" for zone in ("bronze", "silver") for file in FILES):
            rows = self.rows(name)
            columns = [c for c in rows.columns if c != "_batch" and f"{name}.{c}" not in but and c not in but]
            found[name] = f"{rows.height} {fingerprint(rows, columns)}"
        return found

    def bytes_with(self, *values: str) -> list[str]:
        """Objects of the lake, of every version and of none, in which one of the values stands."""
        client, found = boto(self.settings, "lake"), []
        for zone in ("bronze", "silver"):
            bucket = self.settings.bucket(zone)
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                for entry in page.get("Contents", []):
                    body = client.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
                    text = body.decode("latin-1")
                    if entry["Key"].endswith(".parquet") and "_delta_log" not in entry["Key"]:
                        text += pl.read_parquet(io.BytesIO(body)).select(~cs.binary()).write_json()
                    if any(value in text for value in values):
                        found.append(f"{zone}/{entry['Key']}")
        return found

    def versions_note(self, name: str) -> list[dict[str, object]]:
        """What every commit of a table's history says of itself, newest first."""
        return tables.open_table(self.settings, name).history()


@pytest.fixture
def small(stores: Lake, copied: Copied, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Small]:
    """Three deliveries of two facilities in two batches of bronze, and silver; the settings are this process's.

    The catalogue knows few files: a lake of all of them takes ten times as long to make.
    """
    copied.only("person", "home", "provider", *FILES)
    settings = empty_lake(stores.settings, f"b{secrets.token_hex(4)}")
    create_buckets(settings, "lake")
    for name, value in settings.model_dump().items():
        monkeypatch.setenv(f"KHLANG_{name.upper()}", str(value))
    load.cache_clear()
    monkeypatch.setattr(purge, "SETTLED", 0.0)
    own = Small(settings, tmp_path)
    own.deliver("99001", 1, OLD[0], range(1, 4))
    own.deliver("99002", 1, OLD[1], range(1, 3))
    bronze(settings)
    own.deliver("99001", 2, OLD[2], range(3, 6))
    bronze(settings)
    silver(settings)
    yield own
    own.ledger.close()
    dropped(settings)
    load.cache_clear()
