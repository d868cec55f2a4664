"""Alarms of the lake: raised once, told once, cleared by themselves when their cause is gone."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from typer.testing import CliRunner

from khlang import __main__ as khlang_main
from khlang import settings as environment
from khlang.errors import NOTHING_NEW
from khlang.lake import alarms, tables
from khlang.lake.alarms import JUMPED, SILENT, jump, jumped, silent
from khlang.lake.ledger import Cause, Judged, Ledger
from khlang.settings import Settings
from khlang.stack.status import Report, ServiceState, open_alarms, show

from .blank_ledger import LONG, NOW, blank, ledger, registered, settings
from .deliveries import received, settled
from .landing_lake import facility

__all__ = ["blank", "ledger", "settings"]
pytestmark = pytest.mark.stack

FELL = Cause(JUMPED, "99001", "SERVICE fell", "SERVICE", "2026-10", "fewer")


def of_audit(ledger: Ledger) -> list[tuple[str, str]]:
    """(action, subject) of the audit, which must be whole."""
    assert ledger.verify_audit() is None
    with ledger.engine.connect() as connection:
        return [
            (row[0], row[1])
            for row in connection.execute(text("SELECT action, subject FROM audit ORDER BY id"))
        ]


# silence


def test_a_facility_that_sent_nothing_for_longer_than_declared_is_silent_until_it_sends(
    ledger: Ledger,
) -> None:
    registered(ledger)
    settled(ledger, arrived_at=NOW - LONG)
    assert [(cause.kind, cause.hospcode) for cause in silent(ledger, NOW)] == [(SILENT, "99001")]
    settled(ledger, arrived_at=NOW - timedelta(days=44))
    assert list(silent(ledger, NOW)) == []


def test_a_rejected_or_withdrawn_delivery_does_not_end_the_silence(ledger: Ledger) -> None:
    registered(ledger)
    settled(ledger, arrived_at=NOW - LONG)
    rejected = received(ledger, arrived_at=NOW)
    ledger.settle([Judged(rejected.receipt, "zip.bomb")])
    ledger.withdraw(settled(ledger, arrived_at=NOW).receipt, "test")
    assert [cause.what[:36] for cause in silent(ledger, NOW)] == [
        "nothing was accepted since 2026-10-07"[:36]
    ]


@pytest.mark.parametrize(
    ("days", "opened", "is_silent"),
    [
        (46, None, True), (44, None, False), (400, date(2026, 10, 20), False), (400, date(2026, 9, 1), True),
        (44, date(2020, 1, 1), False),
    ],
)  # fmt: skip
def test_a_facility_that_was_never_heard_is_silent_so_many_days_after_it_opened_and_was_registered(
    days: int, opened: date | None, is_silent: bool, ledger: Ledger
) -> None:
    registered(ledger, NOW - timedelta(days=days), opened=opened)
    assert [cause.what.startswith("never sent") for cause in silent(ledger, NOW)] == [True] * is_silent


@pytest.mark.parametrize(("closed", "is_silent"), [(date(2026, 11, 21), False), (date(2026, 11, 22), True)])
def test_a_closed_facility_is_not_silent_and_one_that_closes_later_may_be(
    closed: date, is_silent: bool, ledger: Ledger
) -> None:
    registered(ledger, closed=closed)
    assert len(list(silent(ledger, NOW))) == is_silent


def test_a_facility_that_is_yet_to_open_is_not_silent(ledger: Ledger) -> None:
    registered(ledger, opened=date(2026, 12, 1))
    assert list(silent(ledger, NOW)) == []


def test_a_changed_row_of_the_registry_does_not_make_a_facility_new(ledger: Ledger) -> None:
    registered(ledger)
    ledger.load_facilities([facility("99001", "รพ.สต.ใหม่")], NOW - timedelta(days=1))
    assert len(list(silent(ledger, NOW))) == 1


# volumes


def gold(
    monkeypatch: pytest.MonkeyPatch, ledger: Ledger, *rows: tuple[str, str, str, int, float, bool]
) -> None:
    """Volumes as gold would hold them."""
    names = ["hospcode", "file", "month", "rows", "rows_expected", "is_jump"]
    frame = pl.DataFrame(rows, schema=names, orient="row").lazy()
    monkeypatch.setattr(tables, "frame", lambda *_: frame)
    monkeypatch.setattr(ledger, "visible", lambda: {alarms.VOLUMES: 3})


def test_only_jumps_of_a_facilitys_newest_month_are_alarms(
    ledger: Ledger, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(ledger)
    gold(
        monkeypatch, ledger,
        ("99001", "PERSON", "2026-09", 0, 80.0, True), ("99001", "SERVICE", "2026-10", 30, 100.0, True),
        ("99001", "PERSON", "2026-10", 80, 80.0, False), ("99002", "SERVICE", "2026-10", 0, 90.0, True),
    )  # fmt: skip
    found = list(jumped(settings, ledger, NOW))
    assert [(cause.hospcode, cause.file, cause.month, cause.direction) for cause in found] == [
        ("99001", "SERVICE", "2026-10", "fewer")
    ], "99002 is in no registry"


def test_a_closed_facility_has_no_alarm_of_its_last_months_volume(
    ledger: Ledger, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(ledger, closed=date(2026, 10, 31))
    gold(monkeypatch, ledger, ("99001", "SERVICE", "2026-10", 0, 100.0, True))
    assert list(jumped(settings, ledger, NOW)) == []


def test_before_gold_holds_volumes_there_is_no_alarm_of_them(ledger: Ledger, settings: Settings) -> None:
    registered(ledger)
    assert list(jumped(settings, ledger, NOW)) == []


@pytest.mark.parametrize("rows", [0, 1, 3, 7, 29, 60, 90, 150, 199, 500, 99999])
def test_the_words_of_an_alarm_tell_no_count(rows: int) -> None:
    cause = jump("99001", "SERVICE", "2026-10", rows / 100)
    assert re.findall(r"\d+", cause.what.replace("2026-10", "")) == []
    assert cause.direction == ("fewer" if rows < 100 else "more")
    assert len({jump("1", "A", "2026-10", ratio).what for ratio in (0, 0.01, 0.07, 0.24)}) == 1


# the ledger's memory


def test_an_alarm_is_raised_once_and_cleared_when_its_cause_is_gone_with_every_step_in_the_audit(
    ledger: Ledger,
) -> None:
    first = ledger.settle_alarms([FELL], NOW)
    again = ledger.settle_alarms([replace(FELL, month="2026-11", what="still")], NOW + timedelta(days=1))
    (open_one,) = ledger.alarms()
    assert (first.raised, again.raised, again.open) == (1, 0, 1)
    assert (open_one.raised_at, open_one.what, open_one.month) == (NOW, FELL.what, "2026-10")
    cleared = ledger.settle_alarms([], NOW + timedelta(days=2))
    assert (cleared.cleared, cleared.open, ledger.alarms()) == (1, 0, ())
    back = ledger.settle_alarms([FELL], NOW + timedelta(days=3))
    assert back.raised == 1 and ledger.alarms()[0].id != open_one.id
    steps = [
        ("alarm.raise", open_one.id),
        ("alarm.clear", open_one.id),
        ("alarm.raise", ledger.alarms()[0].id),
    ]
    assert of_audit(ledger) == [(action, str(number)) for action, number in steps]


def test_another_direction_is_another_alarm(ledger: Ledger) -> None:
    ledger.settle_alarms([FELL], NOW)
    done = ledger.settle_alarms([replace(FELL, direction="more", what="SERVICE rose")], NOW)
    assert (done.raised, done.cleared, [alarm.direction for alarm in ledger.alarms()]) == (1, 1, ["more"])


def test_the_database_itself_holds_one_open_alarm_per_cause(ledger: Ledger) -> None:
    ledger.settle_alarms([FELL], NOW)
    copied = "INSERT INTO alarm (kind, hospcode, file, month, direction, what, raised_at) SELECT kind, hospcode, file,"
    with pytest.raises(IntegrityError, match="uq_alarm_open"), ledger.engine.begin() as connection:
        connection.execute(text(f"{copied} month, direction, what, raised_at FROM alarm"))


def test_the_entries_of_one_run_are_chained_like_any_other(ledger: Ledger) -> None:
    ledger.audit("clerk", "withdraw", "R1")
    ledger.settle_alarms([FELL, replace(FELL, file="PERSON"), replace(FELL, file="DEATH")], NOW)
    ledger.audit("clerk", "withdraw", "R2")
    assert [action for action, _ in of_audit(ledger)] == ["withdraw", *["alarm.raise"] * 3, "withdraw"]


def test_an_alarm_is_told_once_and_a_cleared_one_never(ledger: Ledger) -> None:
    ledger.settle_alarms([FELL, replace(FELL, file="PERSON")], NOW)
    ledger.settle_alarms([FELL], NOW)
    assert ledger.untold_alarms() == 1
    assert [alarm.file for alarm in ledger.tell_alarms(NOW)] == ["SERVICE"]
    assert (ledger.untold_alarms(), ledger.tell_alarms(NOW), len(ledger.alarms())) == (0, (), 1)


# the job, the command, the status


def test_the_job_has_nothing_new_until_there_is_something_to_tell(ledger: Ledger, settings: Settings) -> None:
    registered(ledger, datetime.now(UTC) - LONG)
    assert alarms.run(settings, lambda: datetime.now(UTC) - timedelta(days=9)) is None
    assert alarms.run(settings) == {"raised": 1, "cleared": 0, "open": 1}
    assert alarms.run(settings) == {"raised": 0, "cleared": 0, "open": 1}, "nobody was told yet"
    ledger.tell_alarms(NOW)
    assert alarms.run(settings) is None


def said(settings: Settings, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    """Exit code and output of `khlang ARGUMENTS` on this lake."""
    monkeypatch.setattr(environment, "load", lambda: settings)
    done = CliRunner().invoke(khlang_main.discover(), list(arguments))
    return done.exit_code, done.output


def test_the_command_lists_open_alarms_by_kind_and_tells_each_once(
    ledger: Ledger, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.settle_alarms([FELL, Cause(SILENT, "99002", "nothing")], NOW)
    code, every = said(settings, monkeypatch, "alarms")
    assert code == 0 and [line.split("  ")[1:3] for line in every.splitlines()] == [
        [JUMPED, "99001"],
        [SILENT, "99002"],
    ]
    code, some = said(settings, monkeypatch, "alarms", "--kind", SILENT, "--json")
    assert [json.loads(line)["hospcode"] for line in some.splitlines()] == ["99002"]
    told = [said(settings, monkeypatch, "alarms", "--tell", "--json")[1] for _ in range(2)]
    assert [len(one.splitlines()) for one in told] == [2, 0]
    assert json.loads(told[0].splitlines()[0])["raised_at"] == NOW.isoformat(timespec="seconds")


@pytest.mark.parametrize("wrong", [("--kind", "strange"), ("--kind", SILENT, "--tell")])
def test_a_kind_that_is_none_is_refused_and_telling_takes_all(
    wrong: tuple[str, ...],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(environment, "load", lambda: settings)
    monkeypatch.setattr("sys.argv", ["khlang", "alarms", *wrong])
    with pytest.raises(SystemExit) as ended:
        khlang_main.main()
    assert ended.value.code == 2 and "alarm.kind" in capsys.readouterr().err


def test_the_job_without_news_ends_with_the_exit_code_that_airflow_skips(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert said(settings, monkeypatch, "run", "alarms")[0] == NOTHING_NEW


def test_the_status_counts_open_alarms_and_names_the_newest(
    ledger: Ledger, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    old = [replace(FELL, hospcode=f"990{number:02}") for number in range(10, 20)]
    ledger.settle_alarms(old, NOW)
    ledger.settle_alarms([*old, Cause(SILENT, "99002", "nothing came")], NOW + timedelta(hours=1))
    found = open_alarms(settings)
    assert found["open"] == {SILENT: 1, JUMPED: 10} and len(found["newest"]) == 5
    assert found["newest"][0]["hospcode"] == "99002"
    seen = Report((ServiceState("database", 7, 20, True, ""),), "home", (), (), {}, found)
    show(seen, as_json=False)
    shown = capsys.readouterr().out
    assert re.search(r"jumped\.volume +10 ", shown) and "99002  nothing came" in shown
    show(seen, as_json=True)
    assert json.loads(capsys.readouterr().out)["alarms"] == asdict(seen)["alarms"]
