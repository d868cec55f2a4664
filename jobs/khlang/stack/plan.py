"""The stack as a graph of services: start in order of need, side by side; stop in reverse; repair."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from khlang.errors import SettingsError, StackError
from khlang.lake import keys
from khlang.lake.secrets import Secrets
from khlang.settings import Settings
from khlang.stack import process
from khlang.stack.catalogue import services
from khlang.stack.service import Service

Say = Callable[[str, str, float], None]
"""Called with a service's name, what became of it, and the seconds it took."""

FOLDERS = ("run", "logs", "tmp", "keys")


@dataclass(frozen=True, slots=True)
class Plan:
    """The services of one installation, and where their records and logs lie."""

    settings: Settings
    services: tuple[Service, ...]

    @property
    def run(self) -> Path:
        """Folder of the pid files."""
        return self.settings.root / "run"

    @property
    def logs(self) -> Path:
        """Folder of the logs."""
        return self.settings.root / "logs"

    def chosen(self, only: tuple[str, ...]) -> tuple[Service, ...]:
        """The services named (by group or name) with all that they need; every one when none is named."""
        known = {service.name for service in self.services} | {service.group for service in self.services}
        unknown = [name for name in only if name not in known]
        if unknown:
            raise SettingsError(
                "stack.unknown",
                f"no such service: {', '.join(unknown)}",
                "ไม่มีบริการชื่อนี้",
                "--only",
                f"choose from {', '.join(sorted(known))}",
            )
        wanted = self.named(only)
        for service in reversed(self.services):
            if service.name in wanted:
                wanted |= set(service.needs)
        return tuple(service for service in self.services if service.name in wanted)

    def named(self, only: tuple[str, ...]) -> set[str]:
        """Names of the services that are meant, without what they need."""
        given = set(only)
        return {
            service.name for service in self.services if not only or {service.name, service.group} & given
        }


def plan(settings: Settings) -> Plan:
    """Folders and secrets made where missing, and the services over them."""
    settings.root.mkdir(parents=True, exist_ok=True)
    for name in FOLDERS:
        (settings.root / name).mkdir(exist_ok=True)
    (settings.root / "keys").chmod(0o700)
    Secrets.create(settings)
    if not settings.key_store.startswith("openbao:"):  # the embedded one is made once its server runs
        keys.create(settings)
    return Plan(settings, services(settings))


def up(settings: Settings, only: tuple[str, ...], say: Say) -> None:
    """Start what does not run, repair what is not well; the first failure names its service and log."""
    bring_up(plan(settings), only, say)


def bring_up(whole: Plan, only: tuple[str, ...], say: Say) -> None:
    """Start the chosen services of a plan, each after what it needs, side by side where they may."""
    chosen = whole.chosen(only)
    with _alone(whole), ThreadPoolExecutor(max(1, len(chosen))) as pool:
        started: dict[str, Future[None]] = {}
        for service in chosen:
            needs = [started[name] for name in service.needs if name in started]
            started[service.name] = pool.submit(_bring_up, whole, service, needs, say)
        failures = [error for future in started.values() if (error := future.exception()) is not None]
    for failure in failures:
        if not isinstance(failure, _NeedFailed):
            raise failure


def down(settings: Settings, only: tuple[str, ...], say: Say) -> None:
    """Stop the services (and those that need them), dependants first, side by side where they may."""
    bring_down(plan(settings), only, say)


def bring_down(whole: Plan, only: tuple[str, ...], say: Say) -> None:
    """Stop the chosen services of a plan, each after those that need it."""
    names = whole.named(only)
    for service in whole.services:
        if names & set(service.needs):
            names.add(service.name)
    with _alone(whole), ThreadPoolExecutor(max(1, len(names))) as pool:
        stopped: dict[str, Future[None]] = {}
        for service in reversed(whole.services):
            if service.name in names:
                dependants = [stopped[name] for name in stopped if service.name in _needs(whole, name)]
                stopped[service.name] = pool.submit(_bring_down, whole, service, dependants, say)
        for future in stopped.values():
            future.result()


class _NeedFailed(StackError):
    """A service was not started because one that it needs failed; that failure is the one to tell."""


def _bring_up(whole: Plan, service: Service, needs: list[Future[None]], say: Say) -> None:
    if any(need.exception() is not None for need in needs):
        raise _NeedFailed("stack.need", f"{service.name} was not started")
    began = time.monotonic()
    if process.running(whole.run, service.name) and service.healthy():
        service.ready()
        say(service.name, "runs", time.monotonic() - began)
        return
    process.stop(service, whole.run)
    say(service.name, "starts", 0)
    service.prepare()
    if service.port:
        _refuse_taken_port(service)
    child = process.start(service, whole.run, whole.logs)
    _await_health(whole, service, child.pid)
    service.ready()
    say(service.name, "is well", time.monotonic() - began)


def _await_health(whole: Plan, service: Service, pid: int) -> None:
    deadline = time.monotonic() + service.start_seconds
    log = service.log_file(whole.logs)
    pause = 0.1
    while time.monotonic() < deadline:
        if process.running(whole.run, service.name) is None:
            raise StackError(
                "stack.died",
                f"{service.name} ended while starting",
                f"บริการ {service.name} หยุดเอง",
                str(log),
                "the end of its log says why",
            )
        if service.healthy():
            return
        time.sleep(pause)
        pause = min(pause * 1.3, 1.0)
    process.stop(service, whole.run)
    raise StackError(
        "stack.unhealthy",
        f"{service.name} (pid {pid}) did not become well in {service.start_seconds} s",
        f"บริการ {service.name} ไม่พร้อมภายใน {service.start_seconds} วินาที",
        str(log),
        "the end of its log says why",
    )


def _refuse_taken_port(service: Service) -> None:
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", service.port))
        except OSError as error:
            raise StackError(
                "stack.port",
                f"port {service.port} of {service.name} is taken by a process that is not ours",
                f"พอร์ต {service.port} ถูกโปรแกรมอื่นใช้อยู่",
                f"127.0.0.1:{service.port}",
                "stop that process, or set KHLANG_BASE_PORT to another number",
            ) from error


def _bring_down(whole: Plan, service: Service, dependants: list[Future[None]], say: Say) -> None:
    for dependant in dependants:
        dependant.result()
    began = time.monotonic()
    if process.stop(service, whole.run):
        say(service.name, "stopped", time.monotonic() - began)


def _needs(whole: Plan, name: str) -> tuple[str, ...]:
    return next(service.needs for service in whole.services if service.name == name)


@contextmanager
def _alone(whole: Plan) -> Iterator[None]:
    """One `up` or `down` at a time in a home; a second one waits."""
    with (whole.run / "stack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
