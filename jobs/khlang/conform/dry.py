"""A zip -> the receipt that the lake would give, offline: throw-away keys, no registry, no network."""

from __future__ import annotations

from collections import defaultdict
from typing import BinaryIO

from khlang.conform.conform import Conformed, Rules, conform
from khlang.conform.directory import Limits
from khlang.conform.member import Member
from khlang.conform.people import names_of
from khlang.conform.pseudonym import Pseudonymiser
from khlang.conform.unpack import Entry, Unpacked, Verdict, verify
from khlang.model.contract import contracts
from khlang.model.policy import policy
from khlang.model.receipt import LineFault, MemberReceipt, Receipt


def check(source: BinaryIO, name: str, limits: Limits) -> Receipt:
    """The receipt of a zip: state checked or rejected, every member, every fault with line and column.

    Equal to the lake's except for codes that need the lake (exact rules, 17). Names of members are shown
    as they are: it is the clerk's own machine (exact rules, 12).
    """
    verdict = verify(source, name, limits)
    if verdict.code is not None or verdict.name is None:
        facility = verdict.name.hospcode if verdict.name else None
        return Receipt(name, facility, "rejected", verdict.code)
    members = _members(source, verdict, limits)
    names = names_of(members)
    rules = policy("lake")
    found: dict[int, MemberReceipt] = {}
    shown = {entry.position: entry for entry in verdict.entries}
    for file, bodies in members.items():
        done = conform(bodies, Rules(contracts()[file], rules, Pseudonymiser.throwaway(), names))
        found |= _told(done, shown)
    every = tuple(found.get(entry.position, _unknown(entry)) for entry in verdict.entries)
    return Receipt(name, verdict.name.hospcode, "checked", None, every)


def _members(source: BinaryIO, verdict: Verdict, limits: Limits) -> dict[str, list[Member]]:
    """File of the standard -> its members with their bytes."""
    found: dict[str, list[Member]] = defaultdict(list)
    named = verdict.name
    if named is None:
        return found
    with Unpacked(source, limits) as unpacked:
        for entry in verdict.entries:
            if entry.file is not None:
                body = unpacked.body(entry.position)
                found[entry.file].append(
                    Member("check", entry.position, named.hospcode, named.sent_at, 1, body)
                )
    return found


def _unknown(entry: Entry) -> MemberReceipt:
    """A member that is no file of the standard: its bytes count, no lines."""
    return MemberReceipt(entry.name, None, ("file.unknown",))


def _told(done: Conformed, shown: dict[int, Entry]) -> dict[int, MemberReceipt]:
    """Conform's results -> position -> the member's part of the receipt."""
    rows = done.rows.select("_member", "_line", "_faults").drop_nulls("_faults")
    faults: dict[int, list[LineFault]] = defaultdict(list)
    for row in rows.explode("_faults").unnest("_faults").to_dicts():
        faults[row["_member"]].append(LineFault(row["_line"], row["column"], row["code"]))
    return {
        result.position: MemberReceipt(
            shown[result.position].name,
            shown[result.position].file,
            result.codes,
            result.delivered,
            result.accepted,
            result.refused,
            tuple(faults[result.position]),
        )
        for result in done.members
    }
