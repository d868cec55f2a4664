"""A Spark standalone cluster on loopback: one master, several workers of one core, for measuring how work spreads."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyspark

from bench.lake import BenchLake
from khlang.lake.session import jars_folder, java_home

WORKER_MEMORY = "3g"
_START_SECONDS = 60


def _open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _java(folder: Path, name: str, own: BenchLake, *arguments: str) -> subprocess.Popen[bytes]:
    """One daemon of Spark; its output goes to a log in the folder."""
    path = f"{Path(pyspark.__file__).parent / 'jars'}/*:{jars_folder()}/*"
    command = [str(java_home() / "bin" / "java"), "-Xmx512m", "-XX:+UseSerialGC", "-cp", path, *arguments]
    environment = {
        **own.environment,
        "JAVA_HOME": str(java_home()),
        "SPARK_HOME": str(Path(pyspark.__file__).parent),  # executors are started from there
        "SPARK_SCALA_VERSION": "2.13",
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )


def _await(ready: object, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a log says so; raises OSError when the daemon ended or took too long."""
    deadline = time.monotonic() + _START_SECONDS
    while str(ready) not in log.read_text("utf-8", errors="replace"):
        if process.poll() is not None or time.monotonic() > deadline:
            raise OSError(f"a daemon of Spark did not start: see {log.name}")
        time.sleep(0.2)


@contextmanager
def cluster(own: BenchLake, folder: Path, workers: int) -> Iterator[str]:
    """Master and workers, stopped at the end; the master's address."""
    first = own.base_port + 60
    ports = [port for port in range(first, first + 10) if not _open(port)]
    address = f"spark://127.0.0.1:{ports[0]}"
    host = ("--host", "127.0.0.1")
    started: list[subprocess.Popen[bytes]] = []
    try:
        master = "org.apache.spark.deploy.master.Master"
        started.append(
            _java(
                folder, "master", own, master, *host, "--port", str(ports[0]), "--webui-port", str(ports[1])
            )
        )
        _await("New state: ALIVE", started[0], folder / "master.log")
        for number in range(workers):
            limits = ("--cores", "1", "--memory", WORKER_MEMORY, "--work-dir", str(folder / f"work{number}"))
            web = ("--webui-port", str(ports[2 + number]))
            name = "org.apache.spark.deploy.worker.Worker"
            started.append(_java(folder, f"worker{number}", own, name, *host, *limits, *web, address))
            _await("Successfully registered", started[-1], folder / f"worker{number}.log")
        yield address
    finally:
        for process in reversed(started):
            process.terminate()
        for process in reversed(started):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
