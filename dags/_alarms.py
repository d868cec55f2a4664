"""A failed task, a late run, an alarm of the lake -> a line in the log and in KHLANG_HOME/logs/alarms.jsonl."""

from __future__ import annotations

import json
import logging
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.sdk import BaseNotifier


class LakeAlarms(BaseNotifier):
    """Airflow's notifier for a job that found alarms in the lake: one line for each that nobody was told of."""

    def notify(self, context: Any) -> None:
        """Ask the lake, in its own environment; from then on it counts them as told."""
        command = [os.environ["KHLANG_LAKE_PYTHON"], "-m", "khlang", "alarms", "--tell", "--json"]
        asked = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
        for alarm in map(json.loads, asked.stdout.splitlines()):
            page = "-".join(reversed(alarm["kind"].split("."))) + ".md"  # silent.facility: facility-silent.md
            what = f"{alarm['hospcode']}: {alarm['what']}"
            raise_alarm(alarm["kind"], context["task_instance"].dag_id, context["run_id"], page, what)


def task_failed(context: Any) -> None:
    """Airflow's failure callback: one alarm line that names the run, the task and the runbook."""
    task = context["task_instance"]
    raise_alarm("task.failed", task.dag_id, context["run_id"], f"{task.task_id}-failed.md", task.task_id)


def deadline_missed(runbook: str, minutes: int, context: Any = None) -> None:
    """Airflow's deadline callback: one alarm line that names the run and the runbook."""
    run = (context or {}).get("dag_run") or {}
    what = f"not done in {minutes} minutes"
    raise_alarm("deadline.missed", run.get("dag_id", ""), run.get("dag_run_id", ""), runbook, what)


def raise_alarm(kind: str, dag: str, run: str, runbook: str, what: str) -> None:
    """Log the alarm and append it to KHLANG_HOME/logs/alarms.jsonl: names and ids only."""
    alarm = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "kind": kind, "dag": dag, "run": run}
    alarm |= {"what": what, "runbook": f"docs/runbooks/{runbook}"}
    logging.getLogger("khlang.alarm").error("alarm %s", json.dumps(alarm, ensure_ascii=False))
    home = os.environ.get("KHLANG_HOME")
    if home:
        logs = Path(home) / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        with (logs / "alarms.jsonl").open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(alarm, ensure_ascii=False) + "\n")
