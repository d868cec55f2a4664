"""Stopping a store while it is written to: it ends at once, and what it acknowledged is there afterwards."""

from __future__ import annotations

import hashlib
import secrets
import threading
from pathlib import Path

import pytest

from khlang.errors import StoreError
from khlang.lake.objects import Objects, Refused
from khlang.stack.plan import down, up
from khlang.stack.process import GRACE_SECONDS
from lakes import Lake, free_base_port

pytestmark = [pytest.mark.stack, pytest.mark.long]


class Writer(threading.Thread):
    """Puts objects until the store refuses; `kept` are those that were acknowledged."""

    def __init__(self, objects: Objects, mark: str) -> None:
        super().__init__()
        self.kept: dict[str, str] = {}
        self._objects, self._mark = objects, mark

    def run(self) -> None:
        for number in range(10**6):
            body, key = secrets.token_bytes(20_000), f"{self._mark}/{number}"
            try:
                self._objects.put("landing", key, body, {"If-None-Match": "*"})
            except (StoreError, Refused):
                return
            self.kept[key] = hashlib.sha256(body).hexdigest()


def test_what_a_store_acknowledged_before_it_was_stopped_is_there_when_it_is_up_again(tmp_path: Path) -> None:
    lake = Lake(tmp_path, free_base_port(22_000))
    kept: dict[str, str] = {}
    seconds: dict[str, float] = {}
    try:
        for turn in range(3):
            up(lake.settings, ("landing-store",), lambda *_: None)
            writers = [Writer(Objects.of(lake.settings, "landing"), f"{turn}-{n}") for n in range(3)]
            for writer in writers:
                writer.start()
            while not all(writer.kept for writer in writers):
                writers[0].join(0.2)
            down(lake.settings, ("landing-store",), lambda name, _, took: seconds.update({name: took}))
            for writer in writers:
                writer.join()
                kept |= writer.kept
        assert seconds["landing-store"] < 10 + GRACE_SECONDS, "it does not wait for its own streams (15 s)"
        up(lake.settings, ("landing-store",), lambda *_: None)
        objects = Objects.of(lake.settings, "landing")
        assert len(kept) > 20
        for key, digest in kept.items():
            assert hashlib.sha256(objects.get("landing", key)).hexdigest() == digest
    finally:
        down(lake.settings, (), lambda *_: None)
