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
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import polars as pl

from khlang.bronze.plan import Source, bundles, task
from khlang.bronze.standing import LINE, Scope, fault_counts, outcomes, standing
from khlang.bronze.work import members_of, rules_for, write_rows
from khlang.conform.conform import Rules, conform
from khlang.conform.large import REPEATED, conform_large, marked
from khlang.conform.member import Member, MemberResult
from khlang.conform.stream import Read
from khlang.lake import tables
from khlang.lake.ledger import Batch, DeliveredMember, Ledger, Recount, Reread, Withheld
from khlang.lake.ledger.withheld import CODE
from khlang.lake.passes import FIRST, again_path, is_again
from khlang.lake.tables import Part
from khlang.model.contract import contracts
from khlang.settings import Settings, load


def waiting(ledger: Ledger, batch: Batch) -> tuple[Withheld, ...]:
    """Members that the batch reads again: whole where somebody asked; else those with withheld texts of the
    facilities whose PERSON members it brings."""
    hospcode = {delivery.receipt: delivery.hospcode for delivery in batch.deliveries}
    held = ledger.withheld(told_facilities(ledger.members(hospcode, "PERSON"), hospcode))
    asked = ledger.members_again([change.receipt for change in batch.changes])
    known = {(member.receipt, member.position) for member in asked}
    return (*asked, *(member for member in held if (member.receipt, member.position) not in known))


def told_facilities(members: Iterable[DeliveredMember], hospcode: Mapping[str, str | None]) -> set[str]:
    """Facilities of which a PERSON member is among the members; receipt -> facility."""
    told = {hospcode[member.receipt] for member in members if member.file == "PERSON"}
    return {code for code in told if code}


def again_tasks(
    settings: Settings, ledger: Ledger, batch: Batch, attempt: str, found: Sequence[Withheld]
) -> list[dict[str, Any]]:
    """The work: bundles of one facility's members, with the files in which their rows lie now."""
    visible, key_version = ledger.visible(), ledger.key_in_force()
    names = sorted({f"bronze.{member.file.lower()}" for member in found})
    parts = {name: tables.parts(tables.open_table(settings, name, visible[name])) for name in names}
    tasks: list[dict[str, Any]] = []
    for hospcode, mine in groupby(sorted(found, key=lambda m: m.hospcode), lambda m: m.hospcode):
        members = {(member.receipt, member.position): member for member in mine}
        for bundle in bundles(map(_source, members.values()), settings.bundle_bytes, 1):
            batches = {members[source.receipt, source.position].batch for source in bundle}
            paths = _paths(parts, bundle, Scope(batches, [hospcode]))
            told = task(batch.id, attempt, len(tasks), bundle, key_version)
            whole = [place for place, member in members.items() if member.whole]
            tasks.append({**told, "hospcode": hospcode, "paths": paths, "whole": whole})
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


def differing(again: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """Rows read again of which anything came out otherwise than stored, as the next pass.

    A member of which stored lines are not found again (its file can not be read by now) stays as it is.
    """
    gone = stored.join(again, on=LINE, how="anti").select("_receipt", "_member").unique()
    kept = again.join(gone, on=["_receipt", "_member"], how="anti", maintain_order="left")
    last = stored.select(
        *LINE, pl.col("_pass").alias("_last"), pl.col("_sent_at").alias("_was_at"),
        *(pl.col(name).alias(f"_was{name}") for name in _OUTCOME), _named("_faults").alias("_was_faults"),
    )  # fmt: skip
    both = kept.join(last, on=LINE, how="left", maintain_order="left")
    other = [pl.col(name).ne_missing(pl.col(f"_was{name}")) for name in _OUTCOME]
    other.append(_named("_faults").ne_missing(pl.col("_was_faults")))
    changed = both.filter(pl.any_horizontal(other) | pl.col("_last").is_null())
    moved = (pl.col("_last").fill_null(FIRST) + 1).cast(pl.Int32).alias("_pass")
    sent_at = pl.coalesce("_was_at", "_sent_at").alias("_sent_at")
    return changed.with_columns(moved, sent_at).select(again.columns)


_OUTCOME = ("_key", "_row", "_accepted", "_repeated")


def _named(faults: str) -> pl.Expr:
    """Faults of a row as one text, in order."""
    said = pl.concat_str(
        pl.element().struct.field("column").fill_null(""), pl.element().struct.field("code"), separator=" "
    )
    return pl.col(faults).fill_null([]).list.eval(said).list.sort().list.join("|")


@dataclass(frozen=True, slots=True)
class _Reader:
    """One task at work: what it reads again and what of it must be written."""

    settings: Settings
    task: dict[str, Any]
    freed: list[tuple[str, pl.DataFrame]] = field(default_factory=list)

    def free(self, file: str, is_whole: bool, rows: pl.DataFrame) -> None:
        """Keep what came out otherwise; of what was only withheld, the texts that are released."""
        if not rows.height:
            return
        name = f"bronze.{file.lower()}"
        lines = int(rows["_line"].min()), int(rows["_line"].max())  # type: ignore[arg-type]
        place = (self.settings, name, self.task["paths"][name], rows["_receipt"].unique().to_list(), lines)
        mine = rows.select("_receipt", "_member").unique()
        stored = (outcomes if is_whole else standing)(*place).join(
            mine, on=["_receipt", "_member"], how="semi"
        )
        found = (differing if is_whole else released)(rows, stored)
        if found.height:
            self.freed.append((file, found))

    def large(self, member: Member, read: Read, rules: Rules, is_whole: bool) -> MemberResult:
        """A member piece by piece; where all of it counts, a first reading tells which rows are repeated."""
        file, repeated = rules.contract.file, {}
        if is_whole:
            repeated = conform_large(member, read, rules, lambda *_: None).repeated

        def _take(number: int, rows: pl.DataFrame) -> None:
            self.free(file, is_whole, marked(rows, repeated[number]) if number in repeated else rows)

        return conform_large(member, read, rules, _take).result


def conform_again(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Read a facility's members again; yields what was written, and the codes of members read whole."""
    settings, hospcode = load(), task["hospcode"]
    rules, reader = rules_for(settings, [hospcode], task["key_version"]), _Reader(settings, task)
    whole = {tuple(place) for place in task["whole"]}
    small: dict[tuple[str, bool], list[Member]] = defaultdict(list)
    results: list[MemberResult] = []
    for file, member in members_of(settings, task["members"]):
        is_whole = (member.receipt, member.position) in whole
        if member.read is None:
            small[file, is_whole].append(member)
        else:
            results.append(reader.large(member, member.read, rules(contracts()[file]), is_whole))
    for (file, is_whole), members in small.items():
        done = conform(members, rules(contracts()[file]))
        results += done.members
        reader.free(file, is_whole, done.rows)
    for result in results:
        if (result.receipt, result.position) in whole and result.delivered:
            yield {
                "kind": "codes",
                "receipt": result.receipt,
                "position": result.position,
                "codes": list(result.codes),
            }
    for file in dict.fromkeys(file for file, _ in reader.freed):
        rows = pl.concat(part for of, part in reader.freed if of == file)
        path = again_path(task["batch"], task["attempt"], task["number"], hospcode)
        yield write_rows(settings, contracts()[file], task["batch"], path, rows)


def reread(
    settings: Settings,
    batch: str,
    versions: Mapping[str, int],
    found: Iterable[Withheld],
    codes: Mapping[tuple[str, int], tuple[str, ...]],
) -> tuple[list[Reread], dict[str, int]]:
    """What the members came to after the batch, and rows added per table: read from what the commits hold.

    Not from what workers of this attempt say: an earlier attempt may have made the commit with other rows.
    """
    told: list[Reread] = []
    rows: dict[str, int] = {}
    by_table: dict[str, list[Withheld]] = defaultdict(list)
    for member in found:
        by_table[f"bronze.{member.file.lower()}"].append(member)
    for name, members in by_table.items():
        parts = tables.parts(tables.open_table(settings, name, versions[name]))
        added = [part for part in parts if is_again(part.path) and part.path.startswith(f"{batch}/")]
        of = {part.low for part in added}
        mine = [member for member in members if member.hospcode in of]
        if not mine:
            continue
        rows[name] = sum(part.rows for part in added)
        scope = Scope({member.batch for member in mine}, {member.hospcode for member in mine})
        receipts = {member.receipt for member in mine}
        place = (settings, name, scope.paths(parts), receipts)
        counts = fault_counts(standing(*place))
        recounts = _recounts(outcomes(*place), codes) if any(m.whole for m in mine) else {}
        for m in mine:
            at = (m.receipt, m.position)
            told.append(Reread(*at, counts.get(at, {}), recounts.get(at) if m.whole else None))
    return told, rows


def _recounts(
    lines: pl.DataFrame, codes: Mapping[tuple[str, int], tuple[str, ...]]
) -> dict[tuple[str, int], Recount]:
    """(receipt, position) -> its lines counted anew, of members that could be read."""
    sums = lines.group_by("_receipt", "_member").agg(
        pl.len(),
        pl.col("_accepted").sum(),
        (~pl.col("_accepted")).sum().alias("refused"),
        pl.col("_repeated").sum(),
    )
    found = {}
    for receipt, position, *counts in sums.iter_rows():
        if (receipt, position) in codes:
            found[receipt, position] = Recount(codes[receipt, position], *counts)
    return found
