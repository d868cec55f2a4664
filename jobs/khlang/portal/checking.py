"""The immediate check, in processes beside the page: a heavy zip slows nobody down and takes no page with it."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from pathlib import Path
from typing import Any

from khlang.lake.pool import processes
from khlang.settings import Settings

Found = dict[str, Any]
"""A View as JSON."""


def look(path: Path, name: str, settings: Settings) -> Found:
    """Check a zip as `khlang check` does; members whose names nobody knows are named by their place.

    It runs in a process of its own and returns few lines.
    """
    from khlang.conform.dry import check
    from khlang.conform.naming import shown, zip_name
    from khlang.receipts.view import view_of

    with path.open("rb") as source:
        receipt = check(source, name, settings)
    found = asdict(view_of(_named(receipt, shown)))
    return found | {"zip": name if zip_name(name) else ""}


def _named(receipt: Any, shown: Any) -> Any:
    """The receipt with its members called as the lake calls them (exact rules, 12)."""
    from dataclasses import replace

    members = (
        replace(member, member=shown(member.member, position))
        for position, member in enumerate(receipt.members, 1)
    )
    return replace(receipt, members=tuple(members))


class Checks:
    """A few processes that check, started when the first zip comes; one that dies takes no other zip's check along."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is started yet."""
        self._settings, self._making = settings, threading.Lock()
        self._pool: ProcessPoolExecutor | None = None
        self._closed = False

    def ask(self, path: Path, name: str) -> Future[Found]:
        """The check's result when it has come; a process that was killed is replaced, and asked once more."""
        answer: Future[Found] = Future()
        self._ask(path, name, answer, again=True)
        return answer

    def close(self) -> None:
        """What is under way is given up: it is asked again after the next start."""
        with self._making:
            self._closed = True
            if self._pool is not None:
                working = list(self._pool._processes.values())
                self._pool.shutdown(wait=False, cancel_futures=True)
                for process in working:  # a long check would hold up the end of the page
                    process.terminate()

    def _ask(self, path: Path, name: str, answer: Future[Found], again: bool) -> None:
        def _told(done: Future[Found]) -> None:
            if done.cancelled():
                answer.cancel()
            elif isinstance(error := done.exception(), BrokenProcessPool) and again and not self._closed:
                self._ask(path, name, answer, again=False)
            elif error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(done.result())

        try:
            self._processes().submit(look, path, name, self._settings).add_done_callback(_told)
        except RuntimeError as refused:  # closed, or broken a moment ago
            answer.set_exception(refused)

    def _processes(self) -> ProcessPoolExecutor:
        with self._making:
            if self._closed:
                raise RuntimeError("closed")
            if self._pool is None or self._pool._broken:
                self._pool = processes(self._settings.upload_checks, __name__)
            return self._pool
