"""Whole uploads -> checked and handed to the door, in the background; nothing lost, nothing twice."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from functools import partial

from khlang.errors import BusyError, KhlangError, StoreError
from khlang.lake.ledger import Delivery, Ledger
from khlang.lake.sealing import digest
from khlang.landing.door import Door
from khlang.landing.offer import Offer
from khlang.landing.work import Failed
from khlang.portal.checking import Checks, Found
from khlang.portal.quiet import named
from khlang.portal.upload import Upload
from khlang.portal.uploads import Uploads
from khlang.settings import Settings

PAUSES = (1.0, 2.0, 3.0, 5.0, 10.0)
"""Seconds between tries while the door is busy or a store does not answer."""

SWEEP_SECONDS = 3600.0

log = logging.getLogger("khlang.portal")


class Intake:
    """The two background workers of the page: checks (processes of their own), and the hand-over to the door."""

    def __init__(self, settings: Settings, ledger: Ledger, uploads: Uploads) -> None:
        """Nothing runs before `start`."""
        self._settings, self._ledger, self._uploads = settings, ledger, uploads
        self._checks = Checks(settings)
        self._news, self._ending = threading.Event(), threading.Event()
        self._worker = threading.Thread(target=self._work, name="hand-over", daemon=True)
        self._unsure = True

    def start(self) -> None:
        """Settle what the process before left, then wait for what comes."""
        self._uploads.tidy()
        self._uploads.sweep()
        for upload in self._uploads.all():
            if upload.state != "coming" and not upload.checked:
                self._check(upload)
        self._worker.start()
        self._news.set()

    def stop(self) -> None:
        """Take no more; what is under way is found again at the next start."""
        self._ending.set()
        self._news.set()
        self._checks.close()

    @property
    def alive(self) -> bool:
        """Is somebody there who hands over?"""
        return self._worker.is_alive()

    def took(self, upload: Upload) -> None:
        """An upload is whole: check it, hand it over."""
        self._check(upload)
        self._news.set()

    def _check(self, upload: Upload) -> None:
        """Have it checked; a result that comes later is written into its note."""
        if not self._uploads.bytes_of(upload).exists():
            self._uploads.change(upload, failed=True)
            return
        asked = self._checks.ask(self._uploads.bytes_of(upload), upload.name)
        asked.add_done_callback(partial(self._checked, upload))

    def _checked(self, upload: Upload, asked: Future[Found]) -> None:
        if asked.cancelled() or self._ending.is_set():
            return  # asked again at the next start
        error = asked.exception()
        if error is not None:
            log.warning("check failed: %s", named(error))
        told = None if error else asked.result()
        try:
            self._uploads.change(upload, **({"failed": True} if told is None else {"check": told}))
        except KhlangError as gone:
            log.warning("check came to nothing: %s", named(gone))

    def _work(self) -> None:
        """Hand over whatever is whole; while something is left, try again after a pause."""
        tries, swept = 0, time.monotonic()
        while not self._ending.is_set():
            self._news.clear()
            left = self._guarded(self._hand_over)
            tries = tries + 1 if left else 0
            if time.monotonic() - swept > SWEEP_SECONDS:
                self._guarded(self._uploads.sweep)
                swept = time.monotonic()
            pause = PAUSES[min(tries, len(PAUSES)) - 1] if left else SWEEP_SECONDS
            self._news.wait(pause)

    def _guarded(self, step: Callable[[], int]) -> int:
        """A step's number; a failure is named in the log and counts as something left."""
        try:
            return step()
        except Exception as error:
            self._unsure = True
            log.warning("hand-over: %s", named(error))
            return 1

    def _hand_over(self) -> int:
        """Offer what is whole to the door, oldest first; how many are left. One that fails stops no other."""
        waiting = [upload for upload in self._uploads.all() if upload.state == "whole"]
        if not waiting:
            return 0
        waiting.sort(key=lambda upload: str(upload.whole_at))
        left = 0
        with Door(self._settings) as door:
            if self._unsure:  # a process that died, or a try that failed, may have brought it half way
                self._finish(door)
                states = [self._known(upload) for upload in waiting]
                left = states.count("received")
                waiting = [each for each, state in zip(waiting, states, strict=True) if state is None]
                self._unsure = False
            for upload in waiting:
                if self._ending.is_set():
                    return 1
                left += not self._take(door, upload)
        self._unsure = left > 0
        return left

    def _finish(self, door: Door) -> None:
        """Settle what was left half way; another's delivery that can not be settled is not ours to wait for."""
        try:
            door.finish()
        except StoreError as error:
            log.warning("hand-over: %s", named(error))

    def _take(self, door: Door, upload: Upload) -> bool:
        """One upload through the door; False when it has to wait."""
        offer = Offer(upload.name, _moment(upload), upload.hospcode, partial(self._uploads.open, upload))
        try:
            for result in door.take([offer]):
                if isinstance(result, Failed):
                    raise result.error
                self._taken(upload, result)
        except BusyError:
            raise
        except Exception as error:
            log.warning("hand-over: %s", named(error))
            return False
        return True

    def _known(self, upload: Upload) -> str | None:
        """The state in which the ledger has it already (same sender, same moment, same bytes); None: it has not."""
        for delivery in self._ledger.came(upload.hospcode, _moment(upload)):
            with self._uploads.open(upload) as source:
                same = digest(source) == (delivery.sha256, delivery.size)
            if same:
                if delivery.state != "received":
                    self._taken(upload, delivery)
                return delivery.state
        return None

    def _taken(self, upload: Upload, delivery: Delivery) -> None:
        self._uploads.change(upload, state="taken", receipt=delivery.receipt)


def _moment(upload: Upload) -> datetime:
    """When its last byte came: with the sender it names one hand-over."""
    if upload.whole_at is None:
        raise ValueError("an upload that is not whole is not handed over")
    return upload.whole_at
