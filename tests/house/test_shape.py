"""The tree's shape: imports go one way, plug-ins are found and never listed, locks hold hashes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from .conftest import PROJECT

TOOLS = Path(sys.executable).parent
PLUGINS = ("jobs/khlang/commands", "jobs/khlang/conform/actions", "jobs/khlang/conform/recognizers")
LOCKS = sorted((PROJECT / "infra/local/requirements").glob("*.txt"))


def _lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on a copy of the project."""
    command = [str(TOOLS / "lint-imports"), "--no-cache"]
    environment = {"PYTHONPATH": str(root / "jobs"), "PATH": str(TOOLS)}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The package and its import rules in a folder of their own."""
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(PROJECT / "jobs", tmp_path / "jobs", ignore=ignored)
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    return tmp_path


def test_imports_go_one_way(copied: Path) -> None:
    done = _lint_imports(copied)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("conform/check.py", "import boto3"),
        ("model/codes.py", "from khlang.lake import keys"),
        ("gold/__init__.py", "import khlang.silver"),
    ],
)
def test_an_import_against_the_stream_is_found(copied: Path, module: str, line: str) -> None:
    path = copied / "jobs/khlang" / module
    path.write_text(path.read_text("utf-8") + f"\n{line}  # noqa\n", encoding="utf-8")
    assert _lint_imports(copied).returncode != 0


@pytest.mark.parametrize("folder", PLUGINS)
def test_a_plug_in_is_found_by_its_folder_and_imported_nowhere(
    folder: str, texts: dict[PurePosixPath, str]
) -> None:
    plugins = [path for path in texts if str(path.parent) == folder and path.stem != "__init__"]
    assert plugins, f"{folder} holds nothing"
    package = folder.removeprefix("jobs/").replace("/", ".")
    for path, text in texts.items():
        if path.suffix == ".py" and path.parts[0] == "jobs" and str(path.parent) != folder:
            assert not re.search(rf"^\s*(?:from|import) {re.escape(package)}\.[a-z]", text, re.MULTILINE), (
                path
            )


def test_every_zone_with_work_has_a_job() -> None:
    zones = ("landing", "bronze", "silver", "gold", "shares")
    assert [zone for zone in zones if not (PROJECT / "jobs/khlang" / zone / "job.py").is_file()] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_every_locked_package_has_a_version_and_a_hash(lock: Path) -> None:
    entries = re.split(r"\n(?=\S)", lock.read_text("utf-8").replace("\\\n", " "))
    packages = [entry for entry in entries if re.match(r"[a-z0-9]", entry, re.IGNORECASE)]
    assert packages
    assert not [entry.split()[0] for entry in packages if "==" not in entry or "--hash=sha256:" not in entry]


@pytest.mark.parametrize("command", [["ruff", "check"], ["mypy"]], ids=" ".join)
def test_the_tools_have_nothing_to_say(command: list[str]) -> None:
    tool, *rest = command
    done = subprocess.run(
        [str(TOOLS / tool), *rest], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:]
