"""Parts of the set-up: done when its stamp holds the hash of its inputs; what can be runs side by side."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
HERE = PROJECT / "infra" / "local"
VENVS = Path(os.environ.get("KHLANG_VENVS") or PROJECT / ".venv").absolute()
HEARTBEAT = 10.0


@dataclass(frozen=True, slots=True)
class Part:
    """One piece: the files and words that decide it, a path that must exist, and how it is made."""

    name: str
    inputs: tuple[Path | str, ...]
    result: Path
    make: Callable[[], None]
    needs: tuple[str, ...] = ()

    def digest(self) -> str:
        """Hash of all that decides this part, this Python's version included."""
        found = hashlib.sha256(f"{sys.version_info[:3]} {VENVS}".encode())
        for one in self.inputs:
            found.update(one.read_bytes() if isinstance(one, Path) else one.encode())
        return found.hexdigest()

    def stamp(self) -> Path:
        """Where the digest of the last success is kept."""
        return VENVS / "stamps" / self.name

    def is_done(self) -> bool:
        """Is the result there, made from these inputs?"""
        return self.result.exists() and self.stamp().exists() and self.stamp().read_text() == self.digest()


class SetupError(SystemExit):
    """Set-up failed: what failed, and what to do."""


def run_all(parts: tuple[Part, ...]) -> int:
    """Make what is not done, in order of need, side by side; say how long each took. Returns how many."""
    todo = [part for part in parts if not part.is_done()]
    if not todo:
        return 0
    (VENVS / "stamps").mkdir(parents=True, exist_ok=True)
    print(f"set-up in {VENVS}: {', '.join(part.name for part in todo)}", flush=True)
    began = time.monotonic()
    under_way: set[str] = set()
    ended = threading.Event()
    threading.Thread(target=_heartbeat, args=(under_way, ended, began), daemon=True).start()
    futures: dict[str, Future[None]] = {}
    with ThreadPoolExecutor(len(todo)) as pool:
        for part in todo:
            needs = [futures[name] for name in part.needs if name in futures]
            futures[part.name] = pool.submit(_make, part, needs, under_way)
    ended.set()
    for future in futures.values():
        future.result()
    print(f"set-up done in {time.monotonic() - began:.0f} s", flush=True)
    return len(todo)


def call(*command: str | Path, env: dict[str, str] | None = None) -> None:
    """Run a command; when it fails, its last words are the error."""
    done = subprocess.run(
        [str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env
    )
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-25:])
        raise SetupError(f"set-up failed at: {' '.join(str(word) for word in command[:6])}\n{tail}")


def _make(part: Part, needs: list[Future[None]], under_way: set[str]) -> None:
    for need in needs:
        need.result()
    began = time.monotonic()
    under_way.add(part.name)
    part.stamp().unlink(missing_ok=True)
    digest = part.digest()
    try:
        part.make()
    finally:
        under_way.discard(part.name)
    part.stamp().write_text(digest)
    print(f"  {part.name:<12}{time.monotonic() - began:7.1f} s", flush=True)


def _heartbeat(under_way: set[str], ended: threading.Event, began: float) -> None:
    while not ended.wait(HEARTBEAT):
        print(f"  ... {time.monotonic() - began:4.0f} s: {', '.join(sorted(under_way))}", flush=True)
