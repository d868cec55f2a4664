"""Failures of libraries -> named ones with an exit code; what is a bug stays a traceback."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy.exc import OperationalError

from khlang import __main__ as command
from khlang import __version__, errors
from khlang.__main__ import from_outside
from khlang.commands.jobs import told
from khlang.lake import keys
from khlang.lake.evidence import git_sha
from khlang.lake.reader import Table
from khlang.model.bangkok import in_bangkok
from khlang.settings import PROJECT, Settings, load


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


class Asked:
    """The command in this process: its exit code and what it says on either stream."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        """Nothing is asked yet."""
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *words: str) -> tuple[int, str]:
        """`khlang WORDS` to its end."""
        self.monkeypatch.setattr(sys, "argv", ["khlang", *words])
        with pytest.raises(SystemExit) as ended:
            command.main()
        said = self.capsys.readouterr()
        return int(ended.value.code or 0), said.out + said.err


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Asked]:
    """Ready to be asked; settings are read anew, and not kept for the tests behind."""
    load.cache_clear()
    yield Asked(monkeypatch, capsys)
    load.cache_clear()


def test_the_version_is_told_with_the_commit_where_there_is_one(asked: Asked) -> None:
    code, said = asked("--version")
    assert code == 0 and said.startswith(f"khlang {__version__}")
    assert git_sha()[:12] in said


@pytest.mark.parametrize("lang", ["xx", "th,xx", ""])
@pytest.mark.parametrize("words", [("check", "nowhere.zip"), ("receipt", "R0000001-AAAAA")])
def test_a_language_that_there_is_not_is_refused(asked: Asked, words: tuple[str, str], lang: str) -> None:
    code, said = asked(*words, "--lang", lang)
    assert code == 2 and "lang.unknown" in said and "th,en" in said


@pytest.mark.parametrize(
    ("words", "exit_code", "said"),
    [
        (("deliver", "FOLDER/gone.zip", "FOLDER/gone2.zip"), 2, "zip.missing"),
        (("deliver", "FOLDER"), 2, "zip.missing"),
        (("scan", "--canaries", "FOLDER/gone.csv"), 2, "scan.canaries"),
        (("scan", "--canaries", "FOLDER/binary.txt"), 2, "scan.canaries"),
        (("facilities", "load", "FOLDER/registry.csv"), 3, "facilities.header"),
        (("run", "nonsense"), 2, "job.unknown"),
        (("up", "--only", "nonsense"), 2, "stack.unknown"),
    ],
)
def test_what_is_asked_wrongly_is_told_in_both_languages_with_place_and_next_step(
    asked: Asked, tmp_path: Path, words: tuple[str, ...], exit_code: int, said: str
) -> None:
    asked.monkeypatch.setenv("KHLANG_HOME", str(tmp_path / "home"))
    (tmp_path / "registry.csv").write_text("a,b\n1,2\n", "utf-8")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    code, told = asked(*(word.replace("FOLDER", str(tmp_path)) for word in words))
    first, thai, place, step = told.strip().splitlines()
    assert code == exit_code and first.startswith(f"{said}: ")
    assert (
        any("ก" <= mark <= "๛" for mark in thai)
        and place.startswith("  at: ")
        and step.startswith("  next: ")
    )
    if words[0] == "deliver":
        assert str(tmp_path) in place


def test_the_age_of_keys_stands_on_bangkoks_clock_and_in_json_in_utc(asked: Asked, tmp_path: Path) -> None:
    asked.monkeypatch.setenv("KHLANG_HOME", str(tmp_path))
    keys.create(Settings(home=tmp_path), lambda: datetime(2026, 11, 1, 20, 5, tzinfo=UTC))
    shown = asked("keys", "show")[1]
    assert "2026-11-02 03:05:00 +07" in shown and "created (Asia/Bangkok)" in shown
    assert '"created": "2026-11-01T20:05:00+00:00"' in asked("keys", "show", "--json")[1]


def test_moments_of_a_job_stand_on_bangkoks_clock() -> None:
    assert told(datetime(2026, 11, 1, 20, 5, tzinfo=UTC)) == "2026-11-02 03:05:00 +07 (Asia/Bangkok)"
    assert (told(7), told(None)) == ("7", "None")
    with pytest.raises(ValueError, match="zone"):
        in_bangkok(datetime(2026, 11, 1))


@pytest.mark.parametrize("kind", [errors.KhlangError, *errors.KhlangError.__subclasses__()])
def test_a_failure_that_names_no_step_is_told_with_the_usual_one_of_its_kind(
    kind: type[errors.KhlangError], capsys: pytest.CaptureFixture[str]
) -> None:
    command.tell(kind("some.code", "it went wrong"))
    assert f"next: {kind.usual_step}" in capsys.readouterr().err
    if kind.__module__ == errors.__name__ and kind is not errors.KhlangError:
        assert kind.usual_step != errors.KhlangError.usual_step


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
