"""The facilities' page as a service: one process on loopback, its uploads in the landing zone."""

from __future__ import annotations

import sys

from khlang.settings import Settings
from khlang.stack.service import Service, answers
from khlang.stack.surroundings import service_environment


def service(settings: Settings) -> Service:
    """The page as a service; it needs the ledger and the store behind the door."""
    port = settings.port("front_door")
    return Service(
        name="portal",
        group="portal",
        port=port,
        command=(sys.executable, "-m", "khlang", "portal"),
        healthy=lambda: answers(port, "/health", 10),
        folder=settings.root / "portal",
        needs=("keys", "database", "lake-store", "landing-store"),
        env=service_environment(settings),
        url=f"http://127.0.0.1:{port}",
    )
