"""A whole lake of its own for a test: a home folder, ports of its own, the command `khlang` as users run it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from khlang.settings import OFFSETS, PROJECT, Settings


def _free(port: int) -> bool:
    """Whether nothing listens on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def free_base_port(first: int) -> int:
    """A base port of which every service's port is free, with the gRPC ports 10000 above the stores'."""
    for base in range(first, first + 5000, 100):
        ports = [base + offset for offset in OFFSETS.values()]
        ports += [port + 10000 for port in ports if port < base + 20]
        if all(_free(port) for port in ports):
            return base
    raise OSError("no free ports")


@dataclass(frozen=True)
class Lake:
    """One installation: its home and base port; `more` are further settings of its commands."""

    home: Path
    base_port: int
    more: tuple[tuple[str, str], ...] = ()

    @cached_property
    def settings(self) -> Settings:
        """Its settings, for reading it in this process."""
        return Settings(home=self.home, base_port=self.base_port)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of its processes."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KHLANG_")}
        venvs = {"KHLANG_VENVS": os.environ["KHLANG_VENVS"]} if "KHLANG_VENVS" in os.environ else {}
        own = {"KHLANG_HOME": str(self.home), "KHLANG_BASE_PORT": str(self.base_port)}
        return {
            **kept,
            **venvs,
            **own,
            "PYTHONPATH": str(PROJECT / "jobs"),
            "COLUMNS": "160",
            **dict(self.more),
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """`khlang ARGUMENTS` under way, in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "khlang", *arguments],
            env=self.environment, cwd=PROJECT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip

    def run(self, *arguments: str, expect: Sequence[int] = (0,), seconds: float = 900) -> str:
        """`khlang ARGUMENTS` to its end; its output. Fails the test when the exit code is another."""
        done = subprocess.run(
            [sys.executable, "-m", "khlang", *arguments],
            env=self.environment, cwd=PROJECT, text=True, capture_output=True, timeout=seconds, check=False,
        )  # fmt: skip
        command = f"khlang {' '.join(arguments)[:200]} ended with {done.returncode}"
        said = f"{command}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        assert done.returncode in expect, said
        return done.stdout

    def told(self, *arguments: str, expect: Sequence[int]) -> str:
        """What `khlang ARGUMENTS` says of a failure, on the error stream."""
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=300)
        assert process.returncode in expect, said
        return said

    def json_lines(self, *arguments: str, expect: Sequence[int] = (0,)) -> list[dict[str, Any]]:
        """The JSON objects that `khlang ARGUMENTS --json` prints, one a line."""
        told = self.run(*arguments, "--json", expect=expect)
        return [json.loads(line) for line in told.splitlines() if line.startswith("{")]
