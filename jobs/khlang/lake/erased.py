"""Tombstones of erased persons, read from the ledger by the process that needs them."""

from __future__ import annotations

import os
from functools import cache

from khlang.conform.erased import Tombstones
from khlang.lake.ledger import Ledger
from khlang.settings import Settings


@cache
def _opened(settings: Settings, process: int) -> Ledger:
    """One ledger a process; a forked child makes its own."""
    return Ledger.open(settings)


def tombstones(settings: Settings) -> Tombstones:
    """Everybody who is erased by now: workers ask once for each task."""
    return _opened(settings, os.getpid()).tombstones()
