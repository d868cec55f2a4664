"""Policy of the DAGs: what every one of them must say, so that the person on duty can sleep."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
Report = dict[str, Any]


def test_no_dag_fails_to_import(report: Report, dags: dict[str, Report]) -> None:
    assert dags and report["import_errors"] == {}


def test_a_folder_without_a_dag_is_found_out(parse: Callable[[Path], Report], tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_text('"""No airflow DAG in here."""\n', encoding="utf-8")
    assert parse(tmp_path)["dags"] == {}


def test_a_dag_that_cannot_be_imported_is_found_out(parse: Callable[[Path], Report], tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("from airflow.sdk import DAG\nimport no_such_dag_module\n")
    assert list(parse(tmp_path)["import_errors"]) == ["broken.py"]


def test_parsing_takes_less_than_two_seconds(report: Report) -> None:
    assert report["seconds"] < 2, report["seconds"]


@pytest.mark.parametrize("heavy", ["pyspark", "delta", "deltalake", "polars", "duckdb", "khlang"])
def test_parsing_imports_nothing_of_the_jobs(report: Report, heavy: str) -> None:
    assert heavy not in report["modules"]


def test_parsing_twice_gives_the_same_serialised_dags(
    parse: Callable[[Path], Report], dags: dict[str, Report]
) -> None:
    again = parse(PROJECT / "dags")["dags"]
    assert {name: dag["digest"] for name, dag in again.items()} == {n: d["digest"] for n, d in dags.items()}


def test_the_four_dags_stand_each_in_a_file_of_its_name(dags: dict[str, Report]) -> None:
    assert {name: dag["file"] for name, dag in dags.items()} == {
        name: f"{name}.py" for name in ("ingest", "curate", "publish", "maintain")
    }


def test_every_dag_runs_once_at_a_time_and_never_catches_up(dags: dict[str, Report]) -> None:
    assert [(n, d["max_active_runs"], d["catchup"]) for n, d in dags.items()] == [(n, 1, False) for n in dags]


def test_every_dag_has_a_clock_in_bangkok_or_none_that_depends_on_it(dags: dict[str, Report]) -> None:
    for name, dag in dags.items():
        assert dag["trigger"]["clock"], f"{name} has no clock: an asset event can be left behind"
        assert name == "ingest" or dag["trigger"]["zone"] == "Asia/Bangkok", name


def test_every_dag_has_a_deadline_and_a_page_of_words(dags: dict[str, Report]) -> None:
    for name, dag in dags.items():
        assert dag["deadline_minutes"], f"{name} may be late for ever"
        assert len(dag["doc"]) > 80 and "docs/runbooks/" in dag["doc"], name


def test_every_task_has_an_owner_retries_a_time_limit_and_an_alarm(tasks: list[Report]) -> None:
    for task in tasks:
        assert task["owner"] == "khlang-data-engineering", task
        assert task["retries"] >= 1 and task["backoff"] > 1, task
        assert task["timeout_minutes"] and task["alarm"], task


def test_every_task_sits_in_a_pool_of_one_slot(tasks: list[Report]) -> None:
    pools = json.loads((PROJECT / "infra/airflow/pools.json").read_text(encoding="utf-8"))
    assert {task["pool"] for task in tasks} == set(pools)
    assert {pool["slots"] for pool in pools.values()} == {1}


def test_no_two_tasks_write_the_same_zone(tasks: list[Report]) -> None:
    written = [asset for task in tasks for asset in task["writes"]]
    assert written and len(written) == len(set(written))


def test_every_task_starts_one_job_and_hands_over_only_the_runs_id(tasks: list[Report]) -> None:
    for task in tasks:
        start = f'exec "${{KHLANG_LAKE_PYTHON:?is not set}}" -m khlang run {task["name"]}'
        assert task["command"] == start
        asked = {"KHLANG_AGAIN": "{{ params.again }}", "KHLANG_REBUILD": "{{ params.rebuild }}"}
        again = asked if task["name"] == "bronze" else {}
        assert task["environment"] == {"KHLANG_RUN_ID": "{{ run_id }}", **again} and task["append_env"]
        assert task["pushes_output"] is False, "the last line of the output would travel as an XCom"


def test_only_the_task_that_looks_for_alarms_tells_of_its_success(tasks: list[Report]) -> None:
    assert {task["name"]: task["tells"] for task in tasks if task["tells"]} == {"alarms": ["LakeAlarms"]}


def test_a_job_without_work_is_a_skip(tasks: list[Report]) -> None:
    assert {tuple(task["skips_on"]) for task in tasks} == {(99,)}


def test_every_link_to_a_runbook_leads_to_a_page(dags: dict[str, Report], tasks: list[Report]) -> None:
    texts = [d["doc"] for d in dags.values()] + [t["doc"] for t in tasks]
    links = {w.strip("`.,()") for text in texts for w in text.split() if "docs/runbooks/" in w}
    assert len(links) >= len(tasks)
    assert [link for link in sorted(links) if not (PROJECT / link).exists()] == []


def test_dag_files_stay_short_and_know_no_sql(dags: dict[str, Report]) -> None:
    for path in sorted((PROJECT / "dags").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert path.name == "_tasks.py" or len(text.splitlines()) < 80, path.name
        assert "SELECT " not in text.upper(), path.name
