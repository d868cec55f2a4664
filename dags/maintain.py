"""Every zone, every night -> compacted tables, swept leftovers; alarms of silence and of volumes that jumped."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from _alarms import LakeAlarms
from _tasks import BRONZE, FIRST_DAY, GOLD, LANDING, SILVER, Job, deadline, task_defaults

TIDY = Job(
    "maintain",
    minutes=240,
    reads=(LANDING, BRONZE, SILVER, GOLD),
    writes=(),
    does="Compaction, retention, sweep of files no commit knows.",
)
WATCH = Job(
    "alarms",
    minutes=30,
    reads=(LANDING, GOLD),
    writes=(),
    does="Alarms of the lake: facilities gone silent, files whose volume jumped; success tells of the new ones.",
    tells=(LakeAlarms(),),
)
ERASE = Job(
    "erase",
    minutes=240,
    reads=(LANDING, BRONZE, SILVER, GOLD),
    writes=(),
    does="Erased persons: what came of them since, what was cut off; every zone, old versions too.",
)

with DAG(
    dag_id="maintain",
    description="nightly care of the lake / งานบำรุงรักษาคลังประจำคืน",
    doc_md=f"""{__doc__}

Takes each zone's lock for as long as it works on that zone; a running load is waited for. Runbooks:
`docs/runbooks/maintain-failed.md`, `docs/runbooks/maintain-late.md`, `docs/runbooks/erase-failed.md`.
Alarms need none of that and stand beside it:
`docs/runbooks/alarms-failed.md`, `docs/runbooks/facility-silent.md`, `docs/runbooks/volume-jumped.md`.
""",
    schedule=CronTriggerTimetable("30 1 * * *", timezone="Asia/Bangkok"),
    start_date=FIRST_DAY,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    deadline=deadline(300, "maintain-late.md"),
    default_args=task_defaults(),
    tags=["khlang", "maintain"],
) as dag:
    TIDY.task() >> ERASE.task()
    WATCH.task()
