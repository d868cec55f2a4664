"""`khlang check` on a clerk's machine: no Java, no network, a first word in seconds whatever the zip's size."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import psutil
import pytest

from khlang.settings import PROJECT

NAME = "F43_99001_20261101083000.zip"
HEADER = "HOSPCODE|PID|DATERECORD|DRUGALLERGY|DNAME|INFORMANT|INFORMHOSP|D_UPDATE\r\n"
GUARD = """
import socket, subprocess
def _refused(*_, **__):
    raise SystemExit("NETWORK OR PROCESS")
socket.socket.connect = socket.socket.connect_ex = socket.socket.bind = _refused
socket.getaddrinfo = _refused
subprocess.Popen.__init__ = _refused
"""
"""Loaded by Python before anything else: whoever connects or starts a process ends the check."""


def _zip(folder: Path, size: int) -> Path:
    """A zip of at least that size, with a file of short notes and one without a usable header."""
    dice, path = random.Random(7), folder / NAME
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        made.writestr("HOME.txt", "not a header\r\n1|2\r\n")
        with made.open("DRUGALLERGY.txt", "w", force_zip64=True) as out:
            out.write(HEADER.encode())
            number = 0
            while path.stat().st_size < size:
                for _ in range(1000):
                    number += 1
                    text = dice.randbytes(100).hex().translate(str.maketrans("0123456789", "กขคงจฉชซญณ"))
                    out.write(f"99001|{number}|20260901|A1|{text}|1|99001|20260901080000\r\n".encode())
    return path


def _start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """`khlang check` with nothing else on the path, and guarded."""
    (folder / "guard").mkdir(exist_ok=True)
    (folder / "guard" / "sitecustomize.py").write_text(GUARD, "utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KHLANG_", "JAVA"))}
    environment = {**kept, "PATH": "", "PYTHONPATH": f"{folder / 'guard'}{os.pathsep}{PROJECT / 'jobs'}"}
    command = [sys.executable, "-m", "khlang", "check", *arguments]
    return subprocess.Popen(
        command, env=environment, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def test_a_check_needs_neither_network_nor_another_process(tmp_path: Path) -> None:
    process = _start(tmp_path, str(_zip(tmp_path, 1)))
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0 and "NETWORK" not in said, said
    assert "file.header" in said and "DRUGALLERGY" in said


def test_the_guard_of_this_suite_bites(tmp_path: Path) -> None:
    (tmp_path / "guard").mkdir()
    (tmp_path / "guard" / "sitecustomize.py").write_text(GUARD, "utf-8")
    for act in (
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import os, subprocess; subprocess.run(['java'])",
    ):
        done = subprocess.run(
            [sys.executable, "-c", act], env={**os.environ, "PYTHONPATH": str(tmp_path / "guard")},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "NETWORK OR PROCESS" in done.stderr


@pytest.mark.long
def test_the_zip_and_the_headers_of_100_megabytes_are_judged_in_ten_seconds(tmp_path: Path) -> None:
    path = _zip(tmp_path, 100_000_000)
    process = _start(tmp_path, str(path))
    assert process.stdout is not None
    told = []
    for line in process.stdout:
        told.append(line)
        if "rows not yet" in line:
            break
    spent = psutil.Process(process.pid).cpu_times()
    seconds = spent.user + spent.system  # of a core: what others do on the machine does not count
    process.kill()
    process.wait()
    print(f"{path.stat().st_size / 1e6:.0f} MB: zip and headers judged after {seconds:.1f} s")
    said = "".join(told)
    assert "rows not yet" in said and "file.header" in said, said
    assert seconds < 10
