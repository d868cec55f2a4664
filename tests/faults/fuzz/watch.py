"""The watcher: starts the worker, ends it when a case hangs, starts it again behind a death, and adds up."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HANG_SECONDS = 5.0
"""Seconds of the processor in one case."""

PATIENCE_SECONDS = 60.0
"""Seconds of the clock."""

GROWTH_KIB = 64 << 10
TOLD_EVERY = 5000


@dataclass(frozen=True, slots=True)
class Plan:
    """Which cases: numbers from `first` to before `last`, of a seed, with a share of members."""

    first: int
    last: int
    seed: int
    members: float

    def command(self, first: int) -> list[str]:
        """The worker from that case on."""
        numbers = ["--first", str(first), "--cases", str(self.last - first), "--seed", str(self.seed)]
        return [sys.executable, "-m", "fuzz", "--work", *numbers, "--members", str(self.members)]


class Found:
    """What came out so far."""

    def __init__(self) -> None:
        """Nothing yet. `growth` in KiB, `slowest` in seconds of the processor."""
        self.outcomes: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.failures: list[str] = []
        self.first_state: tuple[int, int, int] | None = None
        self.growth = self.files = self.temporary = 0
        self.slowest = 0.0

    @property
    def holds(self) -> bool:
        """Whether nothing failed, nothing grew and nothing was left open."""
        return not self.failures and self.growth <= GROWTH_KIB and self.files <= 0 and self.temporary <= 0


def _line(words: list[str], found: Found) -> None:
    """Note what the worker said."""
    kind, number, *rest = words
    if kind == "end":
        found.outcomes[f"{rest[0]}: {' '.join(rest[2:])}"] += 1
        found.kinds[" ".join(rest[:2])] += 1
    elif kind == "state":
        state = tuple(map(int, rest))
        found.first_state = found.first_state or (state[0], state[1], state[2])
        found.growth = state[0] - found.first_state[0]
        found.files, found.temporary = state[1] - found.first_state[1], state[2]
    elif kind in ("wrong", "crash"):
        found.outcomes[kind] += 1
        found.failures.append(f"case {number}: {kind}: {' '.join(rest)}")


class _Worker:
    """A worker process and what it says, a line at a time."""

    def __init__(self, plan: Plan, first: int, folder: str) -> None:
        own = {"TMPDIR": folder, "POLARS_MAX_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
        self.process = subprocess.Popen(
            plan.command(first), stdout=subprocess.PIPE, env={**os.environ, **own}
        )  # fmt: skip
        assert self.process.stdout is not None
        self.pipe = self.process.stdout.fileno()
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.pipe, selectors.EVENT_READ)
        self.held = b""

    def cpu_seconds(self) -> float:
        """Seconds of the processor that it has had."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def lines(self, seconds: float) -> list[list[str]]:
        """What came within so many seconds; empty at the end."""
        if not self.selector.select(seconds):
            return [["nothing"]]
        piece = os.read(self.pipe, 1 << 16)
        *whole, self.held = (self.held + piece).split(b"\n")
        if not piece:
            return []
        return [line.decode().split() for line in whole] or [["nothing"]]

    def end(self) -> int:
        """Kill it, if it still lives; its exit code."""
        self.process.kill()
        self.selector.close()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return self.process.wait()


def watched(plan: Plan, say: Callable[[str], None]) -> Found:
    """All cases of the plan, whatever becomes of the worker."""
    found, first = Found(), plan.first
    with tempfile.TemporaryDirectory(prefix="khlang-fuzz-") as folder:
        while first < plan.last:
            first = _some(plan, first, folder, found, say)
    return found


class _Case:
    """The case that the worker is at: its number, and since when."""

    def __init__(self, worker: _Worker, first: int) -> None:
        self.worker, self.number, self.answered = worker, first, True
        self.started()

    def started(self) -> None:
        """Time counts from now."""
        self.begun, self.spent = time.monotonic(), self.worker.cpu_seconds()

    def hangs(self) -> bool:
        """Whether it has had too much of the processor, or too long of all: another program may have been busy."""
        spent, waited = self.worker.cpu_seconds() - self.spent, time.monotonic() - self.begun
        return waited > PATIENCE_SECONDS or (spent > HANG_SECONDS and not self.answered)


def _some(plan: Plan, first: int, folder: str, found: Found, say: Callable[[str], None]) -> int:
    """Cases until the worker ends or is ended; the number of the next one."""
    worker = _Worker(plan, first, folder)
    case, found.first_state = _Case(worker, first), None
    try:
        while lines := worker.lines(1.0):
            for words in lines:
                _heard(words, case, found)
                told = words[0] == "begin" and case.number % TOLD_EVERY == 0 and case.number > plan.first
                if told:
                    say(f"{case.number - plan.first:,} cases, {len(found.failures)} failures")
            if case.hangs():
                found.failures.append(f"case {case.number}: hang")
                found.outcomes["hang"] += 1
                return case.number + 1
    finally:
        code = worker.end()
    if not case.answered or case.number + 1 < plan.last:
        found.failures.append(f"case {case.number}: crash: the process ended with {code}")
        found.outcomes["crash"] += 1
    return case.number + 1


def _heard(words: list[str], case: _Case, found: Found) -> None:
    """Take in one line of the worker."""
    if words[0] == "begin":
        case.number, case.answered = int(words[1]), False
        case.started()
    elif words[0] != "nothing":
        if not case.answered:
            found.slowest = max(found.slowest, case.worker.cpu_seconds() - case.spent)
        case.answered = True
        case.started()
        _line(words, found)


def table(found: Found, seconds: float) -> str:
    """What came out, for people."""
    cases = sum(found.outcomes.values())
    lines = [f"{'outcome':<28} {'cases':>9}"]
    lines += [f"{name:<28} {count:>9,}" for name, count in sorted(found.outcomes.items())]
    lines += [f"{'all':<28} {cases:>9,}", ""]
    zips = sum(count for name, count in found.kinds.items() if name.startswith("zip "))
    lines.append(f"{zips:,} zips, {cases - zips:,} members in {seconds:.0f} s, slowest {found.slowest:.2f} s")
    failed = [found.outcomes[name] for name in ("wrong", "crash", "hang")]
    lines.append(f"wrong {failed[0]}, crashes {failed[1]}, hangs (> {HANG_SECONDS:.0f} s) {failed[2]}")
    left = f"files left open {found.files}, temporary files {found.temporary}"
    lines.append(f"memory grown since warm {found.growth / 1024:.1f} MiB, {left}")
    return "\n".join([*lines, *found.failures[:40]])
