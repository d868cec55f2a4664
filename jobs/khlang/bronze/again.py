"""Withheld texts whose patient became known -> the same rows once more with their text, as the next pass.

A text of a patient whose PERSON row nobody told is withheld (conform, `note.withheld`). The batch that brings
PERSON members of a facility also reads again, from landing and with the name book as it is by then, every
member that an earlier batch loaded of that facility and whose withheld texts the ledger counts. Only rows of
which a text is released are added, beside the first ones, with `_pass` one higher; they count no line. The
ledger takes the members' faults over in the transaction that makes the batch visible. What is still withheld
waits for the next PERSON members.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any

import polars as pl

from khlang.bronze.plan import Source, bundles, task
from khlang.bronze.standing import LINE, Scope, fault_counts, of_table, standing
from khlang.bronze.work import members_of, rules_for, write_rows
from khlang.conform.conform import conform
from khlang.conform.large import REPEATED, conform_large, marked
from khlang.conform.member import Member
from khlang.lake import tables
from khlang.lake.ledger import Batch, DeliveredMember, Ledger, Reread, Withheld
from khlang.lake.ledger.withheld import CODE
from khlang.lake.passes import again_path, is_again
from khlang.lake.tables import Part
from khlang.model.contract import contracts
from khlang.settings import Settings, load


def waiting(ledger: Ledger, batch: Batch) -> tuple[Withheld, ...]:
    """Loaded members with withheld texts, of the facilities whose PERSON members the batch brings."""
    hospcode = {delivery.receipt: delivery.hospcode for delivery in batch.deliveries}
    return ledger.withheld(told_facilities(ledger.members(hospcode, "PERSON"), hospcode))


def told_facilities(members: Iterable[DeliveredMember], hospcode: Mapping[str, str | None]) -> set[str]:
    """Facilities of which a PERSON member is among the members; receipt -> facility."""
    told = {hospcode[member.receipt] for member in members if member.file == "PERSON"}
    return {code for code in told if code}


def again_tasks(
    settings: Settings, ledger: Ledger, batch: Batch, attempt: str, found: Sequence[Withheld]
) -> list[dict[str, Any]]:
    """The work: bundles of one facility's members, with the files in which their rows lie now."""
    visible = ledger.visible()
    names = sorted({f"bronze.{member.file.lower()}" for member in found})
    parts = {name: tables.parts(tables.open_table(settings, name, visible[name])) for name in names}
    tasks: list[dict[str, Any]] = []
    for hospcode, mine in groupby(sorted(found, key=lambda m: m.hospcode), lambda m: m.hospcode):
        members = {(member.receipt, member.position): member for member in mine}
        for bundle in bundles(map(_source, members.values()), settings.bundle_bytes, 1):
            batches = {members[source.receipt, source.position].batch for source in bundle}
            paths = _paths(parts, bundle, Scope(batches, [hospcode]))
            told = task(batch.id, attempt, len(tasks), bundle)
            tasks.append({**told, "hospcode": hospcode, "paths": paths})
    return tasks


def _source(member: Withheld) -> Source:
    """Where a member is read from."""
    at = member.sent_at.isoformat()
    place = (member.receipt, member.position, member.file, member.hospcode, at, member.arrival)
    return Source(*place, member.bytes, member.place)


def _paths(parts: Mapping[str, list[Part]], bundle: Iterable[Source], scope: Scope) -> dict[str, list[str]]:
    """Table -> its files that may hold rows of the bundle."""
    names = sorted({f"bronze.{source.file.lower()}" for source in bundle})
    return {name: scope.paths(parts[name]) for name in names}


def _held(faults: str) -> pl.Expr:
    """The columns whose text is withheld, as a sorted list, of a column of faults."""
    is_held = pl.element().struct.field("code") == CODE
    named = pl.element().filter(is_held).struct.field("column")
    return pl.col(faults).fill_null([]).list.eval(named).list.sort()


def _repeated(faults: str) -> pl.Expr:
    """Whether a row is named as repeated."""
    codes = pl.col(faults).fill_null([]).list.eval(pl.element().struct.field("code"))
    return codes.list.contains(REPEATED)


def released(again: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """Rows read again of which a text that the last pass withheld is not withheld any more, as the next pass.

    A row of which another text would be lost, or whose key is not the stored one, stays as it is.
    """
    last = stored.select(
        *LINE, "_key", pl.col("_pass").alias("_last"), pl.col("_sent_at").alias("_was_at"),
        _held("_faults").alias("_was"), _repeated("_faults").alias("_was_repeated"),
    )  # fmt: skip
    both = again.join(last, on=[*LINE, "_key"], how="inner", maintain_order="left")
    both = both.with_columns(_held("_faults").alias("_now"))
    fewer = pl.col("_now").list.len() < pl.col("_was").list.len()
    none_lost = pl.col("_now").list.set_difference("_was").list.len() == 0
    freed = both.filter(fewer & none_lost)
    moved = (pl.col("_last") + 1).cast(pl.Int32).alias("_pass")
    # A piece of a large member does not see that a later piece replaces its row; the first pass saw it.
    lines = freed.filter(pl.col("_was_repeated") & ~pl.col("_repeated"))["_line"].to_numpy()
    freed = freed.with_columns(moved, pl.col("_was_at").alias("_sent_at")).select(again.columns)
    return marked(freed, lines) if len(lines) else freed


def conform_again(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Read a facility's members again; yields one result per file written, nothing where nothing is released."""
    settings, hospcode = load(), task["hospcode"]
    receipts = {member[0] for member in task["members"]}
    rules = rules_for(settings, [hospcode])
    small: dict[str, list[Member]] = defaultdict(list)
    freed: list[tuple[str, pl.DataFrame]] = []

    def _free(file: str, _: int, rows: pl.DataFrame) -> None:
        name = f"bronze.{file.lower()}"
        if not rows.height:
            return
        lines = int(rows["_line"].min()), int(rows["_line"].max())  # type: ignore[arg-type]
        rows = released(rows, standing(settings, name, task["paths"][name], receipts, lines))
        if rows.height:
            freed.append((file, rows))

    for file, member in members_of(settings, task["members"]):
        if member.read is None:
            small[file].append(member)
        else:
            conform_large(member, member.read, rules(contracts()[file]), partial(_free, file))
    for file, members in small.items():
        _free(file, 0, conform(members, rules(contracts()[file])).rows)
    for file in {file: None for file, _ in freed}:
        rows = pl.concat(part for of, part in freed if of == file)
        path = again_path(task["batch"], task["attempt"], task["number"], hospcode)
        yield write_rows(settings, contracts()[file], task["batch"], path, rows)


def reread(
    settings: Settings, batch: str, versions: Mapping[str, int], found: Iterable[Withheld]
) -> tuple[list[Reread], dict[str, int]]:
    """The members' faults after the batch, and rows added per table: read from what the commits hold.

    Not from what workers of this attempt say: an earlier attempt may have made the commit with other rows.
    """
    faults: list[Reread] = []
    rows: dict[str, int] = {}
    by_table: dict[str, list[Withheld]] = defaultdict(list)
    for member in found:
        by_table[f"bronze.{member.file.lower()}"].append(member)
    for name, members in by_table.items():
        parts = tables.parts(tables.open_table(settings, name, versions[name]))
        added = [part for part in parts if is_again(part.path) and part.path.startswith(f"{batch}/")]
        told = {part.low for part in added}
        mine = [member for member in members if member.hospcode in told]
        if not mine:
            continue
        rows[name] = sum(part.rows for part in added)
        scope = Scope({member.batch for member in mine}, {member.hospcode for member in mine})
        receipts = {member.receipt for member in mine}
        counts = fault_counts(of_table(settings, name, versions[name], scope, receipts))
        faults += [Reread(m.receipt, m.position, counts.get((m.receipt, m.position), {})) for m in mine]
    return faults, rows
