"""A folder of DAGs -> one JSON report of what Airflow makes of it; runs in Airflow's own environment."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import BundleDagBag
from airflow.serialization.serialized_objects import DagSerialization


def main(folder: Path) -> dict[str, Any]:
    """Parse the folder once and describe every DAG and task in plain values."""
    start = time.process_time()  # the machine may be busy with something else
    bag = BundleDagBag(dag_folder=folder, bundle_path=folder, bundle_name="dags")
    seconds = time.process_time() - start
    return {
        "seconds": seconds,
        "import_errors": bag.import_errors,
        "modules": sorted(name.split(".")[0] for name in sys.modules if "." not in name),
        "dags": {name: describe(dag) for name, dag in sorted(bag.dags.items())},
    }


def describe(dag: Any) -> dict[str, Any]:
    """One DAG: trigger, limits, tasks, and the digest of its serialised form."""
    form = DagSerialization.to_dict(dag)
    return {
        "file": Path(dag.fileloc).name,
        "trigger": trigger(form["dag"]["timetable"]),
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "doc": dag.doc_md or "",
        "deadline_minutes": [int(alert.interval.total_seconds() // 60) for alert in dag.deadline or []],
        "digest": hashlib.sha256(json.dumps(form, sort_keys=True, default=str).encode()).hexdigest(),
        "tasks": [describe_task(task) for task in dag.topological_sort()],
    }


def trigger(timetable: dict[str, Any]) -> dict[str, Any]:
    """The clock and the assets that start a DAG."""
    inner = timetable["__var"]
    clock = inner.get("timetable", {}).get("__var", inner)
    assets = [asset["name"] for asset in inner.get("asset_condition", {}).get("objects", [])]
    return {"clock": clock.get("expression"), "zone": str(clock.get("timezone")), "assets": assets}


def describe_task(task: Any) -> dict[str, Any]:
    """One task: what a person on duty and a scheduler need to know of it."""
    limit = task.execution_timeout
    return {
        "name": task.task_id,
        "owner": task.owner,
        "retries": task.retries,
        "backoff": task.retry_exponential_backoff,
        "timeout_minutes": limit and int(limit.total_seconds() // 60),
        "pool": task.pool,
        "doc": task.doc_md or "",
        "command": task.bash_command,
        "environment": task.env,
        "append_env": task.append_env,
        "skips_on": list(task.skip_on_exit_code),
        "pushes_output": task.do_xcom_push,
        "alarm": bool(task.on_failure_callback),
        "tells": [type(notifier).__name__ for notifier in task.on_success_callback],
        "reads": [asset.name for asset in task.inlets],
        "writes": [asset.name for asset in task.outlets],
    }


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(main(Path(sys.argv[1]).resolve())), encoding="utf-8")
