"""One service of the embedded stack: its command, its port, what it needs, how it is known to be well."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from signal import SIGTERM, Signals
from types import MappingProxyType


def nothing() -> None:
    """The step of a service that has none."""


def never() -> bool:
    """A service that ends by itself once it was told to."""
    return False


def answers(port: int, path: str, seconds: int) -> bool:
    """Whether a page of a service on loopback comes, within so many seconds."""
    with contextlib.suppress(OSError):
        connection = HTTPConnection("127.0.0.1", port, timeout=seconds)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().status == HTTPStatus.OK
    return False


HELD = "{held folder}"
"""In a command: the service's folder as an open descriptor of its own. As another account than root, a
service then reaches it although a folder above (root's home, a private temporary one) would not let it pass."""


@dataclass(frozen=True, slots=True)
class Service:
    """A process that runs in its own session, with its log and pid file named after it."""

    name: str
    group: str
    port: int
    command: tuple[str, ...]
    healthy: Callable[[], bool]
    folder: Path
    needs: tuple[str, ...] = ()
    prepare: Callable[[], None] = nothing
    ready: Callable[[], None] = nothing
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    account: str | None = None
    holds_folder: bool = False
    stop_signal: Signals = SIGTERM
    start_seconds: int = 90
    stop_seconds: int = 30
    closed: Callable[[], bool] = never
    """After the stop signal: it takes no more work, so that what it still waits for need not be waited for."""
    url: str = ""
    log: Path | None = None

    def log_file(self, logs: Path) -> Path:
        """Where its output goes: its own place, else its name in the folder of logs."""
        return self.log or logs / f"{self.name}.log"
