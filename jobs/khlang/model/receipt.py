"""A receipt: what became of a zip, its members and their lines; the same form for check and lake."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

AT_ONCE = 1000
"""Faults that are written at once: a large file may have millions."""


@dataclass(frozen=True, slots=True, order=True)
class LineFault:
    """A fault at a line (from 1, header included); `column` is None where the code names none."""

    line: int
    column: str | None
    code: str


@dataclass(frozen=True, slots=True)
class MemberReceipt:
    """One file of the zip. `table` is the file of the standard, None when it is not of it.

    The counts are None while nobody has read its lines. `faults` stand in the order of line, column, code.
    """

    member: str
    table: str | None
    codes: tuple[str, ...] = ()
    delivered: int | None = None
    accepted: int | None = None
    refused: int | None = None
    faults: Sequence[LineFault] = ()

    def __post_init__(self) -> None:
        """Put a tuple of faults into order; any other sequence stands in order already."""
        if isinstance(self.faults, tuple):
            object.__setattr__(self, "faults", in_order(self.faults))


@dataclass(frozen=True, slots=True)
class Receipt:
    """One zip: `state` as in the ledger, `code` the one delivery code that refuses it."""

    zip: str
    facility: str | None
    state: str
    code: str | None
    members: tuple[MemberReceipt, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The form that machines rely on; faults by line, column and code."""
        members = [{**_head(member), "faults": list(map(_fault, member.faults))} for member in self.members]
        return {**self._head(), "members": members}

    def json_text(self) -> Iterator[str]:
        """The same as text, in pieces: never all faults at once."""
        yield _text(self._head())[:-1] + ', "members": ['
        for number, member in enumerate(self.members):
            yield (", " if number else "") + _text(_head(member))[:-1] + ', "faults": ['
            faults, comma = iter(member.faults), ""
            while some := list(islice(faults, AT_ONCE)):
                yield comma + ", ".join(_text(_fault(fault)) for fault in some)
                comma = ", "
            yield "]}"
        yield "]}"

    def _head(self) -> dict[str, Any]:
        return {"zip": self.zip, "facility": self.facility, "state": self.state, "code": self.code}


def in_order(faults: Iterable[LineFault]) -> tuple[LineFault, ...]:
    """Faults by line, column and code, as a receipt lists them."""
    return tuple(sorted(faults, key=lambda fault: (fault.line, fault.column or "", fault.code)))


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)


def _head(member: MemberReceipt) -> dict[str, Any]:
    return {
        "member": member.member,
        "table": member.table,
        "codes": list(member.codes),
        "delivered": member.delivered,
        "accepted": member.accepted,
        "refused": member.refused,
    }


def _fault(fault: LineFault) -> dict[str, Any]:
    return {"line": fault.line, "column": fault.column, "code": fault.code}
