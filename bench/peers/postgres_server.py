"""A PostgreSQL server of the peer's own in a folder, set for loading, gone at the end of the run."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from khlang.stack.postgres import account, binaries
from khlang.stack.process import held

SETTINGS = {
    "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "shared_buffers": "1GB", "work_mem": "128MB",
    "maintenance_work_mem": "512MB", "max_wal_size": "8GB", "checkpoint_timeout": "30min", "wal_level": "minimal",
    "max_wal_senders": "0", "synchronous_commit": "off", "fsync": "off", "full_page_writes": "off",
    "autovacuum": "off", "jit": "off", "timezone": "UTC", "log_statement": "none", "log_min_error_statement": "panic",
}  # fmt: skip
"""Set for loading: a production server would neither leave out fsync nor autovacuum."""


@contextmanager
def server(state: Path) -> Iterator[str]:
    """Start the server over `state`/database (made at the first load); the connection's address."""
    folder, owner = state / "database", account()
    programs, fresh = binaries(folder), not (folder / "PG_VERSION").exists()
    password_file = state / "password"
    if fresh:
        _initialise(folder, password_file, programs, owner)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    options = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
    with held(folder, owner is not None) as (place, kept), (state / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [programs / "postgres", "-D", place, "-p", str(port), *options], stdout=log, stderr=log, pass_fds=kept,
            cwd="/", user=owner, extra_groups=[] if owner else None,
        )  # fmt: skip
    address = f"host=127.0.0.1 port={port} user=postgres dbname=postgres password={password_file.read_text().strip()}"
    try:
        _wait(address, process)
        yield address
    finally:
        process.send_signal(2)  # fast shutdown
        process.wait(60)


def _initialise(folder: Path, password_file: Path, programs: Path, owner: str | None) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o700)
    password_file.write_text(secrets.token_urlsafe(24) + "\n")
    password_file.chmod(0o600)
    if owner:
        shutil.chown(folder, owner)
    with held(folder, owner is not None) as (place, kept):
        command = [
            str(programs / "initdb"),
            "-D",
            str(place),
            "-U",
            "postgres",
            "-A",
            "scram-sha-256",
            "-E",
            "UTF8",
        ]
        done = subprocess.run(
            [*command, "--locale=C", "--no-sync", "--pwfile=/dev/stdin"],
            stdin=_readable(password_file.read_text(), owner), capture_output=True, text=True, check=False,
            pass_fds=kept, cwd="/", user=owner, extra_groups=[] if owner else None,
        )  # fmt: skip
    if done.returncode:
        raise OSError(f"initdb failed: {done.stderr.strip()[-500:]}")


def _readable(text: str, owner: str | None) -> int:
    """A pipe that holds the text and that the account may open."""
    reading, writing = os.pipe()
    if owner:
        os.fchown(reading, pwd.getpwnam(owner).pw_uid, -1)
    os.write(writing, text.encode())
    os.close(writing)
    return reading


def _wait(address: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        try:
            psycopg.connect(address, connect_timeout=5).close()
            return
        except psycopg.OperationalError:
            if process.poll() is not None:
                raise OSError("the server ended at its start: see server.log in the state folder") from None
            time.sleep(0.05)
    raise OSError("the server did not start in time")
