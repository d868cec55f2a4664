"""A stack of its own in a temporary home, the command `khlang` run on it, all that it prints kept to be searched."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from khlang.errors import StackError
from khlang.settings import OFFSETS, PROJECT, Settings

FIRST_PORT, LAST_PORT = 19000, 22600
GRPC = 10_000
"""The stores' second ports lie so much higher."""


@dataclass(frozen=True, slots=True)
class Ground:
    """One installation: its settings, and a folder beside its home for what is delivered."""

    settings: Settings
    outside: Path
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def printed(self) -> Path:
        """What its commands printed."""
        return self.settings.root / "logs" / "printed.log"

    def run(self, *arguments: str, expect: tuple[int, ...] = (0, 99)) -> int:
        """`khlang ARGUMENTS` to its end; raises StackError with the place of its output when it ends otherwise."""
        with self.printed.open("ab") as out:
            done = subprocess.run(
                [sys.executable, "-m", "khlang", *arguments],
                env=self._environment(), cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False,
            )  # fmt: skip
        if done.returncode not in expect:
            last = " / ".join(self.printed.read_text("utf-8", "replace").splitlines()[-4:])
            raise StackError(
                "prove.step", f"khlang {' '.join(arguments)[:40]} ended with {done.returncode}: {last[:400]}",
                "ขั้นตอนหนึ่งไม่สำเร็จ", str(self.printed), "the end of that file says why; --keep keeps it",
            )  # fmt: skip
        return done.returncode

    def _environment(self) -> dict[str, str]:
        """Nothing of another installation's settings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KHLANG_")}
        venvs = {name: os.environ[name] for name in ("KHLANG_VENVS",) if name in os.environ}
        root = self.settings.root
        return kept | venvs | {
            "KHLANG_HOME": str(root), "KHLANG_BASE_PORT": str(self.settings.base_port),
            "KHLANG_CONFIG": str(root / "none.toml"), "KHLANG_SPARK_EVENTS": "true",
            "PYTHONPATH": str(PROJECT / "jobs"), "TMPDIR": str(root / "tmp"), "COLUMNS": "160",
        } | dict(self.more)  # fmt: skip


@contextmanager
def ground(keep: Path | None, groups: str) -> Iterator[Ground]:
    """A stack of those groups, stopped and removed at the end; `keep`: a folder in which it stays instead."""
    folder = keep or Path(tempfile.mkdtemp(prefix="khlang-prove-"))
    home, outside = folder / "home", folder / "outside"
    for made in (folder, home, home / "logs", home / "tmp", outside):
        made.mkdir(parents=True, exist_ok=True)
    for passed in (folder, home):  # the database runs under an account of its own
        passed.chmod(passed.stat().st_mode | 0o011)
    settings = Settings.model_construct(home=home, base_port=free_base_port())
    own = Ground(settings, outside)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the stack ends with whoever is told to
    try:
        own.run("up", "--only", groups)
        yield own
    finally:
        with suppress(StackError):
            own.run("down")
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def free_base_port() -> int:
    """A first port of which every service's port is free."""
    for base in range(FIRST_PORT, LAST_PORT, 100):
        ports = [base + offset for offset in OFFSETS.values()]
        ports += [port + GRPC for port in ports if port < base + 20]
        if not any(map(_taken, ports)):
            return base
    raise StackError(
        "prove.port",
        "no free ports",
        "ไม่มีพอร์ตว่าง",
        f"127.0.0.1:{FIRST_PORT}",
        "stop another stack: khlang down",
    )


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
