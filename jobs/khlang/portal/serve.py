"""The page as a process: one, with its own quiet log."""

from __future__ import annotations

import logging

import uvicorn

from khlang.portal.app import make
from khlang.settings import Settings

GRACE_SECONDS = 5


def serve(settings: Settings) -> None:
    """Answer until told to stop; what is under way is found again at the next start."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    uvicorn.run(
        make(settings),
        host=settings.front_door_host,
        port=settings.port("front_door"),
        access_log=False,  # it would hold addresses as they were typed
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
