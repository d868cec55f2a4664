"""The facilities' page as a service of a lake, seen from a browser and from landing."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, BrowserContext, Page

from khlang.lake.ledger import Delivery, Ledger
from khlang.lake.vault import Vault
from khlang.stack import process
from lakes import Lake

DESK, PHONE = {"width": 1200, "height": 900}, {"width": 390, "height": 840}


@dataclass(frozen=True)
class Door:
    """The page as a service of a lake, the passphrases of two facilities, and a browser."""

    lake: Lake
    browser: Browser
    passphrases: dict[str, str]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.lake.settings.port('front_door')}"

    @contextmanager
    def context(self, **more: object) -> Iterator[BrowserContext]:
        context = self.browser.new_context(**{"viewport": DESK, "locale": "th-TH", **more})  # type: ignore[arg-type]
        try:
            yield context
        finally:
            context.close()

    def kill(self) -> None:
        """End the page's processes as a lost machine would."""
        leader = process.running(self.lake.home / "run", "portal")
        assert leader is not None
        os.killpg(leader.pid, signal.SIGKILL)

    def up(self) -> None:
        """Start what died."""
        self.lake.run("up", "--only", "portal")

    def delivery(self, receipt: str) -> Delivery:
        with Ledger.open(self.lake.settings) as ledger:
            return ledger.delivery(receipt)

    def landed(self, receipt: str) -> bytes:
        """The zip as landing holds it."""
        with Vault(self.lake.settings).reader(self.delivery(receipt)) as source:
            return source.read()


@dataclass
class Heard:
    """What went wrong in a page, and which other hosts it asked."""

    troubles: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


def listen(page: Page, address: str) -> Heard:
    heard = Heard()
    page.on("pageerror", lambda error: heard.troubles.append(str(error)))
    page.on("console", lambda said: heard.troubles.append(said.text) if said.type == "error" else None)
    page.on("request", lambda ask: None if ask.url.startswith(address) else heard.foreign.append(ask.url))
    return heard
