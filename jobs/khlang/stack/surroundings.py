"""What services are started with: environment, private files, steps that run once and leave a log."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from khlang.errors import StackError
from khlang.settings import PROJECT, Settings


def service_environment(settings: Settings) -> dict[str, str]:
    """KHLANG_* with absolute paths: services and their tasks run in folders of their own."""
    env = {
        "KHLANG_HOME": str(settings.root),
        "KHLANG_BASE_PORT": str(settings.base_port),
        "KHLANG_LAKE_PYTHON": sys.executable,
        "PYTHONPATH": str(PROJECT / "jobs"),
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": str(settings.root / "tmp"),
    }
    config = Path(os.environ.get("KHLANG_CONFIG", "khlang.toml")).absolute()
    return env | ({"KHLANG_CONFIG": str(config)} if config.exists() else {})


def once(step: Callable[[], None]) -> Callable[[], None]:
    """The step for several services: the first that comes runs it, the others wait, a failure is all of theirs."""
    lock = threading.Lock()
    outcome: list[BaseException | None] = []

    def _run() -> None:
        with lock:
            if not outcome:
                try:
                    step()
                    outcome.append(None)
                except BaseException as failure:
                    outcome.append(failure)
        if outcome[0] is not None:
            raise outcome[0]

    return _run


def run_logged(command: tuple[str, ...], env: dict[str, str], log: Path, what: str) -> None:
    """Run a command to its end; its output goes to a log, which a failure names."""
    with log.open("ab") as out:
        done = subprocess.run(
            command,
            env={**os.environ, **env},
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        raise StackError(
            "stack.step",
            f"{what} ended with {done.returncode}",
            f"{what} ไม่สำเร็จ",
            str(log),
            "the end of its log says why",
        )


def write_private(path: Path, text: str) -> None:
    """A file that only its owner reads, whole or not at all."""
    fresh = path.with_suffix(f".{os.getpid()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    fresh.replace(path)
