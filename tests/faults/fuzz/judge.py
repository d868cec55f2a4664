"""One case -> its outcome: refused by which code, or read; raises Wrong when something does not hold that must."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import polars as pl

from khlang.conform.conform import Conformed, Rules, bronze_schema, conform
from khlang.conform.dry import check
from khlang.conform.large import conform_large, marked
from khlang.conform.member import Member
from khlang.conform.pseudonym import Pseudonymiser
from khlang.conform.text.names import Names
from khlang.conform.unpack import Unpacked, Verdict, verify
from khlang.model.contract import contracts
from khlang.model.policy import policy
from khlang.model.receipt import Receipt

from .honest import LIMITS
from .members import FACILITY, MemberCase
from .zip_mutants import ZipCase

NAMED = re.compile(r"F43_[0-9]{5}_[0-9]{14}\.zip", re.ASCII)
SENT = datetime(2026, 11, 1, 8, 30)
KEYS = Pseudonymiser.derived(bytes(range(32)), "lake", 1)
NAMES = Names.merge([])
WIDE = frozenset(["drugallergy", "didstd", "tablename", "providertype"])
"""Open codes wide enough for an id, which the policy keeps as sent: a shifted row may put one there."""

_seen: set[tuple[str, ...]] = set()


class Wrong(Exception):
    """What must hold does not; the words hold no value of the case."""


def held(holds: bool, words: str) -> None:
    """Raise Wrong unless it holds."""
    if not holds:
        raise Wrong(words)


def judge_zip(case: ZipCase) -> str:
    """The code, or `loaded`."""
    verdict = verify(io.BytesIO(case.body), case.name, LIMITS)
    held(verdict == verify(io.BytesIO(case.body), case.name, LIMITS), "two looks, two verdicts")
    held((verdict.code or "") in case.codes or not case.codes, "another verdict than the trick's")
    held((verdict.name is None) == (verdict.code == "zip.name"), "a name that is none, or none that is one")
    held(verdict.name is None or bool(NAMED.fullmatch(case.name)), "a wrong name was read")
    receipt = check(io.BytesIO(case.body), case.name, LIMITS) if _is_new(verdict) else None
    if verdict.code is not None:
        held(not verdict.entries and verdict.content is None, "a refused zip has members")
        return verdict.code
    held(
        not case.contents or verdict.content in case.contents,
        "a broken zip was accepted with another content",
    )
    _read_again(case, verdict)
    if receipt is not None:
        _balanced(receipt, verdict)
        held(receipt == check(io.BytesIO(case.body), case.name, LIMITS), "two checks, two receipts")
    return "loaded"


def _is_new(verdict: Verdict) -> bool:
    """Whether no zip with these members was checked yet: the receipt says nothing else."""
    kind = (verdict.code or "", verdict.content or "", *(entry.name for entry in verdict.entries))
    if len(_seen) > 5000:
        _seen.clear()
    new = kind not in _seen
    _seen.add(kind)
    return new


def _read_again(case: ZipCase, verdict: Verdict) -> None:
    """Members are read as they were verified."""
    with Unpacked(io.BytesIO(case.body), LIMITS) as unpacked:
        for entry in verdict.entries:
            found = hashlib.sha256(unpacked.body(entry.position)).hexdigest()
            held(found == entry.sha256, "a member is read otherwise than it was verified")


def _balanced(receipt: Receipt, verdict: Verdict) -> None:
    held((receipt.state, receipt.code) == ("checked", None), "check and verify differ")
    held(len(receipt.members) == len(verdict.entries), "a member has no account")
    for member in receipt.members:
        if member.table is not None:
            held(member.delivered == (member.accepted or 0) + (member.refused or 0), "lines do not balance")


def _rules(case: MemberCase) -> Rules:
    return Rules(contracts()[case.file], policy("lake"), KEYS, NAMES)


def _member(body: bytes) -> Member:
    return Member("R1", 1, FACILITY, SENT, 1, body)


def judge_member(case: MemberCase) -> str:
    """The member's first code, or `loaded` when a row of it is accepted, or `refused`, or `no rows`."""
    rules = _rules(case)
    done = conform([_member(case.body)], rules)
    _sound(done, case, rules)
    again = conform([_member(case.body)], rules)
    held(again.rows.equals(done.rows) and again.members == done.members, "read twice, two outcomes")
    _in_pieces(case, done, rules)
    result = done.members[0]
    if "file.header" in result.codes or "file.empty" in result.codes:
        return next(code for code in result.codes if code in ("file.header", "file.empty"))
    return "loaded" if result.accepted else "row refused" if result.refused else "no rows"


def _sound(done: Conformed, case: MemberCase, rules: Rules) -> None:
    """Schema, balance, places and secrets."""
    (result,), rows = done.members, done.rows
    held(dict(rows.schema) == bronze_schema(rules.contract), "another schema than bronze's")
    held(result.delivered == result.accepted + result.refused, "lines do not balance")
    held(rows.height == (0 if "file.header" in result.codes else result.delivered), "a line has no row")
    held(rows["_line"].n_unique() == rows.height, "two rows stand on one line")
    held(int(rows["_accepted"].sum()) == result.accepted, "another number of rows is accepted")
    text = rows.select(pl.exclude("_key", *(WIDE & set(rows.columns)))).write_json() + repr(result)
    leaked = [secret for secret in case.canaries if secret in text]
    held(not leaked, f"{len(leaked)} identifiers stand in the rows of {case.file}")


def _in_pieces(case: MemberCase, done: Conformed, rules: Rules) -> None:
    """Read in small pieces it is the same member."""

    def _chunks() -> Iterator[bytes]:
        return (case.body[at : at + case.chunk] for at in range(0, len(case.body), case.chunk))

    taken: list[pl.DataFrame] = []
    large = conform_large(_member(b""), _chunks, rules, lambda _, rows: taken.append(rows), case.most)
    for piece, lines in large.repeated.items():
        taken[piece] = marked(taken[piece], lines)
    together = pl.concat([done.rows.clear(), *taken]).sort("_line")
    held(together.equals(done.rows.sort("_line")), "read in pieces, other rows")
    held(large.result == replace(done.members[0]), "read in pieces, another account")
