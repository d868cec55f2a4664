"""Airflow's API as the demo needs it: unpause, trigger, what ran since a moment, the end of a task's log."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from khlang.errors import StackError
from khlang.settings import Settings
from khlang.stack.airflow_api import AirflowApi


@dataclass(frozen=True, slots=True)
class TaskRun:
    """One try of one task: which job, in which run, its state, and when it ran."""

    dag: str
    run: str
    job: str
    state: str
    attempt: int
    start: datetime
    end: datetime | None

    def seconds(self, now: datetime) -> float:
        """How long it ran, or has been running."""
        return ((self.end or now) - self.start).total_seconds()


class Scheduler:
    """A signed-in client of Airflow's REST interface on loopback."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is asked before the first call."""
        self._api = AirflowApi(settings)

    def await_dags(self, dags: tuple[str, ...], seconds: float) -> None:
        """Wait until Airflow has parsed these DAGs."""
        deadline = time.monotonic() + seconds
        while True:
            known = {dag["dag_id"] for dag in self._get("/dags", limit=100)["dags"]}
            missing = [dag for dag in dags if dag not in known]
            if not missing:
                return
            if time.monotonic() > deadline:
                broken = [error["filename"] for error in self._api.import_errors()]
                raise StackError(
                    "dags.missing",
                    f"Airflow does not know {', '.join(missing)} after {seconds:.0f} s",
                    "Airflow ยังไม่รู้จัก DAG",
                    ", ".join(broken),
                    "see the log of the DAG processor",
                )
            time.sleep(1)

    def unpause(self, dag: str) -> None:
        """Let a DAG be woken by its clock and its assets."""
        self._api.call("PATCH", f"/dags/{dag}", {"is_paused": False})

    def trigger(self, dag: str) -> str:
        """Start a run now; returns its id."""
        return self._api.trigger(dag)

    def busy(self, dags: tuple[str, ...]) -> list[str]:
        """Which of these DAGs have a run that is queued or running."""
        runs = self._get("/dags/~/dagRuns", state=["queued", "running"], limit=100)["dag_runs"]
        found = {run["dag_id"] for run in runs}
        return [dag for dag in dags if dag in found]

    def tasks_since(self, moment: datetime, dags: tuple[str, ...]) -> list[TaskRun]:
        """Every task of these DAGs that started since then or is still at work, the oldest first."""
        begun = self._tasks(start_date_gte=moment.isoformat()) + self._tasks(
            state=["running", "up_for_retry"]
        )
        found = {(task.run, task.job): task for task in begun if task.dag in dags}
        return sorted(found.values(), key=lambda task: task.start)

    def _tasks(self, **query: Any) -> list[TaskRun]:
        answer = self._get("/dags/~/dagRuns/~/taskInstances", order_by="start_date", limit=100, **query)
        return [_task_run(found) for found in answer["task_instances"] if found["start_date"]]

    def log_tail(self, task: TaskRun, lines: int) -> list[str]:
        """The last lines of a task's log."""
        place = f"/dags/{task.dag}/dagRuns/{quote(task.run)}/taskInstances/{task.job}/logs/{task.attempt}"
        content = self._get(place, full_content="true")["content"]
        events = [event["event"] if isinstance(event, dict) else str(event) for event in content]
        return [event for event in events if not event.startswith("::")][-lines:]

    def _get(self, path: str, **query: Any) -> Any:
        return self._api.call("GET", f"{path}?{urlencode(query, doseq=True)}")


def _task_run(found: dict[str, Any]) -> TaskRun:
    end = found["end_date"]
    return TaskRun(
        found["dag_id"],
        found["dag_run_id"],
        found["task_id"],
        found["state"] or "none",
        found["try_number"],
        datetime.fromisoformat(found["start_date"]),
        datetime.fromisoformat(end) if end else None,
    )
