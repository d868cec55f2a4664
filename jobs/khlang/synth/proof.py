"""A set full of planted faults -> what the check finds in it, compared place by place with its truth."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

from khlang.conform.dry import check
from khlang.conform.unpack import verify
from khlang.lake.pool import processes
from khlang.model.contract import contracts
from khlang.model.faults import catalogue
from khlang.model.receipt import MemberReceipt, Receipt
from khlang.settings import Settings
from khlang.synth import job
from khlang.synth.corrupt import REFUSING
from khlang.synth.plan import Plan

NOTES = ("note.identifier", "note.withheld")
UNASKED = frozenset({*NOTES, "parent.missing"})
"""Codes that also stand where nothing was planted: texts are scrubbed, children lose parents by other faults."""

PART = 16
"""Zips that a worker gets at once."""

Place = tuple[str, str, int | None, str | None]
"""Zip, member, line, column."""

Planted = tuple[Place, str]
"""A place and the code there."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a worker says of a zip: its receipt, and the content by which the door knows it again."""

    path: str
    receipt: Receipt
    content: str | None


@dataclass(frozen=True, slots=True)
class Truth:
    """The truth of a set: places by code, the zips, and (lines, refused lines) of every member that has lines."""

    planted: frozenset[Planted]
    zips: tuple[str, ...]
    lines: dict[tuple[str, str], tuple[int, int]]
    notes: frozenset[Place]


@dataclass(slots=True, frozen=True)
class Line:
    """One code of the proof's table."""

    code: str
    planted: int
    found: int
    others: int | None
    """Found where nothing was planted; None: not asked of this code."""

    @property
    def missed(self) -> int:
        """Planted and not found."""
        return self.planted - self.found


@dataclass(frozen=True, slots=True)
class Proof:
    """What came out. `held_back`: rows without a planted refusing fault that were refused."""

    codes: tuple[Line, ...]
    zips: int
    members: int
    delivered: int
    accepted: int
    refused: int
    unbalanced: int
    held_back: int
    differences: tuple[str, ...] = field(repr=False, default=())

    @property
    def holds(self) -> bool:
        """Whether the check agrees with the truth in everything."""
        exact = all(not line.missed and not line.others for line in self.codes)
        return exact and not self.unbalanced and not self.held_back


def prove(plan: Plan, folder: Path, workers: int, say: Callable[[str], None] = lambda _: None) -> Proof:
    """Invent a set in `folder`, check every zip of it, compare. Equal plans give equal proofs."""
    job.run(plan, folder, say)
    truth = truth_of(folder)
    say(f"{len(truth.zips):,} zips, {len(truth.planted):,} planted faults")
    return compared(truth, checked(folder, truth.zips, workers, say))


def _told(folder: Path, name: str) -> Iterator[dict[str, str]]:
    with (folder / "truth" / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def truth_of(folder: Path) -> Truth:
    """The truth files of a set."""
    planted = {
        ((row["zip"], row["member"], int(row["line"]) if row["line"] else None, row["column"] or None), row["code"])
        for row in _told(folder, "faults")
    }  # fmt: skip
    lines = {}
    for row in _told(folder, "files"):
        if row["table"]:
            count = int(row["lines_without_header"])
            refused = int(row["records_refused"]) + count - int(row["records"])
            lines[row["zip"], row["member"]] = (count, refused)
    notes = {
        (row["zip"], row["member"], int(row["line"]), row["column"]) for row in _told(folder, "note_spans")
    }
    zips = tuple(row["path"] for row in _told(folder, "deliveries"))
    return Truth(frozenset(planted), zips, lines, frozenset(notes))


def _check(folder: Path, settings: Settings, paths: Sequence[str]) -> list[Checked]:
    """Check some zips of a set."""
    found = []
    for path in paths:
        body = io.BytesIO((folder / "inbox" / path).read_bytes())
        name = Path(path).name
        content = verify(body, name, settings).content
        found.append(Checked(path, check(body, name, settings), content))
    return found


def checked(
    folder: Path, zips: Sequence[str], workers: int, say: Callable[[str], None] = lambda _: None
) -> Iterator[Checked]:
    """Every zip of a set in the order of arrival, looked at in worker processes when they are more than one."""
    work = partial(_check, folder, Settings())  # type: ignore[call-arg]
    waiting = iter(zips)
    parts = list(iter(lambda: list(islice(waiting, PART)), []))
    if workers < 2:
        for part in parts:
            yield from work(part)
        return
    with processes(workers, __name__) as pool:
        for number, done in enumerate(pool.map(work, parts), 1):
            yield from done
            if number % 16 == 0:
                say(f"{number * PART:,} zips checked")


@dataclass(slots=True, frozen=True)
class _Sums:
    """What is added up over zips."""

    found: set[Planted] = field(default_factory=set)
    noted: set[Place] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def compared(truth: Truth, zips: Iterable[Checked]) -> Proof:
    """The check's receipts against the truth."""
    sums, seen = _Sums(), set()
    refusing = defaultdict(set)
    for (path, name, line, _), code in truth.planted:
        if code in REFUSING:
            refusing[path, name].add(line)
    for one in zips:
        sums.counts["zips"] += 1
        refusal = one.receipt.code or (
            "zip.duplicate" if (one.receipt.facility, one.content) in seen else None
        )
        seen.add((one.receipt.facility, one.content))
        if refusal is not None:
            sums.found.add(((one.path, "", None, None), refusal))
            continue
        for member in one.receipt.members:
            _member(one.path, member, truth, refusing[one.path, member.member], sums)
    return _proof(truth, sums)


def _member(path: str, member: MemberReceipt, truth: Truth, refusing: set[int | None], sums: _Sums) -> None:
    """Add a member's faults and lines, and compare its lines with the truth's."""
    place = (path, member.member)
    sums.found.update(((*place, None, None), code) for code in member.codes)
    sums.found.update(
        ((*place, fault.line, fault.column), fault.code) for fault in member.faults if fault.code not in NOTES
    )
    sums.noted.update((*place, fault.line, fault.column) for fault in member.faults if fault.code in NOTES)
    if member.table is None:
        return
    delivered, accepted, refused = member.delivered or 0, member.accepted or 0, member.refused or 0
    sums.counts.update(members=1, delivered=delivered, accepted=accepted, refused=refused)
    lines = _refused_lines(member)
    kept = lines - refusing
    sums.counts["held_back"] += len(kept)
    sums.wrong.extend(
        f"{path} {member.member} line {line}: a clean row is held back" for line in sorted(kept)
    )
    if (
        (delivered, refused) != truth.lines.get(place)
        or delivered != accepted + refused
        or len(lines) != refused
    ):
        sums.counts["unbalanced"] += 1
        sums.wrong.append(
            f"{path} {member.member}: {delivered} lines, {accepted} accepted, {refused} refused"
        )


def _refused_lines(member: MemberReceipt) -> set[int]:
    """Lines whose faults keep them out: by their effect, or because the key lost its value."""
    key = contracts()[str(member.table)].key
    effect = {code: fault.effect for code, fault in catalogue().items()}
    return {
        fault.line
        for fault in member.faults
        if effect[fault.code] == "refuse" or (effect[fault.code] == "void" and fault.column in key)
    }


def _proof(truth: Truth, sums: _Sums) -> Proof:
    """Everything added up; planted identifiers count as found where the text was scrubbed or withheld."""
    asked = {each for each in truth.planted if each[1] not in UNASKED}
    missed, others = asked - sums.found, {each for each in sums.found - asked if each[1] not in UNASKED}
    by_code = [Counter(code for _, code in some) for some in (asked, missed, others)]
    lines = [
        Line(code, by_code[0][code], by_code[0][code] - by_code[1][code], by_code[2][code])
        for code in catalogue()
        if by_code[0][code] or by_code[2][code]
    ]
    lines.append(Line("note.identifier", len(truth.notes), len(truth.notes & sums.noted), None))
    wrong = [f"missed: {_shown(each)}" for each in sorted(missed, key=str)]
    wrong += [f"not planted: {_shown(each)}" for each in sorted(others, key=str)]
    counts = sums.counts
    return Proof(
        codes=tuple(lines), zips=counts["zips"], members=counts["members"], delivered=counts["delivered"],
        accepted=counts["accepted"], refused=counts["refused"], unbalanced=counts["unbalanced"],
        held_back=counts["held_back"], differences=(*wrong, *sums.wrong),
    )  # fmt: skip


def _shown(each: Planted) -> str:
    (path, member, line, column), code = each
    return " ".join(str(part) for part in (path, member, line, column, code) if part)
