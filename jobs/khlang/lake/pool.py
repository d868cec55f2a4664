"""Worker processes of a command or a service: started clean, one thread for polars, never living longer than it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.process import BaseProcess


def processes(count: int, module: str) -> ProcessPoolExecutor:
    """A pool of that many; `module` holds the work and is imported once, before they are forked."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([module])
    return ProcessPoolExecutor(count, context, begin)


def begin() -> None:
    """A worker's first step: one thread for polars, interrupts are the parent's, no life after the parent's."""
    os.environ["POLARS_MAX_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if (parent := multiprocessing.parent_process()) is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
