"""Zips in the inbox -> landing -> bronze: every few minutes, and whenever somebody triggers it."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from _tasks import BRONZE, FIRST_DAY, INBOX, LANDING, Job, deadline, task_defaults

RECEIVE = Job(
    "landing",
    minutes=60,
    reads=(INBOX,),
    writes=(LANDING,),
    does="List the inbox, verify every new zip, copy it into landing under lock, record it in the ledger.",
)
LOAD = Job(
    "bronze",
    minutes=240,
    reads=(LANDING,),
    writes=(BRONZE,),
    does="Unpack, check and de-identify every delivery received and not loaded; one batch, all tables.",
    env=(("KHLANG_AGAIN", "{{ params.again }}"), ("KHLANG_REBUILD", "{{ params.rebuild }}")),
)
AGAIN = Param(
    "",
    type="string",
    pattern=r"^([0-9A-Z/-]+( |$))*$",
    title="Read again / อ่านใหม่",
    description="Receipts, or HOSPCODE/YYYY-MM for all that a facility told of a month; blanks between.",
)
REBUILD = Param(
    "",
    enum=["", "outdated", "all"],
    title="Make anew / สร้างใหม่",
    description="outdated: what was loaded under other rules of de-identification; all: everything.",
)

with DAG(
    dag_id="ingest",
    description="inbox -> landing -> bronze / รับชุดข้อมูลและโหลดเข้าคลัง",
    doc_md=f"""{__doc__}

A run without new zips is skipped and wakes nobody. `bronze` also runs when nothing was received, so that a
batch left unfinished by a crash is resumed. With the parameter `again` bronze also reads deliveries once more
that are loaded already: by receipt, or those of one facility and month. With `rebuild` it makes bronze anew under
the rules of today; `curate` follows, and `maintain` removes the old files. Runbooks: `docs/runbooks/landing-failed.md`,
`docs/runbooks/bronze-failed.md`, `docs/runbooks/ingest-late.md`.
""",
    schedule="*/5 * * * *",
    start_date=FIRST_DAY,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    deadline=deadline(120, "ingest-late.md"),
    default_args=task_defaults(),
    params={"again": AGAIN, "rebuild": REBUILD},
    tags=["khlang", "landing", "bronze"],
) as dag:
    RECEIVE.task() >> LOAD.task()
