"""Two S3 stores of their own for tests of rights: started on free ports, gone afterwards."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from khlang.settings import Settings
from khlang.stack.plan import down, up

OFFSETS = (0, 1, 2, 3, 10, 11, 12, 13)


def _free(base: int) -> bool:
    """Whether every port of the two stores (their gRPC ports too) can be had."""
    for port in [base + offset + more for offset in OFFSETS for more in (0, 10000)]:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return False
    return True


@contextmanager
def two_stores(home: Path) -> Iterator[Settings]:
    """Settings of a home whose two stores run."""
    base = next(base for base in range(21000, 29000, 100) if _free(base))
    settings = Settings(home=home, base_port=base)  # type: ignore[call-arg]
    up(settings, ("stores",), lambda *_: None)
    try:
        yield settings
    finally:
        down(settings, ("stores",), lambda *_: None)
