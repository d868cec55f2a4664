"""Airflow's REST interface on loopback: triggers and runs, for the stack and the demo."""

from __future__ import annotations

import contextlib
import json
from http.client import HTTPConnection
from typing import Any

from khlang.errors import StackError
from khlang.lake.secrets import Secrets
from khlang.settings import Settings

OK = 300


class AirflowApi:
    """One signed-in caller; makes a connection for each call."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is opened before the first call."""
        self._settings = settings
        self._token = ""

    def answers(self) -> bool:
        """Is the api server there, without signing in?"""
        with contextlib.suppress(OSError):
            status, _ = self._ask("GET", "/api/v2/version", None, {})
            return status < OK
        return False

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One call under /api/v2; a refusal is a StackError with the status and the reason."""
        if not self._token:
            self._token = self._sign_in()
        status, answer = self._ask(method, f"/api/v2{path}", body, {"Authorization": f"Bearer {self._token}"})
        if status >= OK:
            raise _refused(method, path, status, answer)
        return answer

    def trigger(self, dag: str) -> str:
        """Start a run now; returns its id."""
        run: str = self.call("POST", f"/dags/{dag}/dagRuns", {"logical_date": None})["dag_run_id"]
        return run

    def runs(self, dag: str, limit: int = 20) -> list[dict[str, Any]]:
        """The newest runs of a DAG, newest first."""
        found = self.call("GET", f"/dags/{dag}/dagRuns?limit={limit}&order_by=-run_after")
        runs: list[dict[str, Any]] = found["dag_runs"]
        return runs

    def tasks(self, dag: str, run: str) -> list[dict[str, Any]]:
        """The task instances of a run."""
        found: list[dict[str, Any]] = self.call("GET", f"/dags/{dag}/dagRuns/{run}/taskInstances")[
            "task_instances"
        ]
        return found

    def import_errors(self) -> list[dict[str, Any]]:
        """DAG files that could not be read."""
        found: list[dict[str, Any]] = self.call("GET", "/importErrors")["import_errors"]
        return found

    def _sign_in(self) -> str:
        password = Secrets.open(self._settings).airflow_admin_password
        status, answer = self._ask("POST", "/auth/token", {"username": "admin", "password": password}, {})
        if status >= OK:
            raise _refused("POST", "/auth/token", status, answer)
        token: str = answer["access_token"]
        return token

    def _ask(
        self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]
    ) -> tuple[int, Any]:
        connection = HTTPConnection("127.0.0.1", self._settings.port("airflow"), timeout=30)
        with contextlib.closing(connection):
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, {"Content-Type": "application/json", **headers})
            response = connection.getresponse()
            content = response.read()
        try:
            return response.status, json.loads(content) if content else None
        except ValueError:
            return response.status, None


def _refused(method: str, path: str, status: int, answer: Any) -> StackError:
    reason = answer.get("detail", "") if isinstance(answer, dict) else ""
    return StackError(
        "airflow.refused",
        f"Airflow answered {status} {reason}".strip(),
        f"Airflow ตอบ {status}",
        f"{method} {path}",
        "`khlang status`, then the log of airflow-api",
    )
