"""One Airflow task -> one `khlang run` process in the lake's environment: the one bridge to the jobs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import Asset, BaseNotifier, DeadlineAlert, DeadlineReference, SyncCallback, TriggerRule

from _alarms import deadline_missed, task_failed

OWNER = "khlang-data-engineering"
FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
NOTHING_NEW = 99
"""Exit code of a job without work (khlang.errors.NOTHING_NEW): its task is skipped and wakes nobody."""

INBOX = Asset(name="inbox", uri="khlang://landing/inbox")
LANDING = Asset(name="landing", uri="khlang://landing/landing")
BRONZE = Asset(name="bronze", uri="khlang://lake/bronze")
SILVER = Asset(name="silver", uri="khlang://lake/silver")
GOLD = Asset(name="gold", uri="khlang://lake/gold")
SERVING = Asset(name="serving", uri="khlang://database/serving")


@dataclass(frozen=True, slots=True)
class Job:
    """One `khlang run NAME`: its pool (one writer per zone), its time limit, what it reads, writes and tells."""

    name: str
    minutes: int
    reads: tuple[Asset, ...]
    writes: tuple[Asset, ...]
    does: str
    env: tuple[tuple[str, str], ...] = ()
    tells: tuple[BaseNotifier, ...] = ()

    def task(self) -> BashOperator:
        """The job as a process; only the run's id is handed over, the ledger says the rest."""
        return BashOperator(
            task_id=self.name,
            bash_command=f'exec "${{KHLANG_LAKE_PYTHON:?is not set}}" -m khlang run {self.name}',
            env={"KHLANG_RUN_ID": "{{ run_id }}", **dict(self.env)},
            append_env=True,
            skip_on_exit_code=NOTHING_NEW,
            do_xcom_push=False,
            pool=self.name,
            execution_timeout=timedelta(minutes=self.minutes),
            trigger_rule=TriggerRule.NONE_FAILED,
            inlets=list(self.reads),
            outlets=list(self.writes),
            on_success_callback=list(self.tells),
            doc_md=f"{self.does}\n\nWhen it fails: `docs/runbooks/{self.name}-failed.md`",
        )


def task_defaults() -> dict[str, Any]:
    """What every task has: an owner, retries that wait longer each time, an alarm when they are used up."""
    return {
        "owner": OWNER,
        "retries": 2,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=15),
        "on_failure_callback": task_failed,
    }


def deadline(minutes: int, runbook: str) -> DeadlineAlert:
    """An alarm when a run is not done so long after it was queued."""
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(minutes=minutes),
        callback=SyncCallback(deadline_missed, {"runbook": runbook, "minutes": minutes}),
        name=f"not done in {minutes} minutes",
    )
