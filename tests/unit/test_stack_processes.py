"""Services as processes: only our own are ever ended, all of them are, what died is started again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

import psutil
import pytest

from khlang.errors import SettingsError, StackError
from khlang.settings import Settings
from khlang.stack import process
from khlang.stack.plan import Plan, bring_down, bring_up
from khlang.stack.service import Service

PARENT = (
    "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
)
SLEEPER = f"{PARENT}time.sleep(600)"


def quiet(*_: object) -> None:
    """Nobody listens to the progress."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    try:
        connection = HTTPConnection("127.0.0.1", port, timeout=2)
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except OSError:
        return False


def web(folder: Path, name: str, needs: tuple[str, ...] = ()) -> Service:
    """A real small web server as a service."""
    port = free_port()
    command = (sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1")
    return Service(
        name=name, group="web", port=port, command=command, folder=folder / name, needs=needs,
        healthy=lambda: answers(port), start_seconds=30, stop_seconds=5,
    )  # fmt: skip


def sleeper(folder: Path) -> Service:
    """A service that has a child."""
    return Service(
        name="sleeper", group="idle", port=0, command=(sys.executable, "-c", SLEEPER), folder=folder,
        healthy=lambda: True, stop_seconds=5,
    )  # fmt: skip


def test_stop_ends_a_child_that_opened_a_session_of_its_own(folder: Path) -> None:
    parent = PARENT.replace("600)'])", "600)'], start_new_session=True)") + "time.sleep(600)"
    service = replace(sleeper(folder), command=(sys.executable, "-c", parent))
    process.start(service, folder / "run", folder / "logs")
    while len(family := process.members(folder / "run", "sleeper")) < 2:
        time.sleep(0.05)
    process.stop(service, folder / "run")
    alive = [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    for one in alive:
        one.kill()
    assert not alive


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("run", "logs"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture
def started(folder: Path) -> Iterator[Service]:
    """The sleeper, with its child up."""
    service = sleeper(folder)
    process.start(service, folder / "run", folder / "logs")
    while len(process.members(folder / "run", "sleeper")) < 2:
        time.sleep(0.05)
    yield service
    process.stop(service, folder / "run")


STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, print); print('up', flush=True); time.sleep(60)"
)


def stubborn(folder: Path, closed: bool) -> Service:
    """A service that never ends by itself; `closed`: it says that it takes no more work."""
    command = (sys.executable, "-c", STUBBORN)
    service = replace(sleeper(folder), command=command, stop_seconds=4, closed=lambda: closed)
    process.start(service, folder / "run", folder / "logs")
    while "up" not in (folder / "logs" / "sleeper.log").read_text():
        time.sleep(0.05)
    return service


def test_a_service_that_takes_no_more_work_is_not_waited_for_longer_than_it_needs(folder: Path) -> None:
    took = []
    for closed in (True, False):
        service, began = stubborn(folder, closed), time.monotonic()
        assert process.stop(service, folder / "run")
        took.append(time.monotonic() - began)
        (folder / "logs" / "sleeper.log").unlink()
    assert process.GRACE_SECONDS <= took[0] < 4 <= took[1]


def test_the_files_of_a_closed_service_are_on_the_disk_before_it_is_killed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "volume.dat").write_bytes(b"1")
    service = stubborn(folder, True)
    leader = process.running(folder / "run", "sleeper")
    synced: set[str] = set()

    def noted(descriptor: int) -> None:
        assert leader is not None and leader.is_running()
        synced.add(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)

    monkeypatch.setattr(os, "fsync", noted)
    process.stop(service, folder / "run")
    assert "volume.dat" in synced


def plan_of(folder: Path, *services: Service) -> Plan:
    return Plan(Settings(home=folder), services)  # type: ignore[call-arg]


def test_stop_ends_a_service_and_its_children(folder: Path, started: Service) -> None:
    family = process.members(folder / "run", "sleeper")
    assert len(family) == 2
    assert process.stop(started, folder / "run")
    assert not [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    assert not (folder / "run" / "sleeper.json").exists()


def test_stop_ends_the_children_of_a_service_that_was_killed(folder: Path, started: Service) -> None:
    family = process.members(folder / "run", "sleeper")
    leader = process.running(folder / "run", "sleeper")
    assert leader is not None
    os.kill(leader.pid, signal.SIGKILL)
    os.waitpid(leader.pid, 0)
    assert process.running(folder / "run", "sleeper") is None
    process.stop(started, folder / "run")
    assert not [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def test_a_process_of_somebody_else_with_our_old_pid_is_left_alone(folder: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    try:
        record = {"pid": other.pid, "started": psutil.Process(other.pid).create_time() - 3600, "command": []}
        (folder / "run" / "sleeper.json").write_text(json.dumps(record))
        assert process.running(folder / "run", "sleeper") is None
        assert process.members(folder / "run", "sleeper") == []
        process.stop(sleeper(folder), folder / "run")
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize("torn", ["", "{", '{"pid": "x"}', "[]"])
def test_a_torn_pid_file_counts_as_no_process(folder: Path, torn: str) -> None:
    (folder / "run" / "sleeper.json").write_text(torn)
    assert process.record_of(folder / "run", "sleeper") is None


def test_up_twice_leaves_what_runs_and_starts_again_what_was_killed(folder: Path) -> None:
    first, second = web(folder, "first"), web(folder, "second", needs=("first",))
    whole = plan_of(folder, first, second)
    try:
        bring_up(whole, (), quiet)
        before = [process.record_of(whole.run, name) for name in ("first", "second")]
        bring_up(whole, (), quiet)
        assert [process.record_of(whole.run, name) for name in ("first", "second")] == before
        assert before[0] is not None
        os.kill(before[0].pid, signal.SIGKILL)
        bring_up(whole, (), quiet)
        assert answers(first.port)
        assert process.record_of(whole.run, "second") == before[1]
    finally:
        bring_down(whole, (), quiet)
    assert not answers(first.port) and not answers(second.port)


def test_choosing_a_service_takes_what_it_needs_along(folder: Path) -> None:
    base, top, aside = web(folder, "base"), web(folder, "top", needs=("base",)), web(folder, "aside")
    whole = plan_of(folder, base, top, aside)
    assert [service.name for service in whole.chosen(("top",))] == ["base", "top"]
    assert [service.name for service in whole.chosen(("web",))] == ["base", "top", "aside"]


def test_an_unknown_service_is_named_with_those_that_exist(folder: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        plan_of(folder, web(folder, "base")).chosen(("bass",))
    assert "bass" in str(refused.value) and "base" in str(refused.value)


def test_stopping_a_service_stops_those_that_need_it_first(folder: Path) -> None:
    base, top = web(folder, "base"), web(folder, "top", needs=("base",))
    whole = plan_of(folder, base, top)
    bring_up(whole, (), quiet)
    order: list[str] = []
    bring_down(whole, ("base",), lambda name, *_: order.append(name))
    assert order == ["top", "base"]


def test_a_port_that_somebody_else_holds_is_named_and_nothing_is_ended(folder: Path) -> None:
    service = web(folder, "base")
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", service.port))
        holder.listen()
        with pytest.raises(StackError) as refused:
            bring_up(plan_of(folder, service), (), quiet)
    assert refused.value.code == "stack.port" and str(service.port) in refused.value.place


def test_a_service_that_dies_while_starting_is_told_with_its_log_and_its_dependants_do_not_start(
    folder: Path,
) -> None:
    broken = Service(
        name="broken", group="idle", port=0, command=(sys.executable, "-c", "print('why'); raise SystemExit(3)"),
        folder=folder, healthy=lambda: False,
    )  # fmt: skip
    top = web(folder, "top", needs=("broken",))
    with pytest.raises(StackError) as failed:
        bring_up(plan_of(folder, broken, top), (), quiet)
    assert failed.value.code == "stack.died"
    assert "why" in Path(failed.value.place).read_text()
    assert process.record_of(folder / "run", "top") is None
