"""From delivered zips to a release: what Airflow's tasks do meanwhile, told line by line or live."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table

from khlang.demo.scheduler import Scheduler, TaskRun
from khlang.errors import StackError
from khlang.lake.ledger import Delivery, Ledger

DAGS = ("publish", "curate", "ingest")
"""In the order in which they are unpaused: a DAG that is paused is not woken."""
JOBS = {"landing": "ingest", "bronze": "ingest", "silver": "curate", "gold": "curate", "publish": "publish"}
SETTLED = ("current", "rejected", "duplicate", "withdrawn")
IDLE_SECONDS = 25
"""An asset event that came during a run can be left behind: after so long without a run, start the next DAG."""
HEARTBEAT_SECONDS = 15


class Watch:
    """The chain since `began`, for the `came` zips that were delivered after it."""

    def __init__(
        self, scheduler: Scheduler, ledger: Ledger, began: datetime, came: int, console: Console
    ) -> None:
        """Nothing is told yet."""
        self.scheduler, self.ledger, self.console = scheduler, ledger, console
        self.began, self.came = began, came
        self.told: dict[tuple[str, str, int], str] = {}
        self.idle_since = time.monotonic()

    def until_published(self, limit_seconds: float) -> list[TaskRun]:
        """Wait until every zip is settled and a release came after; returns the tasks that did it."""
        deadline = time.monotonic() + limit_seconds
        with self._screen() as show:
            while True:
                tasks = self.scheduler.tasks_since(self.began, DAGS)
                self._tell(tasks)
                show(tasks)
                if self._published(tasks):
                    return tasks
                if time.monotonic() > deadline:
                    raise self._late(limit_seconds, tasks)
                self._nudge(tasks)
                time.sleep(1.5)

    def deliveries(self) -> list[Delivery]:
        """What the ledger knows of the zips of this run."""
        return [d for d in self.ledger.deliveries() if d.arrived_at >= self.began]

    def _settled(self) -> bool:
        arrived = self.deliveries()
        return len(arrived) >= self.came and all(delivery.state in SETTLED for delivery in arrived)

    def _published(self, tasks: list[TaskRun]) -> bool:
        curated = last_success(tasks, "silver")
        built = last_success(tasks, "gold")
        released = last_success(tasks, "publish")
        if not (curated and built and released and self._settled()):
            return False
        return bool(built.start >= curated.start and released.start >= built.start)

    def _tell(self, tasks: list[TaskRun]) -> None:
        """One line for each change of a task's state; a failure ends the demo with the end of its log."""
        for task in tasks:
            key = (task.run, task.job, task.attempt)
            if self.told.get(key) == task.state:
                continue
            self.told[key] = task.state
            if task.state in ("success", "skipped"):
                self._line(task, "nothing new" if task.state == "skipped" else "done")
            elif task.state in ("failed", "up_for_retry"):
                self._line(task, "FAILED" if task.state == "failed" else "failed, will be tried again")
                tail = self.scheduler.log_tail(task, 40)
                self.console.print(
                    "\n".join(f"    {line}" for line in tail), markup=False, highlight=False, soft_wrap=True
                )
                if task.state == "failed":
                    raise self._failed(task)
            elif task.state == "running" and not self.console.is_terminal:
                self._line(task, "runs")

    def _line(self, task: TaskRun, became: str) -> None:
        seconds = task.seconds(datetime.now(UTC))
        self.console.print(f"  {task.dag:<8} {task.job:<8} {became:<12} {seconds:7.1f} s", highlight=False)

    def _nudge(self, tasks: list[TaskRun]) -> None:
        """Start the DAG that should have been woken, when nothing runs and the chain has not come to its end."""
        if self.scheduler.busy(DAGS):
            self.idle_since = time.monotonic()
        elif time.monotonic() - self.idle_since > IDLE_SECONDS:
            dag = self._left_behind(tasks)
            self.console.print(f"  {dag:<8} was not woken: started by hand", highlight=False)
            self.scheduler.trigger(dag)
            self.idle_since = time.monotonic()

    def _left_behind(self, tasks: list[TaskRun]) -> str:
        states = {delivery.state for delivery in self.deliveries()}
        if len(self.deliveries()) < self.came or states & {"received", "checked"}:
            return "ingest"
        built = last_success(tasks, "gold")
        return "curate" if "loaded" in states or built is None else "publish"

    @contextmanager
    def _screen(self) -> Iterator[Callable[[list[TaskRun]], None]]:
        """A live table on a terminal, a heartbeat line elsewhere."""
        if self.console.is_terminal:
            with Live(console=self.console, refresh_per_second=4, transient=True) as live:
                yield lambda tasks: live.update(self._table(tasks))
            return
        beat = [time.monotonic()]

        def heartbeat(tasks: list[TaskRun]) -> None:
            """What runs, now and then, where no table can be drawn."""
            if time.monotonic() - beat[0] >= HEARTBEAT_SECONDS:
                beat[0] = time.monotonic()
                running = (
                    ", ".join(t.job for t in tasks if t.state == "running") or "waiting for the scheduler"
                )
                past = (datetime.now(UTC) - self.began).total_seconds()
                self.console.print(f"  {past:5.0f} s  {running}", highlight=False)

        yield heartbeat

    def _table(self, tasks: list[TaskRun]) -> Table:
        table = Table("DAG", "job", "state", "seconds", box=None, padding=(0, 2))
        now = datetime.now(UTC)
        for job, dag in JOBS.items():
            latest = next((task for task in reversed(tasks) if task.job == job), None)
            state = latest.state if latest else "waits"
            shown = Spinner("dots", text=state) if state == "running" else state
            table.add_row(dag, job, shown, f"{latest.seconds(now):.1f}" if latest else "")
        return table

    def _failed(self, task: TaskRun) -> StackError:
        return StackError(
            "demo.task",
            f"task {task.job} of DAG {task.dag} failed; the end of its log is above",
            f"งาน {task.job} ล้มเหลว",
            task.run,
            f"docs/runbooks/{task.job}-failed.md",
        )

    def _late(self, seconds: float, tasks: list[TaskRun]) -> StackError:
        now = ", ".join(f"{task.job} {task.state}" for task in tasks[-5:]) or "no task has started"
        return StackError(
            "demo.late", f"not published after {seconds:.0f} s: {now}", "เผยแพร่ไม่ทันเวลา", "", "khlang status"
        )


def last_success(tasks: list[TaskRun], job: str) -> TaskRun | None:
    """The newest try of a job that did its work."""
    return next((task for task in reversed(tasks) if task.job == job and task.state == "success"), None)
