"""Failures of libraries -> named ones with an exit code; what is a bug stays a traceback."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy.exc import OperationalError

from khlang.__main__ import from_outside
from khlang.lake.reader import Table
from khlang.settings import PROJECT


def khlang(home: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """The command as a person runs it, on a home where nothing runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    own = {"KHLANG_HOME": str(home), "KHLANG_BASE_PORT": "21000", "PYTHONPATH": str(PROJECT / "jobs")}
    own["KHLANG_DATABASE_URL"] = f"postgresql+psycopg://khlang@127.0.0.1:{port}/khlang"
    return subprocess.run(
        [sys.executable, "-m", "khlang", *words],
        env=own | settings,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_path_that_is_not_there_is_named_without_a_traceback(tmp_path: Path) -> None:
    done = khlang(tmp_path, "check", "/nope/F43_99999_20261101083000.zip")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "file.unreadable" in done.stderr and "/nope/F43_99999" in done.stderr


def test_a_setting_of_a_wrong_kind_is_named_by_its_field(tmp_path: Path) -> None:
    done = khlang(tmp_path, "status", KHLANG_BASE_PORT="abc")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "settings.invalid" in done.stderr and "base_port" in done.stderr


def test_a_database_that_does_not_answer_is_a_service_that_is_down() -> None:
    named = from_outside(OperationalError("select '1234567890121'", {}, Exception("refused")))
    assert named is not None and (named.exit_code, named.code) == (7, "database.unreachable")
    assert "1234567890121" not in str(named)


def test_a_bug_stays_a_bug() -> None:
    assert from_outside(KeyError("x")) is None


def test_a_table_with_hashes_is_exported_as_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = pl.DataFrame({"hospcode": ["10001"], "_key": [b"\x01\xff"]})
    monkeypatch.setattr(Table, "polars", lambda self: rows)
    assert Table.export(object.__new__(Table), tmp_path / "x.csv") == 1
    assert (tmp_path / "x.csv").read_text("utf-8") == "hospcode,_key\n10001,01ff\n"
