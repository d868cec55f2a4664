"""kill -9 of the door at every step: nothing acknowledged is lost, nothing is taken twice."""

from __future__ import annotations

import io
import secrets
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from khlang.lake.ledger import Ledger
from khlang.lake.names import book
from khlang.lake.stores import boto
from khlang.lake.vault import open_sealed
from khlang.landing import job
from khlang.settings import Settings
from lakes import Lake

from ..unit.landing_lake import dropped, empty_lake

pytestmark = [pytest.mark.stack, pytest.mark.long]

STEPS = {
    "before anything": "khlang.landing.door.Door._enter",
    "recorded, not stored": "khlang.landing.work.store",
    "some stored": "khlang.lake.vault.Vault.confirm",
    "stored, names not written": "khlang.lake.names.NameBooks.write",
    "names written, not settled": "khlang.lake.ledger.Ledger.settle",
    "settled, still in the inbox": "khlang.landing.offer.Lying.remove",
}
"""What a process has done -> the call at which it dies."""

ONCE = ("before anything", "names written, not settled", "settled, still in the inbox")
"""Steps that are one call for several zips."""

DYING = """
import importlib, os, pkgutil, signal, sys
from khlang.settings import Settings
owner, _, name = sys.argv[2].rpartition(".")
calls = iter(range(100))
def die(*_, **__):
    if next(calls) == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*_, **__)
owner = pkgutil.resolve_name(owner)
real = getattr(owner, name)
setattr(owner, name, staticmethod(die) if name == "remove" else die)
from khlang.landing import job
job.run(Settings.model_validate_json(sys.argv[1]))
"""

SPREAD = """
import sys
from khlang.landing import door, job, work
from khlang.settings import Settings
if __name__ == "__main__":
    door.FEW, door.CHUNK, work.PART = 2, 8, 2
    job.run(Settings.model_validate_json(sys.argv[1]))
"""
"""A few zips taken as many are: by worker processes, in several chunks."""


@pytest.fixture(scope="module")
def lake(stores: Lake) -> Iterator[Settings]:
    """An empty lake."""
    settings = empty_lake(stores.settings, f"k{secrets.token_hex(4)}")
    yield settings
    dropped(settings)


def _zip(number: int) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as made:
        made.writestr("PERSON.txt", f"HOSPCODE|PID|NAME\n99001|{number:06d}|{secrets.token_hex(4)}\n")
    return body.getvalue()


def _offered(lake: Settings, count: int) -> dict[str, tuple[str, bytes]]:
    """Put new zips into the inbox: name -> the patient they tell of, and their bytes."""
    client, bucket = boto(lake, "landing"), lake.bucket("inbox")
    first, mark = secrets.randbelow(900_000), secrets.randbelow(24)
    put = {}
    for number in range(count):
        name = f"F43_99001_20261101{mark:02d}{number:02d}{secrets.randbelow(60):02d}.zip"
        put[name] = (f"{first + number:06d}", _zip(first + number))
        client.put_object(Bucket=bucket, Key=f"99001/{name}", Body=put[name][1])
    return put


def _nothing_is_lost_or_doubled(
    lake: Settings, ledger: Ledger, put: dict[str, tuple[str, bytes]], before: set[str]
) -> None:
    """After the next run: each zip is accepted once, whole, with its names, and has left the inbox."""
    found = [delivery for delivery in ledger.deliveries() if delivery.receipt not in before]
    listed = boto(lake, "landing").list_objects_v2(Bucket=lake.bucket("inbox"))
    assert listed.get("Contents", []) == [], "the inbox is empty"
    states = Counter(delivery.state for delivery in found)
    assert states["checked"] == len(put) and not states["received"] and not states["rejected"]
    accepted = {delivery.name: delivery for delivery in found if delivery.state == "checked"}
    known = book(lake, "99001")
    for name, (patient, body) in put.items():
        with open_sealed(lake, accepted[name].place) as sealed:
            assert sealed.read() == body
        assert known.known("99001", patient)


@pytest.mark.parametrize("call", [0, 2])
@pytest.mark.parametrize("step", STEPS)
def test_a_killed_door_loses_nothing_and_takes_nothing_twice(lake: Settings, step: str, call: int) -> None:
    with Ledger.open(lake) as ledger:
        before = {delivery.receipt for delivery in ledger.deliveries()}
        put = _offered(lake, 4)
        run = [sys.executable, "-c", DYING, lake.model_dump_json(), STEPS[step], str(call)]
        died = subprocess.run(run, capture_output=True, text=True, check=False, timeout=120)
        assert died.returncode == (0 if call and step in ONCE else -signal.SIGKILL), died.stderr
        job.run(lake)
        _nothing_is_lost_or_doubled(lake, ledger, put, before)


@pytest.mark.parametrize("moment", [0.0, 0.2, 0.6])
@pytest.mark.parametrize("victim", ["the door", "a worker"])
def test_a_door_killed_while_workers_are_at_it_leaves_no_worker_and_loses_nothing(
    lake: Settings, tmp_path: Path, victim: str, moment: float
) -> None:
    script = tmp_path / "spread.py"
    script.write_text(SPREAD)
    with Ledger.open(lake) as ledger:
        before = {delivery.receipt for delivery in ledger.deliveries()}
        put = _offered(lake, 30)
        with subprocess.Popen(
            [sys.executable, script, lake.model_dump_json()], stderr=subprocess.PIPE
        ) as door:
            while len(ledger.deliveries()) == len(before):
                assert door.poll() is None, "it ended before it had taken anything"
                time.sleep(0.02)
            time.sleep(moment)
            family = psutil.Process(door.pid).children(recursive=True)
            at_work = [
                each for each in family if len(each.parents()) > len(psutil.Process(door.pid).parents()) + 1
            ]
            assert at_work, "workers are processes of their own"
            (at_work[0] if victim == "a worker" else door).kill()
            said = door.communicate(timeout=60)[1].decode()
        assert victim == "the door" or not door.returncode or "door.worker" in said, said
        assert psutil.wait_procs(family, timeout=10)[1] == [], "no process outlives the door"
        job.run(lake)
        _nothing_is_lost_or_doubled(lake, ledger, put, before)
