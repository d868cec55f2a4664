"""How a job's exit code becomes a task's state, and what an alarm line holds."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from khlang.lake.alarms import JUMPED, KINDS, SILENT

HERE = Path(__file__).resolve().parent
DAGS = HERE.parents[1] / "dags"
ENDS = {"0": "success", "99": "skipped", "1": "failed", "6": "failed", "75": "failed"}


@pytest.fixture(scope="module")
def job_runs(
    airflow_python: Path, airflow_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, str], list[str]]:
    folder = tmp_path_factory.mktemp("bridge")
    job = folder / "python"
    job.write_text(
        f'#!/bin/sh\necho "$@ $KHLANG_RUN_ID" >> {folder}/called\nexit $EXIT_CODE\n', encoding="utf-8"
    )
    job.chmod(0o755)
    command = [airflow_python, HERE / "run_task.py", DAGS, job, folder / "ends", *ENDS]
    done = subprocess.run(command, env=airflow_environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    ends = json.loads((folder / "ends").read_text(encoding="utf-8"))
    return ends, (folder / "called").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("exit_code", ENDS)
def test_a_task_ends_as_its_job_ended(exit_code: str, job_runs: tuple[dict[str, str], list[str]]) -> None:
    assert job_runs[0][exit_code] == ENDS[exit_code]


def test_a_task_calls_its_job_and_tells_it_the_run(job_runs: tuple[dict[str, str], list[str]]) -> None:
    assert job_runs[1] == ["-m khlang run bronze manual__1"] * len(ENDS)


def test_a_missed_deadline_leaves_a_line_that_names_the_runbook(
    tmp_path: Path, airflow_python: Path, airflow_environment: dict[str, str]
) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from _alarms import deadline_missed; "
        "deadline_missed('curate-late.md', 180, {'dag_run': {'dag_id': 'curate', 'dag_run_id': 'manual__1'}})"
    )
    environment = airflow_environment | {"KHLANG_HOME": str(tmp_path)}
    subprocess.run([airflow_python, "-c", code, DAGS], env=environment, check=True, capture_output=True)
    alarm = json.loads((tmp_path / "logs/alarms.jsonl").read_text(encoding="utf-8"))
    assert (alarm["kind"], alarm["dag"], alarm["run"]) == ("deadline.missed", "curate", "manual__1")
    assert alarm["runbook"] == "docs/runbooks/curate-late.md"


def test_the_notifier_tells_of_every_alarm_of_the_lake_and_names_its_runbook(
    tmp_path: Path, airflow_python: Path, airflow_environment: dict[str, str]
) -> None:
    told = [
        {"kind": SILENT, "hospcode": "99001", "what": "nothing since 2026-09-01 · ไม่มีข้อมูล"},
        {"kind": JUMPED, "hospcode": "99002", "what": "SERVICE of 2026-10"},
    ]
    (tmp_path / "told").write_text("".join(json.dumps(alarm) + "\n" for alarm in told), encoding="utf-8")
    lake = tmp_path / "python"
    lake.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/called\ncat {tmp_path}/told\n', encoding="utf-8")
    lake.chmod(0o755)
    code = (
        "import sys; from types import SimpleNamespace; sys.path.insert(0, sys.argv[1]); "
        "from _alarms import LakeAlarms; task = SimpleNamespace(dag_id='maintain', task_id='alarms'); "
        "LakeAlarms()({'task_instance': task, 'run_id': 'manual__1', 'dag': None})"
    )
    environment = airflow_environment | {"KHLANG_HOME": str(tmp_path), "KHLANG_LAKE_PYTHON": str(lake)}
    subprocess.run([airflow_python, "-c", code, DAGS], env=environment, check=True, capture_output=True)
    assert (tmp_path / "called").read_text(encoding="utf-8") == "-m khlang alarms --tell --json\n"
    lines = (tmp_path / "logs/alarms.jsonl").read_text(encoding="utf-8").splitlines()
    found = [
        (alarm["kind"], alarm["dag"], alarm["what"], alarm["runbook"]) for alarm in map(json.loads, lines)
    ]
    assert found == [
        (SILENT, "maintain", f"99001: {told[0]['what']}", "docs/runbooks/facility-silent.md"),
        (JUMPED, "maintain", f"99002: {told[1]['what']}", "docs/runbooks/volume-jumped.md"),
    ]
    assert {kind for kind, *_ in found} == set(KINDS), "a new kind needs a page, and a line here"
    assert all((DAGS.parent / page).is_file() for *_, page in found)


def test_a_notifier_that_the_lake_does_not_answer_fails_aloud(
    tmp_path: Path, airflow_python: Path, airflow_environment: dict[str, str]
) -> None:
    code = (
        "import sys; from types import SimpleNamespace; sys.path.insert(0, sys.argv[1]); "
        "from _alarms import LakeAlarms; LakeAlarms().notify({'run_id': 'manual__1'})"
    )
    environment = airflow_environment | {"KHLANG_HOME": str(tmp_path), "KHLANG_LAKE_PYTHON": "/bin/false"}
    asked = [airflow_python, "-c", code, DAGS]
    done = subprocess.run(asked, env=environment, capture_output=True, text=True)
    assert done.returncode != 0 and "CalledProcessError" in done.stderr
    assert not (tmp_path / "logs").exists()
