"""One member of one delivery as bytes, and what conform says about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Member:
    """A text file out of a zip, with the place it came from.

    `position` counts the zip's members from 1; `hospcode` is the delivering facility (5 digits);
    `sent_at` is the time in the zip's name (Bangkok wall clock, no zone); `arrival` the ledger's order.
    A large member has no body: `read` gives its bytes in chunks, from the beginning whenever it is called.
    """

    receipt: str
    position: int
    hospcode: str
    sent_at: datetime
    arrival: int
    body: bytes
    pass_number: int = 1
    read: Callable[[], Iterator[bytes]] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class MemberResult:
    """What became of a member: its file codes, its lines, its faults by (code, column).

    `holds_erased`: rows of an erased person, or values that name one, were left out; `found`: pseudonyms (kind,
    pseudonym) of such a person that nobody knew before.
    """

    receipt: str
    position: int
    codes: tuple[str, ...] = ()
    delivered: int = 0
    accepted: int = 0
    refused: int = 0
    repeated: int = 0
    faults: dict[tuple[str, str | None], int] = field(default_factory=dict)
    unknown_columns: tuple[int, ...] = ()
    holds_erased: bool = False
    found: tuple[tuple[str, str], ...] = ()
