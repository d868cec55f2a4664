"""One silver batch, table by table: settle on workers, rewrite touched files, one commit per table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from khlang.lake import tables
from khlang.lake.linked import NAME as LINK
from khlang.lake.locks import Held
from khlang.lake.parquet import arrow_schema
from khlang.lake.spread import Work, Workers
from khlang.lake.tables import Part, Written
from khlang.model.contract import contracts
from khlang.settings import Settings
from khlang.silver.history import people
from khlang.silver.orphan import NAME as ORPHAN
from khlang.silver.orphan import find_orphans
from khlang.silver.plan import (
    Files,
    People,
    Scope,
    numbered,
    orphan_tasks,
    people_tasks,
    rewrite_tasks,
    settle_tasks,
)
from khlang.silver.rewrite import rewrite, schema_of
from khlang.silver.stored import hospcodes_of
from khlang.silver.work import settle

COMMIT_THREADS = 8
EMPTY = 0
"""The version that creates a table."""
ROWS_PER_TASK = 250_000
ORPHAN_ROWS_PER_TASK = 1_000_000
"""Orphans need a few columns, and small tables are read by every task: fewer and larger ones."""


@dataclass(frozen=True, slots=True)
class Curation:
    """A silver batch under way: what workers wrote, what they counted, which versions the commits left.

    `visible` is the version map before the batch: everything is classified against it, also by a re-run.
    `listed` remembers the files of versions, so that each is listed once; `moved` the facilities of which a
    patient is another person after the batch.
    """

    workers: Workers
    settings: Settings
    scope: Scope
    visible: Mapping[str, int]
    note: Mapping[str, str]
    held: Held
    versions: dict[str, int] = field(default_factory=dict)
    counts: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    listed: dict[tuple[str, int], list[Part]] = field(default_factory=dict)
    moved: set[str] = field(default_factory=set)

    def parts(self, name: str, version: int | None) -> list[Part]:
        """Files of a table at a version; a table that has none yet gives nothing."""
        if version is None:
            return []
        if (name, version) not in self.listed:
            found = tables.parts(tables.open_table(self.settings, name, version))
            self.listed[name, version] = [part for part in found if part.rows]
        return self.listed[name, version]

    def many(self, names: Sequence[str], act: Callable[[str], Any]) -> dict[str, Any]:
        """The same act for several tables at once, in threads: each is a few small requests."""
        with ThreadPoolExecutor(COMMIT_THREADS) as pool:
            return dict(zip(names, pool.map(act, names), strict=True))

    def create(self) -> None:
        """Every table of silver exists from the first batch on."""
        names = [f"silver.{contract.table}" for contract in contracts().values()] + [ORPHAN, LINK]
        wanted = [name for name in names if name not in self.visible]
        self.many(wanted, lambda name: tables.create(self.settings, name, arrow_schema(schema_of(name))))
        self.versions.update(dict.fromkeys(wanted, EMPTY))
        self.listed.update({(name, EMPTY): [] for name in wanted})

    def before(self, name: str) -> int:
        """The version that readers saw before this batch; 0, the empty table, before the first one."""
        return self.visible.get(name, EMPTY)

    def stage(self, tasks: list[dict[str, Any]], work: Work) -> None:
        """Run tasks on the workers, rewrite the files they touched, commit every table once."""
        results = self._run(tasks, work)
        drops = [result for result in results if result["kind"] == "drops"]
        results += self._run(rewrite_tasks(self.scope, drops, self._rows), rewrite)
        added: dict[str, list[Written]] = defaultdict(list)
        replaced: dict[str, set[str]] = defaultdict(set)
        for result in results:
            if result["kind"] == "file":
                added[result["table"]].append(Written(**{k: v for k, v in result.items() if k != "kind"}))
            elif result["kind"] == "replaced":
                replaced[result["table"]].add(result["path"])
            elif result["kind"] == "counts":
                self.counts[result["file"]] += result["counts"]
            elif result["kind"] == "moved":
                self.moved.update(result["hospcodes"])
        names = sorted(set(added) | set(replaced))
        self.held.check()
        committed = self.many(names, lambda name: self._commit(name, added[name], replaced[name]))
        self.versions.update(committed)

    def _run(self, tasks: list[dict[str, Any]], work: Work) -> list[dict[str, Any]]:
        return self.workers.run(numbered(tasks), work, sum(task["rows"] for task in tasks))

    def _rows(self, name: str) -> dict[str, int]:
        """File -> rows, of a table as it was before the batch."""
        return {part.path: part.rows for part in self.parts(name, self.before(name))}

    def _commit(self, name: str, added: list[Written], replaced: set[str]) -> int:
        """One commit: files in, files out, the batch as application id; a re-run finds it and does nothing."""
        before = self.parts(name, self.before(name))
        removed = [part for part in before if part.path in replaced]
        application = f"{self.scope.batch}/{name}"
        version, made = tables.commit(self.settings, name, application, added, removed, self.note)
        if not made:
            tables.discard(self.settings, name, added)
        elif version == self.before(name) + 1:
            kept = [part for part in before if part.path not in replaced]
            self.listed[name, version] = kept + [written.part() for written in added if written.rows]
        return version

    def after(self, name: str) -> int:
        """The version that holds this batch, whether or not it changed the table."""
        return self.versions.get(name, self.before(name))


def _files(curation: Curation, bronze: Mapping[str, int], file: str) -> Files:
    """Committed files of one table of bronze and silver."""
    table = contracts()[file].table
    name = f"silver.{table}"
    return Files(
        curation.parts(f"bronze.{table}", bronze.get(f"bronze.{table}")),
        curation.parts(name, curation.before(name)),
    )


def _people(curation: Curation) -> People:
    """Settle PERSON and its links; which patients are other persons now."""
    scope, bronze = curation.scope, curation.visible
    person = _files(curation, bronze, "PERSON")
    links = Files(person.bronze, curation.parts(LINK, curation.before(LINK)))
    unlinked = frozenset[str]()
    if LINK not in bronze:
        unlinked = hospcodes_of(curation.settings, "silver.person", [part.path for part in person.silver])
    curation.stage(people_tasks(scope, person, links, unlinked, ROWS_PER_TASK), people)
    after = curation.parts("silver.person", curation.after("silver.person"))
    return People(person.silver, after, frozenset(curation.moved))


def curate(curation: Curation) -> None:
    """PERSON first, since it decides person_key; then every other table at once; then the orphans."""
    scope, bronze = curation.scope, curation.visible
    curation.create()
    persons = _people(curation)
    nobody = People()
    others = [file for file in contracts() if file != "PERSON"]
    files = curation.many(others, lambda file: _files(curation, bronze, file))
    tasks: list[dict[str, Any]] = []
    for file in others:
        links = persons if any(column.name == "PID" for column in contracts()[file].current) else nobody
        tasks += settle_tasks(scope, file, files[file], links, ROWS_PER_TASK)
    curation.stage(tasks, settle)
    names = [f"silver.{contract.table}" for contract in contracts().values()]
    parts = curation.many(names, lambda name: curation.parts(name, curation.after(name)))
    by_table = {name.partition(".")[2]: found for name, found in parts.items()}
    orphans = curation.parts(ORPHAN, curation.before(ORPHAN))
    curation.stage(orphan_tasks(scope, by_table, orphans, ORPHAN_ROWS_PER_TASK), find_orphans)
