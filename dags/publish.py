"""Published gold -> the serving tables behind the dashboards: one release, one transaction."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable

from _tasks import FIRST_DAY, GOLD, SERVING, Job, deadline, task_defaults

RELEASE = Job(
    "publish",
    minutes=60,
    reads=(GOLD,),
    writes=(SERVING,),
    does="Load the published indicators into the database in one transaction; the dashboards see it at once.",
)

with DAG(
    dag_id="publish",
    description="gold -> dashboards / เผยแพร่ตัวชี้วัดสู่แดชบอร์ด",
    doc_md=f"""{__doc__}

Only suppressed and rounded numbers pass. Runbooks: `docs/runbooks/publish-failed.md`,
`docs/runbooks/publish-late.md`.
""",
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("40 * * * *", timezone="Asia/Bangkok"), assets=[GOLD]
    ),
    start_date=FIRST_DAY,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    deadline=deadline(60, "publish-late.md"),
    default_args=task_defaults(),
    tags=["khlang", "shares"],
) as dag:
    RELEASE.task()
