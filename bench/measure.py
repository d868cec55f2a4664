"""A command's cost: wall time, CPU seconds and memory of its whole process tree, and of the services beside it."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

EVERY_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds by the clock, CPU seconds of the tree, highest memory of the tree and of one Python process (MiB).

    `services` holds the CPU seconds that each service spent meanwhile; `output` is what the command printed.
    """

    seconds: float
    cpu: float
    tree_mib: float
    python_mib: float
    services: Mapping[str, float] = field(default_factory=dict)
    output: str = field(default="", repr=False)

    def plain(self) -> dict[str, Any]:
        """The figures without the output."""
        return {name: value for name, value in asdict(self).items() if name != "output"}


class Failed(Exception):
    """A measured command ended with an error; the message ends with its last lines."""


def cost(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    services: Mapping[str, int] | None = None,
) -> Cost:
    """Run a command to its end and measure it; raises Failed when it does not exit with 0.

    `services` names processes (name -> pid) whose work counts beside the command's.
    """
    before = {name: _tree_cpu(pid) for name, pid in (services or {}).items()}
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        env=dict(environment),
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    watch = _Watch(process.pid)
    output, _ = process.communicate()
    seconds = time.perf_counter() - start
    watch.stop()
    if process.returncode:
        raise Failed(f"{' '.join(command)[-200:]} ended with {process.returncode}\n{output[-3000:]}")
    beside = {name: _tree_cpu(pid) - before[name] for name, pid in (services or {}).items()}
    return Cost(seconds, watch.cpu, watch.tree_mib, watch.python_mib, beside, output)


class _Watch:
    """Looks at a process tree again and again: a process that ended counts with what it had at the last look."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._cpu: dict[tuple[int, float], float] = {}
        self.tree_mib = self.python_mib = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)
        self._thread.start()

    @property
    def cpu(self) -> float:
        """CPU seconds seen so far."""
        return sum(self._cpu.values())

    def stop(self) -> None:
        """End looking."""
        self._done.set()
        self._thread.join()

    def _look_on(self) -> None:
        while not self._done.wait(EVERY_SECONDS):
            self._look()

    def _look(self) -> None:
        whole = 0.0
        for process in _tree(self._root):
            try:
                with process.oneshot():
                    times, memory = process.cpu_times(), process.memory_info().rss / 2**20
                    self._cpu[process.pid, process.create_time()] = times.user + times.system
                    whole += memory
                    if process.name().startswith("python"):
                        self.python_mib = max(self.python_mib, memory)
            except psutil.Error:
                continue
        self.tree_mib = max(self.tree_mib, whole)


def _tree(root: int) -> list[psutil.Process]:
    """A process and all below it that live."""
    try:
        process = psutil.Process(root)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def _tree_cpu(root: int) -> float:
    total = 0.0
    for process in _tree(root):
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
    return total


def machine() -> dict[str, Any]:
    """Facts of the machine that a figure depends on; nothing that names it."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "unknown",
    )
    return {
        "cores": os.cpu_count(),
        "processor": model,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_before": [round(load, 2) for load in os.getloadavg()],
    }
