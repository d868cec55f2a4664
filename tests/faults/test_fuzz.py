"""A slice of `make fuzz`: nothing fails; and the watcher sees crashes, hangs, leaks and wrong outcomes."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from fuzz import __main__ as worker
from fuzz.judge import Wrong, judge_member, judge_zip
from fuzz.members import MemberCase
from fuzz.watch import Plan, table, watched
from fuzz.zip_mutants import MUTATORS, ZipCase
from zips import NAME, PERSON, zipped

CASES = 600


def test_a_slice_of_cases_neither_crashes_nor_hangs_nor_leaks_nor_goes_wrong() -> None:
    found = watched(Plan(0, CASES, seed=20261123, members=0.1), print)
    print(table(found, 0.0))
    assert found.holds, found.failures
    assert sum(found.outcomes.values()) == CASES
    assert {kind.split()[1] for kind in found.kinds if kind.startswith("zip ")} == {
        m.__name__ for m in MUTATORS
    }
    assert {"zip: loaded", "zip: zip.unreadable", "zip: zip.bomb", "zip: zip.path"} <= set(found.outcomes)
    assert found.outcomes["member: loaded"] > 5


@dataclass(frozen=True, slots=True)
class Acted(Plan):
    """A worker that does as it is told at case 1, and says `end` of all others."""

    program: str = "pass"

    def command(self, first: int) -> list[str]:
        """A small program in the worker's place."""
        lines = (
            "import os, sys, time",
            f"for n in range({first}, {self.last}):",
            "    print('begin', n, flush=True)",
            f"    if n == 1: {self.program}",
            "    print('end', n, 'zip flip loaded', flush=True)",
            "    print('state', n, 1000 + 70000 * n, 7 + n, n, flush=True)" if self.program == "pass" else "",
        )
        return [sys.executable, "-c", "\n".join(lines)]


@pytest.mark.parametrize(
    ("program", "outcome", "said"),
    [
        ("os.abort()", "crash", "case 1: crash: the process ended with -6"),
        ("os._exit(0)", "crash", "case 1: crash: the process ended with 0"),
        ("\n        while True: pass", "hang", "case 1: hang"),
        ("print('wrong 1 two verdicts', flush=True); continue", "wrong", "case 1: wrong: two verdicts"),
        (
            "print('crash 1 PanicException at x.py:3', flush=True); continue",
            "crash",
            "case 1: crash: PanicException",
        ),
    ],
)
def test_the_watcher_names_the_case_and_goes_on_behind_it(program: str, outcome: str, said: str) -> None:
    found = watched(Acted(0, 4, 1, 0.0, program), print)
    assert found.outcomes == {"zip: loaded": 3, outcome: 1} and not found.holds
    assert found.failures[0].startswith(said)


def test_a_process_that_grows_and_leaves_files_open_does_not_hold() -> None:
    found = watched(Acted(0, 4, 1, 0.0), print)
    assert (found.growth, found.files, found.temporary) == (210_000, 3, 3)
    assert not found.holds and not found.failures


def test_equal_seeds_give_equal_cases_and_others_other_ones() -> None:
    cases = [[worker.outcome(seed, number, 0.0) for number in range(12)] for seed in (1, 1, 2)]
    assert cases[0] == cases[1] != cases[2]


@pytest.mark.parametrize(
    "case",
    [
        ZipCase(zipped({"PERSON.txt": PERSON}), contents=frozenset(["another"])),
        ZipCase(zipped({"PERSON.txt": PERSON}), codes=frozenset(["zip.path"])),
        ZipCase(zipped({"PERSON.txt": PERSON}), codes=frozenset(["zip.name"]), name=NAME),
    ],
    ids=["content", "code", "name"],
)
def test_the_judge_sees_a_zip_that_should_have_been_refused(case: ZipCase) -> None:
    with pytest.raises(Wrong):
        judge_zip(case)


def test_the_judge_sees_an_identifier_that_is_left() -> None:
    body = b"HOSPCODE|PID|DATE_DIAG|CHRONIC|TYPEDISCH|D_UPDATE|HOSP_RX\n99001|P1|20200131|E119|03|20260801120000|99002"
    with pytest.raises(Wrong, match="1 identifiers"):
        judge_member(MemberCase("CHRONIC", body, frozenset(["99002"]), 7, 40))
    assert judge_member(MemberCase("CHRONIC", body, frozenset(["P1|2020"]), 7, 40)) == "loaded"
