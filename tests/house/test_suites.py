"""Every folder of tests holds tests, and a suite that finds nothing fails."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path, PurePosixPath

import pytest

from .conftest import PROJECT

KINDS = ("catalog", "dags", "e2e", "faults", "golden", "house", "properties", "unit")


def _sentences_in(path: Path) -> list[str]:
    """Names of the tests of a module."""
    tree = ast.parse(path.read_text("utf-8"))
    return [n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")]


def test_the_folders_of_tests_are_the_agreed_kinds() -> None:
    folders = {
        path.name for path in (PROJECT / "tests").iterdir() if path.is_dir() and path.name[0] not in "_."
    }
    assert folders == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_test_has_tests(kind: str) -> None:
    modules = sorted((PROJECT / "tests" / kind).rglob("test_*.py"))
    assert modules, f"tests/{kind} is empty"
    assert all(_sentences_in(module) for module in modules)


def test_tests_that_are_given_nothing_to_look_at_fail(tmp_path: Path) -> None:
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]["ini_options"]
    assert settings["empty_parameter_set_mark"] == "fail_at_collect"
    (tmp_path / "test_empty.py").write_text(
        "import pytest\n@pytest.mark.parametrize('row', [])\ndef test_row(row): pass\n", encoding="utf-8"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(PROJECT / "pyproject.toml"), str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2, done.stdout


def test_the_lines_of_tests_stay_below_twice_those_of_the_source(texts: dict[PurePosixPath, str]) -> None:
    lines = {"jobs": 0, "dags": 0, "tests": 0}
    for path, text in texts.items():
        if path.suffix == ".py" and path.parts[0] in lines:
            lines[path.parts[0]] += len(text.splitlines())
    source = lines["jobs"] + lines["dags"]
    print(f"source {source} lines, tests {lines['tests']} lines, ratio {lines['tests'] / source:.2f}")
    assert 0 < lines["tests"] <= 2 * source
