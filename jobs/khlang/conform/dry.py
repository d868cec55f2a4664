"""A zip -> the receipt that the lake would give, offline: throw-away keys, no registry, no network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import BinaryIO

import polars as pl

from khlang.conform.conform import Rules, conform
from khlang.conform.directory import Limits
from khlang.conform.faultlines import FaultLines
from khlang.conform.large import REPEATED, Large, conform_large
from khlang.conform.member import Member, MemberResult
from khlang.conform.parse import read_codes
from khlang.conform.people import TELLING, names_of
from khlang.conform.pseudonym import Pseudonymiser
from khlang.conform.unpack import Entry, Unpacked, Verdict, verify
from khlang.model.contract import contracts
from khlang.model.policy import policy
from khlang.model.receipt import MemberReceipt, Receipt

AT_ONCE = 32 << 20
"""Inflated bytes of members of one file that are conformed together."""


Say = Callable[[int], None]
"""Told the bytes of members whose rows were looked at."""


def first_look(source: BinaryIO, name: str, limits: Limits) -> tuple[Verdict, Receipt]:
    """What the zip and the headers tell, before any row: the receipt has no counts and no lines yet.

    Seconds for hundreds of megabytes: every byte is inflated and decoded, none is split into rows.
    """
    verdict = verify(source, name, limits)
    if verdict.code is not None or verdict.name is None:
        facility = verdict.name.hospcode if verdict.name else None
        return verdict, Receipt(name, facility, "rejected", verdict.code)
    with Unpacked(source, limits) as unpacked:
        every = tuple(_headed(unpacked, entry) for entry in verdict.entries)
    return verdict, Receipt(name, verdict.name.hospcode, "checked", None, every)


def _headed(unpacked: Unpacked, entry: Entry) -> MemberReceipt:
    """A member with the codes of its header and encoding."""
    if entry.file is None:
        return _unknown(entry)
    codes = read_codes(partial(unpacked.pieces, entry.position), contracts()[entry.file])
    return MemberReceipt(entry.name, entry.file, codes)


def check(
    source: BinaryIO, name: str, limits: Limits, say: Say = lambda _: None, verdict: Verdict | None = None
) -> Receipt:
    """The receipt of a zip: state checked or rejected, every member, every fault with line and column.

    Equal to the lake's except for codes that need the lake (exact rules, 17). Names of members are shown
    as they are: it is the clerk's own machine (exact rules, 12). `verdict` is what `first_look` gave, so that
    the zip is not verified twice.
    """
    verdict = verdict or verify(source, name, limits)
    if verdict.code is not None or verdict.name is None:
        facility = verdict.name.hospcode if verdict.name else None
        return Receipt(name, facility, "rejected", verdict.code)
    with Unpacked(source, limits) as unpacked:
        found = _members(unpacked, verdict, say)
    every = tuple(found.get(entry.position, _unknown(entry)) for entry in verdict.entries)
    return Receipt(name, verdict.name.hospcode, "checked", None, every)


def _members(unpacked: Unpacked, verdict: Verdict, say: Say) -> dict[int, MemberReceipt]:
    """Position -> what is told of each member that is a file of the standard."""
    by_file: dict[str, list[Entry]] = defaultdict(list)
    for entry in verdict.entries:
        if entry.file is not None:
            by_file[entry.file].append(entry)
    names = names_of(
        {file: [_member(unpacked, verdict, e) for e in by_file.get(file, ())] for file in TELLING}
    )
    keys, found = Pseudonymiser.throwaway(), {}
    for file, entries in by_file.items():
        rules = Rules(contracts()[file], policy("lake"), keys, names)
        for some in _parts(entries):
            members = [_member(unpacked, verdict, entry) for entry in some]
            for entry, told in zip(some, _told(members, rules), strict=True):
                found[entry.position] = MemberReceipt(entry.name, entry.file, *told)
                say(entry.bytes)
    return found


def _parts(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Members of one file that fit into memory together."""
    some: list[Entry] = []
    for entry in entries:
        if some and sum(each.bytes for each in some) + entry.bytes > AT_ONCE:
            yield some
            some = []
        some.append(entry)
    yield some


def _member(unpacked: Unpacked, verdict: Verdict, entry: Entry) -> Member:
    """A member as `conform` takes it; a large one is read from the zip."""
    if verdict.name is None:
        raise ValueError("a zip without a name is not read")
    return unpacked.member(
        entry.bytes, "check", entry.position, verdict.name.hospcode, verdict.name.sent_at, 1
    )


def _unknown(entry: Entry) -> MemberReceipt:
    """A member that is no file of the standard: its bytes count, no lines."""
    return MemberReceipt(entry.name, None, ("file.unknown",))


_Told = tuple[tuple[str, ...], int, int, int, FaultLines]


def _told(members: Sequence[Member], rules: Rules) -> list[_Told]:
    """Each member's codes, counts and faults."""
    small = [member for member in members if member.read is None]
    done = conform(small, rules)
    faults = _faults(done.rows)
    told = {
        result.position: _account(result, [faults.filter(pl.col("_member") == result.position)])
        for result in done.members
    }
    for member in members:
        if member.read is not None:
            told[member.position] = _of_large(member, rules)
    return [told[member.position] for member in members]


def _of_large(member: Member, rules: Rules) -> _Told:
    """The same of a member that is read piece by piece."""
    if member.read is None:
        raise ValueError("the member is not large")
    frames: list[pl.DataFrame] = []
    done: Large = conform_large(member, member.read, rules, lambda _, rows: frames.append(_faults(rows)))
    for lines in done.repeated.values():
        named = (pl.lit(None, pl.String).alias("column"), pl.lit(REPEATED).alias("code"))
        frames.append(pl.DataFrame({"_line": lines}).with_columns(*named))
    return _account(done.result, frames)


def _faults(rows: pl.DataFrame) -> pl.DataFrame:
    """Bronze rows -> a row per fault: member, line, column, code; the texts as categories, there may be many."""
    listed = rows.select("_member", "_line", "_faults").drop_nulls("_faults").explode("_faults")
    return listed.unnest("_faults").with_columns(pl.col("column", "code").cast(pl.Categorical))


def _account(result: MemberResult, faults: Sequence[pl.DataFrame]) -> _Told:
    """A member's part of the receipt."""
    return (result.codes, result.delivered, result.accepted, result.refused, FaultLines(faults))
