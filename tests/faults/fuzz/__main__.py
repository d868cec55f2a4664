"""`python -m fuzz`: many cases from a seed, watched from outside; a table at the end, exit code 1 when one failed."""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
import traceback
from pathlib import Path

from .judge import Wrong, judge_member, judge_zip
from .members import MemberCase, member_case
from .watch import Plan, table, watched
from .zip_mutants import zip_case

WARM = 300
"""Cases before memory and open files are noted for the first time."""


def outcome(seed: int, number: int, members: float) -> str:
    """Judge one case: `zip flip zip.unreadable`, `member CHRONIC loaded`. Equal arguments, equal case."""
    dice = random.Random(f"{seed}/{number}")
    if dice.random() < members:
        case = member_case(dice)
        return f"member {case.file} {judge_member(case)}"
    kind, zipped = zip_case(dice)
    return f"zip {kind} {judge_zip(zipped)}"


def _state() -> str:
    """Resident KiB, open files, temporary files."""
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
    temporary = sum(1 for _ in Path(os.environ["TMPDIR"]).iterdir())
    return f"{resident} {len(os.listdir('/proc/self/fd'))} {temporary}"


def _warm() -> None:
    """Load what is loaded once, and take the memory that the longest lines take."""
    judge_member(
        MemberCase(
            "CHRONIC", "\n".join("ก" * n for n in (9, (4 << 20) + 1)).encode(), frozenset(), 1 << 16, 1 << 22
        )
    )
    for number in range(40):
        outcome(0, -1 - number, 0.5)


def work(first: int, last: int, seed: int, members: float) -> None:
    """The worker's side: says when a case begins, what came of it, and now and then how large it has grown."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    sys.stdout = sys.stderr
    _warm()
    for number in range(first, last):
        print(f"begin {number}", file=out)
        try:
            print(f"end {number} {outcome(seed, number, members)}", file=out)
        except Wrong as wrong:
            print(f"wrong {number} {wrong}", file=out)
        except BaseException as failure:  # a panic of a library is no Exception
            at = traceback.extract_tb(failure.__traceback__)[-1]
            print(
                f"crash {number} {type(failure).__name__} at {Path(at.filename).name}:{at.lineno}", file=out
            )
        if (number - first) % 100 == 99 and number - first >= WARM:
            print(f"state {number} {_state()}", file=out)


def main() -> int:
    """Read the arguments, work or watch."""
    asked = argparse.ArgumentParser("fuzz", description=__doc__)
    asked.add_argument("--cases", type=int, default=100_000)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--first", type=int, default=0, help="number of the first case")
    asked.add_argument("--members", type=float, default=0.3, help="share of members among the cases")
    asked.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    given = asked.parse_args()
    last = given.first + given.cases
    if given.work:
        work(given.first, last, given.seed, given.members)
        return 0
    begun = time.monotonic()
    found = watched(Plan(given.first, last, given.seed, given.members), lambda line: print(line, flush=True))
    print(table(found, time.monotonic() - begun))
    return 0 if found.holds else 1


if __name__ == "__main__":
    sys.exit(main())
