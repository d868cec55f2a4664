"""kill -9 of the door at every step: nothing acknowledged is lost, nothing is taken twice."""

from __future__ import annotations

import io
import secrets
import signal
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator

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
    "recorded, not stored": "khlang.landing.door.Door._store",
    "some stored": "khlang.lake.vault.Vault.confirm",
    "stored, names not written": "khlang.landing.door.Door._book",
    "names written, not settled": "khlang.lake.ledger.Ledger.settle",
    "settled, still in the inbox": "khlang.landing.offer._Lying.remove",
}
"""What a process has done -> the call at which it dies."""

DYING = """
import importlib, os, signal, sys
from khlang.settings import Settings
owner, _, name = sys.argv[2].rpartition(".")
module, _, kind = owner.rpartition(".")
calls = iter(range(100))
def die(*_, **__):
    if next(calls) == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*_, **__)
owner = getattr(importlib.import_module(module), kind)
real = getattr(owner, name)
setattr(owner, name, die)
from khlang.landing import job
job.run(Settings.model_validate_json(sys.argv[1]))
"""


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


@pytest.mark.parametrize("call", [0, 2])
@pytest.mark.parametrize("step", STEPS)
def test_a_killed_door_loses_nothing_and_takes_nothing_twice(lake: Settings, step: str, call: int) -> None:
    client, bucket = boto(lake, "landing"), lake.bucket("inbox")
    first = secrets.randbelow(900_000)
    names = [f"F43_99001_20261101{secrets.randbelow(24):02d}{n:02d}{call:02d}.zip" for n in range(4)]
    bodies = {name: _zip(first + number) for number, name in enumerate(names)}
    with Ledger.open(lake) as ledger:
        before = {delivery.receipt for delivery in ledger.deliveries()}
        for name, body in bodies.items():
            client.put_object(Bucket=bucket, Key=f"99001/{name}", Body=body)
        run = [sys.executable, "-c", DYING, lake.model_dump_json(), STEPS[step], str(call)]
        died = subprocess.run(run, capture_output=True, text=True, check=False, timeout=120)
        once_only = call and step in (
            "before anything",
            "stored, names not written",
            "names written, not settled",
        )
        assert died.returncode == (0 if once_only else -signal.SIGKILL), died.stderr
        job.run(lake)
        found = [delivery for delivery in ledger.deliveries() if delivery.receipt not in before]
    assert client.list_objects_v2(Bucket=bucket).get("Contents", []) == [], "the inbox is empty"
    states = Counter(delivery.state for delivery in found)
    assert states["checked"] == 4 and not states["received"] and not states["rejected"]
    accepted = {delivery.name: delivery for delivery in found if delivery.state == "checked"}
    for name, body in bodies.items():
        with open_sealed(lake, accepted[name].place) as sealed:
            assert sealed.read() == body
    known = book(lake, "99001")
    assert all(known.known("99001", f"{first + number:06d}") for number in range(4))
