"""An erasure, or the batch before it, is killed: the next run completes it, and nothing is counted twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from khlang.errors import BusyError
from khlang.settings import PROJECT
from khlang.stewardship.sweep import sweep
from test_erasure import erased
from unit.erased_lake import CID, FIRST, Town, environment, town

__all__ = ["town"]
pytestmark = [pytest.mark.stack, pytest.mark.long]

KILLED = """
import os, signal, sys
sys.path[:0] = {paths!r}
from importlib import import_module
from khlang.lake.ledger import Ledger
from khlang.settings import load
from khlang.stewardship.erase import ask, finish, pending
from khlang.stewardship.subject import Asked
place, name, after = {point!r}
owner = import_module(place)
target = owner.Ledger if name == "commit_erased" else owner
genuine = getattr(target, name)
def killing(*given, **named):
    if after:
        genuine(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(target, name, killing)
with Ledger.open(load()) as ledger:
    ask(load(), ledger, Asked(person={person!r}), "asked", "office", "test")
    pending(load(), ledger, [{cid!r}], zones=("silver",))
"""


@pytest.mark.parametrize(
    "point",
    [
        ("khlang.stewardship.landing", "recounted", False),
        ("khlang.lake.ledger", "commit_erased", False),
        ("khlang.lake.ledger", "commit_erased", True),
        ("khlang.stewardship.erase", "rewrite_fragments", True),
        ("khlang.stewardship.erase", "sweep", False),
    ],
    ids=["bronze committed", "before the ledger", "after the ledger", "books", "before the sweep"],
)
def test_an_erasure_that_was_killed_is_completed(town: Town, point: tuple[str, str, bool]) -> None:
    first = town.deliver("99001", FIRST)
    town.run("bronze", "silver")
    paths = [str(PROJECT / "jobs"), str(PROJECT)]
    code = KILLED.format(paths=paths, point=point, person=town.person(), cid=CID)
    told = {**os.environ, **environment(town.settings)}
    killed = subprocess.run(
        [sys.executable, "-c", code], env=told, cwd=PROJECT, capture_output=True, text=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    done = town.pend()
    assert done is not None and done.outcomes == {"redacted": 1} and done.erasures == (1,)
    erased(town, first.receipt)
    balance = {one.file: (one.delivered, one.accepted, one.refused) for one in town.ledger.balance()}
    assert balance["SERVICE"] == (5, 2, 3) and balance["PERSON"] == (3, 2, 1)
    assert town.rows("silver.service")["_line"].to_list() == [2, 4]
    assert town.pend() is None


BATCH = """
import os, signal, sys
sys.path[:0] = {paths!r}
from khlang.bronze import job
from khlang.settings import load
genuine = job.commit_tables
def killing(*given):
    genuine(*given)
    os.kill(os.getpid(), signal.SIGKILL)
job.commit_tables = killing
job.run(load())
"""


def test_a_batch_that_was_killed_is_completed_before_its_person_is_erased(town: Town) -> None:
    first = town.deliver("99001", FIRST)
    code = BATCH.format(paths=[str(PROJECT / "jobs"), str(PROJECT)])
    told = {**os.environ, **environment(town.settings)}
    killed = subprocess.run([sys.executable, "-c", code], env=told, cwd=PROJECT, check=False)
    assert killed.returncode == -signal.SIGKILL and town.ledger.has_open_batch("bronze")
    with pytest.raises(BusyError):
        sweep(town.settings, town.ledger)
    done = town.erase()
    assert done is not None and done.outcomes == {"redacted": 1}
    erased(town, first.receipt)
    balance = {one.file: (one.delivered, one.accepted, one.refused) for one in town.ledger.balance()}
    assert balance["SERVICE"] == (5, 2, 3) and balance["PERSON"] == (3, 2, 1)
