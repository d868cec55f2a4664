"""Process records: pid, start time and session of each service, so that nobody else's is ever touched."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from khlang.stack.service import HELD, Service, never

GRACE_SECONDS = 1.0
"""For what a service had begun before it stopped taking work (Service.closed)."""

CLOCK_STEP = 2.0
"""Seconds by which two readings of one start time may differ (the kernel's boot time is corrected)."""


@dataclass(frozen=True, slots=True)
class Record:
    """What the pid file says."""

    pid: int
    started: float
    command: tuple[str, ...]


def record_of(run: Path, name: str) -> Record | None:
    """The pid file of a service, or None when there is none or it is torn."""
    try:
        kept = json.loads((run / f"{name}.json").read_text())
        return Record(int(kept["pid"]), float(kept["started"]), tuple(kept["command"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def running(run: Path, name: str) -> psutil.Process | None:
    """The live leader of a service: the same pid and the same start time as recorded."""
    record = record_of(run, name)
    if record is None:
        return None
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(record.pid)
        same = abs(process.create_time() - record.started) < CLOCK_STEP
        if same and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def start(service: Service, run: Path, logs: Path) -> psutil.Process:
    """Start a service in its own session; its output goes to its log, its record to its pid file."""
    service.folder.mkdir(parents=True, exist_ok=True)
    with (
        service.log_file(logs).open("ab") as log,
        held(service.folder, service.holds_folder) as (command, kept),
    ):
        child = subprocess.Popen(
            [word.replace(HELD, command) for word in service.command],
            cwd="/" if service.holds_folder else service.folder,
            pass_fds=kept,
            env={**os.environ, **service.env},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=service.account,
            group=service.account and _group_of(service.account),
            extra_groups=[] if service.account else None,
        )
    process = psutil.Process(child.pid)
    record = Record(child.pid, process.create_time(), service.command)
    _write(run / f"{service.name}.json", json.dumps(asdict(record)))
    return process


@contextmanager
def held(folder: Path, wanted: bool) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The folder's name for a child, and the descriptors to hand over: none when it is called by its path."""
    if not wanted:
        yield str(folder), ()
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}", (descriptor,)
    finally:
        os.close(descriptor)


def stop(service: Service, run: Path) -> bool:
    """End a service and all that it started; True when something had to be ended.

    What does not end in time is killed, and so is a service that is `closed`: its files are then on the disk.
    """
    family = members(run, service.name)
    leader = running(run, service.name)
    if leader is not None:
        with contextlib.suppress(psutil.Error):
            leader.send_signal(service.stop_signal)
    elif family:
        _signal(family, signal.SIGTERM)
    remaining = _wait_closed(service, family)
    if remaining and service.closed is not never:
        _to_disk(service.folder)
    _signal(remaining, signal.SIGKILL)
    left = _wait(remaining, 10)
    if not left:
        (run / f"{service.name}.json").unlink(missing_ok=True)
    return bool(family)


def members(run: Path, name: str) -> list[psutil.Process]:
    """All live processes of a service: its descendants and its session, even when the leader is dead."""
    record = record_of(run, name)
    if record is None:
        return []
    leader = running(run, name)
    found: dict[int, psutil.Process] = {}
    if leader is not None:
        found[leader.pid] = leader
        with contextlib.suppress(psutil.Error):
            found |= {child.pid: child for child in leader.children(recursive=True)}
    if leader is not None or not psutil.pid_exists(record.pid):
        found |= {process.pid: process for process in _session(record)}
    return list(found.values())


def _session(record: Record) -> list[psutil.Process]:
    """Processes of the session that the leader opened: a pid is not given anew while its session lives."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            young = process.create_time() >= record.started - CLOCK_STEP
            if young and os.getsid(process.pid) == record.pid:
                found.append(process)
    return found


def _wait_closed(service: Service, processes: list[psutil.Process]) -> list[psutil.Process]:
    """Wait for their end, for a service that is closed no longer than it needs to finish what it had begun."""
    deadline = time.monotonic() + service.stop_seconds
    while processes and time.monotonic() < deadline:
        if service.closed():
            return _wait(processes, GRACE_SECONDS)
        processes = _wait(processes, 0.1)
    return processes


def _to_disk(folder: Path) -> None:
    """What the kernel holds of a folder's files is written to the disk before their writer is killed."""
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # removed meanwhile
            if path.is_file():
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)


def _wait(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    deadline = time.monotonic() + seconds
    while True:
        processes = [process for process in processes if _alive(process)]
        if not processes or time.monotonic() > deadline:
            return processes
        time.sleep(0.1)


def _alive(process: psutil.Process) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def _group_of(account: str) -> int:
    import pwd

    return pwd.getpwnam(account).pw_gid


def _write(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)
