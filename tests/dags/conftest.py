"""The project's DAGs as Airflow's own environment sees them, parsed in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
AIRFLOW_PYTHON = Path(sys.prefix).parent / "airflow/bin/python"
Report = dict[str, Any]


@pytest.fixture(scope="session")
def airflow_python() -> Path:
    """The interpreter of Airflow's environment; `make setup` makes it."""
    assert AIRFLOW_PYTHON.exists(), "no .venv/airflow: run `make setup`"
    return AIRFLOW_PYTHON


@pytest.fixture(scope="session")
def airflow_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A clean environment for Airflow: its own home, no examples, no settings of this machine."""
    home = tmp_path_factory.mktemp("airflow")
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}
    return kept | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "KHLANG_HOME": str(home),
    }


@pytest.fixture(scope="session")
def parse(
    airflow_python: Path, airflow_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Path], Report]:
    """Parse a folder of DAGs in a fresh process and give back the report."""

    def run(folder: Path) -> Report:
        out = tmp_path_factory.mktemp("parsed") / "report.json"
        script = Path(__file__).with_name("parse_report.py")
        done = subprocess.run(
            [airflow_python, script, folder, out], env=airflow_environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-4000:]
        report: Report = json.loads(out.read_text(encoding="utf-8"))
        return report

    return run


@pytest.fixture(scope="session")
def report(parse: Callable[[Path], Report]) -> Report:
    """The report of the project's own dags folder."""
    return parse(PROJECT / "dags")


@pytest.fixture(scope="session")
def dags(report: Report) -> dict[str, Report]:
    """DAG name -> description; an empty folder fails here, it does not pass."""
    found: dict[str, Report] = report["dags"]
    assert found, "the dags folder holds no DAG"
    return found


@pytest.fixture(scope="session")
def tasks(dags: dict[str, Report]) -> list[Report]:
    """Every task of every DAG; none at all fails here."""
    found = [task | {"dag": name} for name, dag in dags.items() for task in dag["tasks"]]
    assert found, "no DAG holds a task"
    return found
