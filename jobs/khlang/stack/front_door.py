"""The facilities' page as a service: one process on loopback, its uploads in the landing zone."""

from __future__ import annotations

import contextlib
import sys
from http.client import HTTPConnection

from khlang.settings import Settings
from khlang.stack.service import Service
from khlang.stack.surroundings import service_environment

OK = 200


def service(settings: Settings) -> Service:
    """The page as a service; it needs the ledger and the store behind the door."""
    port = settings.port("front_door")
    return Service(
        name="portal",
        group="portal",
        port=port,
        command=(sys.executable, "-m", "khlang", "portal"),
        healthy=lambda: answers(settings),
        folder=settings.root / "portal",
        needs=("database", "lake-store", "landing-store"),
        env=service_environment(settings),
        url=f"http://127.0.0.1:{port}",
    )


def answers(settings: Settings) -> bool:
    """Is the page up, with its ledger and its way to the door?"""
    with contextlib.suppress(OSError):
        connection = HTTPConnection("127.0.0.1", settings.port("front_door"), timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", "/health")
            return connection.getresponse().status == OK
    return False
