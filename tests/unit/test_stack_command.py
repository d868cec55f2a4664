"""The command `khlang`: quick to start, commands found by themselves, failures told without a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from khlang import __main__ as khlang_main
from khlang.errors import BusyError, KhlangError, PrivacyError
from khlang.settings import PROJECT
from khlang.stack.status import Report, ServiceState, show

HEAVY = (
    "pyspark",
    "polars",
    "pandas",
    "pyarrow",
    "deltalake",
    "duckdb",
    "boto3",
    "sqlalchemy",
    "presidio_analyzer",
)


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "jobs")}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)


def test_help_imports_nothing_heavy() -> None:
    asked = run_python(
        "import sys\nfrom khlang.__main__ import discover\nfrom typer.testing import CliRunner\n"
        "out = CliRunner().invoke(discover(), ['--help'])\nassert out.exit_code == 0, out.output\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.strip() == "[]"


def test_every_module_of_commands_adds_its_commands() -> None:
    modules = {path.stem for path in (PROJECT / "jobs/khlang/commands").glob("*.py")}
    assert modules, "no command module"
    names = {command.name for command in khlang_main.discover().registered_commands}
    assert {"up", "down", "status"} <= names


@pytest.mark.parametrize("failure", [PrivacyError, BusyError])
def test_a_named_failure_ends_with_its_exit_code_and_no_traceback(
    failure: type[KhlangError], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise failure("some.code", "it went wrong", "เกิดข้อผิดพลาด", "a place", "a step")

    monkeypatch.setattr(khlang_main, "discover", lambda: fails)
    with pytest.raises(SystemExit) as ended:
        khlang_main.main()
    assert ended.value.code == failure.exit_code
    told = capsys.readouterr().err
    assert told.splitlines() == ["some.code: it went wrong", "เกิดข้อผิดพลาด", "  at: a place", "  next: a step"]


def test_times_of_the_status_stand_on_bangkoks_clock_with_their_zone_and_in_json_in_utc(
    capsys: pytest.CaptureFixture[str],
) -> None:
    moments = {"delivery": "2026-11-01T20:05:00+00:00", "release": None}
    found = Report((ServiceState("database", 7, 20, True, ""),), "home", (), (), moments)
    show(found, as_json=False)
    told = capsys.readouterr().out
    assert "2026-11-02 03:05:00 +07 (Asia/Bangkok)" in told and "20:05" not in told
    show(found, as_json=True)
    assert moments == json.loads(capsys.readouterr().out)["freshness"]


def test_an_unknown_service_ends_with_the_exit_code_of_settings(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "jobs"), "KHLANG_HOME": str(tmp_path)}
    asked = subprocess.run(
        [sys.executable, "-m", "khlang", "up", "--only", "nonsense"], env=env, capture_output=True, text=True
    )
    assert asked.returncode == 2
    assert "nonsense" in asked.stderr and "Traceback" not in asked.stderr
