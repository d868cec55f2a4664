"""Bronze -> silver -> gold: woken by every loaded batch, and by a slow clock beside it."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable

from _tasks import BRONZE, FIRST_DAY, GOLD, SILVER, Job, deadline, task_defaults

RESOLVE = Job(
    "silver",
    minutes=240,
    reads=(BRONZE,),
    writes=(SILVER,),
    does="The current row of every key, persons linked across facilities, children without parents named.",
)
BUILD = Job(
    "gold",
    minutes=240,
    reads=(SILVER,),
    writes=(GOLD,),
    does="Marts of the facility-months that changed, indicators exact and published (suppressed, rounded).",
)

with DAG(
    dag_id="curate",
    description="bronze -> silver -> gold / จัดข้อมูลปัจจุบันและคำนวณตัวชี้วัด",
    doc_md=f"""{__doc__}

The clock is there because an asset event that comes during a run can be left behind; each job takes all that
the ledger holds, so a second look costs seconds. Runbooks: `docs/runbooks/silver-failed.md`,
`docs/runbooks/gold-failed.md`, `docs/runbooks/curate-late.md`.
""",
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("20 * * * *", timezone="Asia/Bangkok"), assets=[BRONZE]
    ),
    start_date=FIRST_DAY,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=8),
    deadline=deadline(180, "curate-late.md"),
    default_args=task_defaults(),
    tags=["khlang", "silver", "gold"],
) as dag:
    RESOLVE.task() >> BUILD.task()
