"""Failed sign-ins: after a few for one code there is a pause, whether or not the code exists."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

ALLOWED = 10
WITHIN_SECONDS = 15 * 60.0
MOST_CODES = 100_000
"""Codes have five digits: more there are not."""


class Attempts:
    """Failures of the last quarter of an hour, by facility code; kept in memory."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` tells seconds."""
        self._clock, self._lock = clock, threading.Lock()
        self._failed: dict[str, deque[float]] = {}

    def too_many(self, hospcode: str) -> bool:
        """Whether the code has to wait; being asked is no failure."""
        with self._lock:
            return len(self._recent(hospcode)) >= ALLOWED

    def begin(self, hospcode: str) -> bool:
        """Count a try before it is looked at: many at once are not more than one after the other. False: wait."""
        with self._lock:
            recent = self._recent(hospcode)
            if len(recent) >= ALLOWED:
                return False
            if len(self._failed) < MOST_CODES or hospcode in self._failed:
                self._failed.setdefault(hospcode, recent).append(self._clock())
            return True

    def succeeded(self, hospcode: str) -> None:
        """The right passphrase: what was counted is forgotten."""
        with self._lock:
            self._failed.pop(hospcode, None)

    def _recent(self, hospcode: str) -> deque[float]:
        found = self._failed.get(hospcode, deque())
        while found and found[0] <= self._clock() - WITHIN_SECONDS:
            found.popleft()
        if not found:
            self._failed.pop(hospcode, None)
        return found
