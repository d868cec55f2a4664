"""`khlang prove faults`: a small set is proved, and every kind of difference is seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from khlang.commands import register_all
from khlang.model.receipt import LineFault, MemberReceipt
from khlang.synth import job, proof
from khlang.synth.plan import Plan
from khlang.synth.proof import Checked, Proof, Truth, checked, compared, truth_of

PLAN = Plan(facilities=12, months=1, persons=60, start=date(2026, 9, 1), seed=5, faults="many")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("proof")
    job.run(PLAN, made)
    return made


@pytest.fixture(scope="module")
def truth(folder: Path) -> Truth:
    return truth_of(folder)


@pytest.fixture(scope="module")
def zips(folder: Path, truth: Truth) -> list[Checked]:
    return list(checked(folder, truth.zips, workers=1))


def test_a_small_set_is_found_place_by_place_and_no_clean_row_is_held_back(
    truth: Truth, zips: list[Checked]
) -> None:
    found = compared(truth, zips)
    for line in found.codes:
        print(f"{line.code:<20} {line.planted:>5} planted, {line.missed} missed, {line.others} others")
    assert found.differences == () and found.holds
    assert (found.held_back, found.unbalanced) == (0, 0)
    assert sum(line.planted > 0 for line in found.codes) >= 20
    assert found.delivered == found.accepted + found.refused > 1000
    assert found.refused > 20


def test_worker_processes_find_the_same(folder: Path, truth: Truth, zips: list[Checked]) -> None:
    assert list(checked(folder, truth.zips[:4], workers=2)) == zips[:4]


def _with(zips: list[Checked], change: dict[str, object]) -> tuple[list[Checked], MemberReceipt]:
    """The zips, the first member that has a refused line changed; and how that member was before."""
    for place, one in enumerate(zips):
        for number, member in enumerate(one.receipt.members):
            if (member.accepted or 0) > 3 and (member.refused or 0) > 0:
                members = list(one.receipt.members)
                members[number] = replace(member, **change)  # type: ignore[arg-type]
                receipt = replace(one.receipt, members=tuple(members))
                return [*zips[:place], replace(one, receipt=receipt), *zips[place + 1 :]], member
    raise AssertionError("no member has a refused line")


def _differing(truth: Truth, zips: list[Checked], **change: object) -> Proof:
    changed, _ = _with(zips, change)
    found = compared(truth, changed)
    assert not found.holds and found.differences
    return found


def test_a_fault_that_is_not_found_is_seen(truth: Truth, zips: list[Checked]) -> None:
    found = _differing(truth, zips, faults=())
    assert sum(line.missed for line in found.codes) > 0 and found.unbalanced == 1


def test_a_fault_at_another_column_is_missed_and_not_planted(truth: Truth, zips: list[Checked]) -> None:
    _, member = _with(zips, {})
    moved = tuple(
        replace(fault, column="D_UPDATE", code="date.unreadable") if not place else fault
        for place, fault in enumerate(member.faults)
    )
    found = _differing(truth, zips, faults=moved)
    assert sum(line.missed for line in found.codes) == sum(line.others or 0 for line in found.codes) == 1


def test_a_clean_row_that_is_held_back_is_counted(truth: Truth, zips: list[Checked]) -> None:
    _, member = _with(zips, {})
    taken = {fault.line for fault in member.faults}
    clean = next(line for line in range(2, 10_000) if line not in taken)
    held = (*member.faults, LineFault(clean, None, "row.width"))
    assert _differing(truth, zips, faults=held).held_back == 1


def test_lines_that_do_not_add_up_are_counted(truth: Truth, zips: list[Checked]) -> None:
    assert _differing(truth, zips, accepted=0).unbalanced == 1


def test_a_verdict_that_is_not_the_planted_one_is_seen(truth: Truth, zips: list[Checked]) -> None:
    place = next(n for n, one in enumerate(zips) if one.receipt.code == "zip.path")
    changed = replace(zips[place], receipt=replace(zips[place].receipt, code="zip.bomb"))
    found = compared(truth, [*zips[:place], changed, *zips[place + 1 :]])
    by_code = {line.code: line for line in found.codes}
    assert (by_code["zip.path"].missed, by_code["zip.bomb"].others) == (1, 1)


def test_a_note_with_an_identifier_that_was_left_is_missed(truth: Truth, zips: list[Checked]) -> None:
    note = next(iter(truth.notes))

    def left() -> Iterator[Checked]:
        for one in zips:
            members = [
                replace(
                    m, faults=tuple(f for f in m.faults if (one.path, m.member, f.line, f.column) != note)
                )
                for m in one.receipt.members
            ]
            yield replace(one, receipt=replace(one.receipt, members=tuple(members)))

    found = compared(truth, left())
    assert {line.code: line.missed for line in found.codes if line.missed} == {"note.identifier": 1}


def test_the_command_prints_the_table_and_ends_with_1_when_a_place_differs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = ["prove", "faults", "--facilities", "3", "--persons", "60", "--workers", "1"]
    app = register_all(Typer())
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0 and done.output.rstrip().endswith("proved"), done.output
    assert "clean rows held back: 0" in done.output and "planted" in done.output
    monkeypatch.setattr(proof, "compared", lambda truth, _: compared(truth, []))
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 1 and "NOT proved" in done.output and "missed: " in done.output
