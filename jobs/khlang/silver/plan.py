"""What a silver batch has to do: which facilities of which tables, read from which files."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from khlang.lake.passes import is_again
from khlang.lake.tables import Part

Decided = tuple[str, str, str, int]
"""A decision that holds: facility, patient, person_key, number."""

LAST = "\uffff"
"""Greater than every code of a facility."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The batch seen from silver.

    `rows`: table -> facility -> accepted rows that came; `resolve`: facilities to be worked out anew from all
    of bronze (a late delivery, a moved time, a withdrawal); `sent_at`: receipt -> time that holds.
    `decisions`: every one that holds; `redecided`: facility -> patients on whom one came or went with this batch.
    """

    batch: str
    attempt: str
    sources: tuple[str, ...]
    rows: Mapping[str, Mapping[str, int]]
    resolve: frozenset[str]
    sent_at: Mapping[str, str] = field(default_factory=dict)
    withdrawn: tuple[str, ...] = ()
    decisions: tuple[Decided, ...] = ()
    redecided: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def facilities(self) -> list[str]:
        """Every facility that the batch touches, sorted."""
        touched = {hospcode for per_table in self.rows.values() for hospcode in per_table}
        return sorted(touched | self.resolve)


def groups(rows: Mapping[str, int], most_rows: int) -> list[list[str]]:
    """Neighbouring facilities packed up to `most_rows`; codes sorted, so that files stay clustered."""
    packed: list[list[str]] = []
    filled = most_rows
    for hospcode in sorted(rows):
        if filled >= most_rows:
            packed.append([])
            filled = 0
        packed[-1].append(hospcode)
        filled += max(1, rows[hospcode])
    return packed


def plain(parts: Iterable[Part]) -> list[dict[str, Any]]:
    """Files as plain values for a task."""
    return [{"path": part.path, "low": part.low, "high": part.high} for part in parts]


def near(parts: Sequence[Part], hospcodes: Sequence[str]) -> list[dict[str, Any]]:
    """Files that may hold rows of these facilities (sorted codes)."""
    return plain(part for part in parts if part.overlaps(hospcodes[0], hospcodes[-1]))


def held(parts: Iterable[Part], hospcodes: Iterable[str]) -> list[str]:
    """Of these facilities those of which a file may hold rows, sorted."""
    spans: list[tuple[str, str]] = []
    for low, high in sorted((part.low or "", part.high or LAST) for part in parts):
        if spans and low <= spans[-1][1]:
            low, high = spans[-1][0], max(high, spans.pop()[1])
        spans.append((low, high))
    lows = [low for low, _ in spans]
    places = ((hospcode, bisect_right(lows, hospcode) - 1) for hospcode in sorted(hospcodes))
    return [hospcode for hospcode, place in places if place >= 0 and hospcode <= spans[place][1]]


@dataclass(frozen=True, slots=True)
class Files:
    """Committed files of one table: its bronze, its silver as visible before the batch."""

    bronze: Sequence[Part]
    silver: Sequence[Part]


@dataclass(frozen=True, slots=True)
class People:
    """PERSON's silver files before and after the batch, and whether any facility's people may have moved."""

    before: Sequence[Part] = ()
    after: Sequence[Part] = ()
    moved: frozenset[str] = frozenset()


def reread(scope: Scope, bronze: Iterable[Part]) -> frozenset[str]:
    """Facilities of which the batch brings later passes of rows."""
    mine = (part for part in bronze if is_again(part.path) and _batch_of(part) in scope.sources)
    return frozenset(part.low for part in mine if part.low is not None)


def _batch_of(part: Part) -> str:
    """The bronze batch that wrote a file."""
    return part.path.partition("/")[0]


def settle_tasks(
    scope: Scope, file: str, files: Files, people: People, most_rows: int
) -> list[dict[str, Any]]:
    """Tasks of one table: facilities with new rows, with moved people, or to be resolved anew.

    A later pass belongs to an older delivery, so its facility is resolved anew in that table.
    """
    came = dict(scope.rows.get(file, {}))
    stored = [part for part in files.silver if part.rows]
    came |= dict.fromkeys(held(stored, people.moved - set(came)), 0)
    anew = {hospcode: came.get(hospcode, 0) for hospcode in scope.resolve | reread(scope, files.bronze)}
    tasks = []
    for resolve, wanted in ((False, {h: n for h, n in came.items() if h not in anew}), (True, anew)):
        own = files.bronze if resolve else [p for p in files.bronze if _batch_of(p) in scope.sources]
        for hospcodes in groups(wanted, most_rows):
            sources, state = near(own, hospcodes), near(stored, hospcodes)
            if not sources and not state:
                continue
            rows = sum(wanted[hospcode] for hospcode in hospcodes)
            if resolve:
                rows = sum(part.rows for part in own if part.overlaps(hospcodes[0], hospcodes[-1]))
            tasks.append(
                {
                    "file": file, "hospcodes": hospcodes, "rows": rows, "resolve": resolve, "batch": scope.batch,
                    "attempt": scope.attempt, "batches": list(scope.sources), "bronze": sources,
                    "silver": state, "sent_at": dict(scope.sent_at), "withdrawn": list(scope.withdrawn),
                    "person_before": near(people.before, hospcodes),
                    "person_after": near(people.after, hospcodes),
                    "relink": bool(people.moved & set(hospcodes)) or (resolve and bool(state)),
                }
            )  # fmt: skip
    return tasks


def people_tasks(
    scope: Scope, person: Files, links: Files, unlinked: frozenset[str], most_rows: int
) -> list[dict[str, Any]]:
    """Tasks of PERSON, and of the history of its links; these need all of bronze where a decision came or went.

    `unlinked`: facilities of which no link is known yet, in a lake that is older than the table.
    """
    decided = frozenset(scope.redecided)
    current = settle_tasks(scope, "PERSON", person, People(moved=decided), most_rows)
    anew = replace(scope, resolve=scope.resolve | decided | unlinked)
    history = settle_tasks(anew, "PERSON", links, People(), most_rows)
    by_facility: dict[str, list[Decided]] = {}
    for decision in scope.decisions:
        by_facility.setdefault(decision[0], []).append(decision)
    return [
        task | {
            "history": is_history,
            "decisions": [one for hospcode in task["hospcodes"] for one in by_facility.get(hospcode, ())],
            "redecided": [pid for hospcode in task["hospcodes"] for pid in scope.redecided.get(hospcode, ())],
        }
        for is_history, tasks in ((False, current), (True, history))
        for task in tasks
    ]  # fmt: skip


def rewrite_tasks(
    scope: Scope, drops: Iterable[Mapping[str, Any]], rows_of: Callable[[str], Mapping[str, int]]
) -> list[dict[str, Any]]:
    """One task per committed file that holds replaced rows, with all the notes about it."""
    noted: dict[tuple[str, str], list[str]] = {}
    for drop in drops:
        for path in drop["paths"]:
            noted.setdefault((drop["table"], path), []).append(drop["reference"])
    rows = {table: rows_of(table) for table in {table for table, _ in noted}}
    return [
        {
            "table": table, "path": path, "rows": rows[table].get(path, 0), "drops": notes,
            "batch": scope.batch, "attempt": scope.attempt,
        }
        for (table, path), notes in sorted(noted.items())
    ]  # fmt: skip


def orphan_tasks(
    scope: Scope, parts: Mapping[str, Sequence[Part]], orphans: Sequence[Part], most_rows: int
) -> list[dict[str, Any]]:
    """One task per group of facilities over all child tables; resolved facilities apart."""
    total: dict[str, int] = dict.fromkeys(scope.facilities(), 0)
    for per_table in scope.rows.values():
        for hospcode, rows in per_table.items():
            total[hospcode] += rows
    files = {table: plain(found) for table, found in parts.items()}
    tasks = []
    for resolve in (False, True):
        wanted = {hospcode: n for hospcode, n in total.items() if (hospcode in scope.resolve) is resolve}
        tasks += [
            {
                "hospcodes": hospcodes, "rows": sum(wanted[hospcode] for hospcode in hospcodes),
                "resolve": resolve, "batch": scope.batch, "attempt": scope.attempt,
                "files": files, "orphans": plain(orphans),
            }
            for hospcodes in groups(wanted, most_rows)
        ]  # fmt: skip
    return tasks


def numbered(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tasks with a number each, which names the files they write; the longest stand first."""
    ordered = sorted(tasks, key=lambda task: -task.get("rows", 0))
    return [task | {"number": number} for number, task in enumerate(ordered)]
