"""Members drawn inline for tests of conform: a header, lines, and what conform says of them."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from khlang.conform.conform import Conformed, Rules, conform
from khlang.conform.member import Member
from khlang.conform.pseudonym import Pseudonymiser
from khlang.conform.text.names import Names
from khlang.model.contract import contracts
from khlang.model.policy import policy

SENT = datetime(2026, 9, 2, 10)
FACILITY = "10001"
KEYS = Pseudonymiser.derived(bytes(range(32)), "lake", 1)


def member(body: bytes | str, receipt: str = "R1", position: int = 1, hospcode: str = FACILITY) -> Member:
    """A member of a delivery of facility 10001."""
    return Member(receipt, position, hospcode, SENT, 1, body.encode() if isinstance(body, str) else body)


def conformed(file: str, *members: Member, names: Names | None = None) -> Conformed:
    """What conform makes of members of one file."""
    return conform(members, Rules(contracts()[file], policy("lake"), KEYS, names or Names.merge([])))


def chronic(*lines: str, header: str = "HOSPCODE|PID|DATE_DIAG|CHRONIC|TYPEDISCH|D_UPDATE") -> bytes:
    """A CHRONIC member: short, with a key of a date and a code."""
    return ("\r\n".join([header, *lines]) + "\r\n").encode()


def faults(done: Conformed) -> list[tuple[int, str | None, str]]:
    """(line, column, code) of every fault, in order."""
    rows = done.rows.select("_line", "_faults").drop_nulls("_faults").explode("_faults").unnest("_faults")
    return sorted(rows.iter_rows(), key=str)


def values(done: Conformed, column: str) -> list[object]:
    """A column in order of line."""
    return done.rows.sort("_line")[column].to_list()


def frame(**columns: list[object]) -> pl.DataFrame:
    """A small frame."""
    return pl.DataFrame(columns)
