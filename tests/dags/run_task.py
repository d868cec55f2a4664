"""Exit codes of a job -> what Airflow makes of the task; runs in Airflow's own environment."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])

from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from _tasks import Job


def outcome(python: Path, exit_code: str) -> str:
    """Run the task with an interpreter of our choice and say how it ended."""
    os.environ["KHLANG_LAKE_PYTHON"] = str(python)
    task = Job("bronze", minutes=1, reads=(), writes=(), does="").task()
    task.env = {"KHLANG_RUN_ID": "manual__1", "EXIT_CODE": exit_code}
    try:
        task.execute({})
    except AirflowSkipException:
        return "skipped"
    except AirflowException:
        return "failed"
    return "success"


if __name__ == "__main__":
    ends = {code: outcome(Path(sys.argv[2]), code) for code in sys.argv[4:]}
    Path(sys.argv[3]).write_text(json.dumps(ends), encoding="utf-8")
