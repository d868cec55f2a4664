"""No key's bytes stand anywhere but in the key store: found in every spelling where planted, absent after a run."""

from __future__ import annotations

import base64
import gzip
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text

from khlang.conform.pseudonym import LETTERS
from khlang.lake.keys import KeyStore
from khlang.lake.ledger import Ledger
from khlang.lake.scan.keybytes import given, key_search, keys_of, scan_keys, take_process
from khlang.lake.scan.members import Walk
from khlang.lake.scan.report import Report, Source
from khlang.lake.sealing import open_key
from khlang.lake.stores import boto
from khlang.settings import Settings
from khlang.stack.seaweed import create_buckets
from lakes import Lake

from .landing_lake import dropped, empty_lake
from .registered_people import deliver_people

SPELLED: dict[str, Callable[[bytes], bytes]] = {
    "raw": lambda key: key,
    "base64": base64.b64encode,
    "base64url": lambda key: base64.urlsafe_b64encode(key).rstrip(b"="),
    "base64 inside other bytes": lambda key: base64.b64encode(b"k" + key + b"z"),
    "base64 in lines": lambda key: base64.encodebytes(b"-" * 50 + key),
    "hex": lambda key: key.hex().encode(),
    "hex in capitals": lambda key: key.hex().upper().encode(),
    "hex inside other bytes": lambda key: (b"k" + key).hex().encode(),
    "base64 in UTF-16": lambda key: base64.b64encode(key).decode().encode("utf-16-le"),
    "as Python shows bytes": lambda key: "".join(f"\\x{byte:02x}" for byte in key).encode(),
    "in JSON": lambda key: json.dumps({"key": base64.b64encode(key).decode()}).encode(),
}
KEYS = [(f"key {number}", secrets.token_bytes(32)) for number in range(20)]


@pytest.mark.parametrize("spelling", SPELLED)
def test_a_key_is_found_in_every_spelling(spelling: str) -> None:
    for name, material in KEYS:
        report = Report(key_search(KEYS))
        report.take(Source("a log", [b"begin " + SPELLED[spelling](material) + b" end"]))
        assert {hit.kind for hit in report.hits()} == {name}
        assert material.hex() not in str(report.hits())


def test_random_bytes_and_ids_of_keys_are_no_find() -> None:
    report = Report(key_search(KEYS))
    report.take(Source("noise", [secrets.token_bytes(1 << 20), secrets.token_hex(1 << 16).encode()]))
    assert not report.hits() and not report.counts


def test_a_key_inside_a_packed_member_is_found(tmp_path: Path) -> None:
    path = tmp_path / "heap.gz"
    path.write_bytes(gzip.compress(b"x" * 9000 + base64.b64encode(KEYS[3][1])))
    report = Report(key_search(KEYS))
    with path.open("rb") as file:
        Walk(report).file("heap.gz", file)
    assert {hit.kind for hit in report.hits()} == {"key 3"}


def test_a_key_in_a_processs_environment_or_arguments_is_found() -> None:
    told = base64.b64encode(KEYS[5][1]).decode()
    for words, more in (([], {"SPARK_KEY": told}), ([told], {})):
        process = subprocess.Popen([sys.executable, "-c", "input()", *words], env=more, stdin=subprocess.PIPE)
        try:
            report = Report(key_search(KEYS))
            take_process(report, process.pid)
            assert {hit.kind for hit in report.hits()} == {"key 5"}
        finally:
            process.communicate(b"\n")


@pytest.fixture
def lake(stores: Lake, tmp_path: Path) -> Iterator[Settings]:
    """A lake with a delivery; its keys are its own: a planted one stays in the stores' volumes after its removal."""
    settings = empty_lake(stores.settings, f"k{secrets.token_hex(4)}")
    create_buckets(settings, "lake")
    deliver_people(settings, tmp_path, range(30))
    yield settings
    dropped(settings)


@pytest.mark.stack
def test_keys_of_domains_and_data_keys_are_searched_for_too(lake: Settings) -> None:
    named = dict(keys_of(lake))
    assert {"lake v1", "vault v1", "names v1", *(f"lake v1 {domain}" for domain in LETTERS)} < set(named)
    store = KeyStore.open(lake)
    with Ledger.open(lake) as ledger:
        (delivery,) = ledger.deliveries()
    key = open_key(store, delivery.wrapped_key, delivery.key_version, delivery.receipt)
    assert named[f"data key of {delivery.receipt}"] == key.material and len(named) == 3 + len(LETTERS) + 1


def _scan(lake: Settings) -> Report:
    report = Report(key_search(keys_of(lake)))
    scan_keys(lake, report)
    return report


@pytest.mark.stack
def test_planted_in_a_file_an_object_and_a_table_each_is_found_and_without_them_nothing(
    lake: Settings,
) -> None:
    named = dict(keys_of(lake))
    log = lake.root / "logs" / "planted.log"
    log.write_bytes(b"conf: " + base64.b64encode(named["lake v1 person"]))
    boto(lake, "lake").put_object(Bucket=lake.bucket("bronze"), Key="planted", Body=named["lake v1"])
    with Ledger.open(lake) as ledger, ledger.engine.begin() as connection:
        connection.execute(
            text("CREATE TABLE planted AS SELECT :key AS key"), {"key": named["vault v1"].hex()}
        )
    try:
        found = _scan(lake)
        places = {(hit.kind, hit.where.partition(" ")[0].partition(":")[0]) for hit in found.hits()}
        assert {("lake v1", "s3"), ("vault v1", "database")} <= places
        assert ("lake v1 person", str(log)) in {(hit.kind, hit.where) for hit in found.hits()}
    finally:
        log.unlink()
        with Ledger.open(lake) as ledger, ledger.engine.begin() as connection:
            connection.execute(text("DROP TABLE planted"))


@pytest.mark.stack
@pytest.mark.long
def test_after_a_run_of_bronze_on_spark_no_key_stands_anywhere(lake: Settings, stores: Lake) -> None:
    more = {
        "KHLANG_DATABASE_URL": lake.database_url, "KHLANG_BUCKET_PREFIX": lake.bucket_prefix,
        "KHLANG_KEY_STORE": lake.key_store, "KHLANG_SPARK_EVENTS": "true", "KHLANG_SMALL_ROWS": "0",
    }  # fmt: skip
    seen: dict[tuple[int, str], bytes] = {}
    process = replace(stores, more=tuple(more.items())).start("run", "bronze")
    while process.poll() is None:
        for pid in _family(process.pid):
            seen |= {(pid, name): told for name, told in given(pid)}
        time.sleep(0.02)
    assert process.wait() == 0, process.communicate()[0]
    commands = [told.partition(b"\0")[0] for (_, name), told in seen.items() if name == "cmdline"]
    assert any(command.endswith(b"java") for command in commands), "Spark was not used"
    assert any(b"pyspark" in told for told in seen.values()), "no Python worker of Spark was seen"
    events = list((lake.root / "spark" / "events").rglob("*"))
    assert any(path.stat().st_size > 1000 for path in events if path.is_file()), "no event log"
    report = Report(key_search(keys_of(lake)))
    for (pid, name), told in seen.items():
        report.take(Source(f"process {pid}, its {name}", [told]))
    report.take(Source("what it printed", [process.communicate()[0].encode()]))
    scan_keys(lake, report)
    assert not report.hits() and not report.unread
    sources, size = report.totals["sources"], report.totals["bytes"]
    print(
        f"{len(report.search.canaries.values)} keys, {len(seen)} of processes, {sources} sources, {size:,} bytes: 0"
    )


def _family(leader: int) -> list[int]:
    try:
        return [leader, *(child.pid for child in psutil.Process(leader).children(recursive=True))]
    except psutil.Error:
        return [leader]


def test_a_watcher_sees_the_environment_of_children() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], env={"MARK": "seen"}, stdin=subprocess.PIPE)
    try:
        assert process.pid in _family(os.getpid()) and any(
            b"MARK=seen" in told for _, told in given(process.pid)
        )
    finally:
        process.communicate(b"\n")
