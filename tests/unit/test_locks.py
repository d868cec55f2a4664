"""One writer per zone, whoever it is, and only while it lives."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from sqlalchemy import text

from khlang.errors import BusyError, StoreError
from khlang.lake.ledger import Ledger
from khlang.lake.locks import number_of, writer
from khlang.settings import Settings

from .landing_lake import lake, ledger

__all__ = ["lake", "ledger"]
pytestmark = pytest.mark.stack

HOLD = """
import sys, time
from khlang.settings import Settings
from khlang.lake.locks import writer
with writer(Settings.model_validate_json(sys.argv[1]), "silver"):
    print("held", flush=True)
    time.sleep(60)
"""


def impatient(lake: Settings) -> Settings:
    return lake.model_copy(update={"lock_wait_seconds": 1})


def test_the_second_writer_of_a_zone_is_told_that_it_is_busy(lake: Settings) -> None:
    with writer(lake, "silver") as held:
        held.check()
        start = time.monotonic()
        with pytest.raises(BusyError, match="silver"), writer(impatient(lake), "silver"):
            pass
        assert 0.8 < time.monotonic() - start < 10
    with writer(impatient(lake), "silver") as held:
        held.check()


def test_zones_and_lakes_do_not_wait_for_each_other(lake: Settings) -> None:
    other = impatient(lake).model_copy(update={"bucket_prefix": "other-"})
    with writer(lake, "silver"), writer(impatient(lake), "gold"), writer(other, "silver"):
        pass
    assert len({number_of(s, z) for s in (lake, other) for z in ("bronze", "silver", "gold")}) == 6


def test_a_writer_that_waits_gets_the_lock_when_the_other_is_done(lake: Settings) -> None:
    held = subprocess.Popen(
        [sys.executable, "-c", HOLD.replace("60", "2"), lake.model_dump_json()],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert held.stdout is not None and held.stdout.readline() == "held\n"
    with writer(lake, "silver"):
        held.wait(20)


def test_a_killed_writer_leaves_no_lock(lake: Settings) -> None:
    held = subprocess.Popen(
        [sys.executable, "-c", HOLD, lake.model_dump_json()], stdout=subprocess.PIPE, text=True
    )
    assert held.stdout is not None and held.stdout.readline() == "held\n"
    with pytest.raises(BusyError), writer(impatient(lake), "silver"):
        pass
    held.kill()
    held.wait()
    with writer(lake, "silver"):
        pass


def test_a_lost_lock_is_noticed_before_the_commit(lake: Settings, ledger: Ledger) -> None:
    with writer(lake, "silver") as held:
        held.check()
        with ledger.engine.begin() as connection:
            cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'khlang silver'"
            connection.execute(text(cut))
        with pytest.raises(StoreError, match=r"lock\.lost"):
            held.check()


def test_a_failure_inside_frees_the_lock(lake: Settings) -> None:
    with pytest.raises(ZeroDivisionError), writer(lake, "silver"):
        raise ZeroDivisionError
    with writer(impatient(lake), "silver"):
        pass
