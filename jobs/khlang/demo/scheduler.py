"""Airflow's API as the demo needs it: unpause, trigger, what ran since a moment, the end of a task's log."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import requests

from khlang.errors import StackError
from khlang.lake.secrets import Secrets
from khlang.settings import Settings

USER = "admin"


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
    """A signed-in client of Airflow's REST API on loopback."""

    def __init__(self, settings: Settings) -> None:
        """Sign in with the generated password; raises StackError when Airflow does not answer."""
        self.address = f"http://127.0.0.1:{settings.port('airflow')}"
        self.session = requests.Session()
        self.session.trust_env = False
        answer = self._ask(
            "POST",
            "/auth/token",
            json={"username": USER, "password": Secrets.open(settings).airflow_admin_password},
        )
        self.session.headers["Authorization"] = f"Bearer {answer['access_token']}"

    def await_dags(self, dags: tuple[str, ...], seconds: float) -> None:
        """Wait until Airflow has parsed these DAGs."""
        deadline = time.monotonic() + seconds
        while True:
            known = {dag["dag_id"] for dag in self._get("/dags", limit=100)["dags"]}
            missing = [dag for dag in dags if dag not in known]
            if not missing:
                return
            if time.monotonic() > deadline:
                broken = [error["filename"] for error in self._get("/importErrors")["import_errors"]]
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
        self._ask("PATCH", f"/api/v2/dags/{dag}", json={"is_paused": False})

    def trigger(self, dag: str) -> str:
        """Start a run now; returns its id."""
        answer = self._ask("POST", f"/api/v2/dags/{dag}/dagRuns", json={"logical_date": None})
        return str(answer["dag_run_id"])

    def busy(self, dags: tuple[str, ...]) -> list[str]:
        """Which of these DAGs have a run that is queued or running."""
        runs = self._get("/dags/~/dagRuns", state=["queued", "running"], limit=100)["dag_runs"]
        found = {run["dag_id"] for run in runs}
        return [dag for dag in dags if dag in found]

    def tasks_since(self, moment: datetime, dags: tuple[str, ...]) -> list[TaskRun]:
        """Every task of these DAGs that started since then, the oldest first."""
        answer = self._get(
            "/dags/~/dagRuns/~/taskInstances",
            start_date_gte=moment.isoformat(),
            order_by="start_date",
            limit=100,
        )
        return [_task_run(found) for found in answer["task_instances"] if found["dag_id"] in dags]

    def log_tail(self, task: TaskRun, lines: int) -> list[str]:
        """The last lines of a task's log."""
        place = f"/dags/{task.dag}/dagRuns/{task.run}/taskInstances/{task.job}/logs/{task.attempt}"
        content = self._get(place, full_content=True)["content"]
        events = [event["event"] if isinstance(event, dict) else str(event) for event in content]
        return [event for event in events if not event.startswith("::")][-lines:]

    def _get(self, path: str, **query: Any) -> Any:
        return self._ask("GET", f"/api/v2{path}", params=query)

    def _ask(self, method: str, path: str, **parts: Any) -> Any:
        try:
            answer = self.session.request(method, self.address + path, timeout=30, **parts)
        except requests.RequestException as error:
            raise StackError(
                "airflow.silent",
                f"Airflow does not answer ({type(error).__name__})",
                "Airflow ไม่ตอบ",
                self.address,
                "khlang status; khlang up",
            ) from None
        if answer.status_code >= 400:
            raise StackError(
                "airflow.refused",
                f"Airflow refused {method} {path} ({answer.status_code})",
                "Airflow ปฏิเสธคำขอ",
                self.address,
                "khlang status",
            )
        return answer.json()


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
