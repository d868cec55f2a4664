"""A receipt: what became of a zip, its members and their lines; the same form for check and lake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, order=True)
class LineFault:
    """A fault at a line (from 1, header included); `column` is None where the code names none."""

    line: int
    column: str | None
    code: str


@dataclass(frozen=True, slots=True)
class MemberReceipt:
    """One file of the zip. `table` is the file of the standard, None when it is not of it.

    The counts are None while nobody has read its lines.
    """

    member: str
    table: str | None
    codes: tuple[str, ...] = ()
    delivered: int | None = None
    accepted: int | None = None
    refused: int | None = None
    faults: tuple[LineFault, ...] = ()


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
        return {
            "zip": self.zip,
            "facility": self.facility,
            "state": self.state,
            "code": self.code,
            "members": [_member(member) for member in self.members],
        }


def _member(member: MemberReceipt) -> dict[str, Any]:
    ordered = sorted(member.faults, key=lambda fault: (fault.line, fault.column or "", fault.code))
    return {
        "member": member.member,
        "table": member.table,
        "codes": list(member.codes),
        "delivered": member.delivered,
        "accepted": member.accepted,
        "refused": member.refused,
        "faults": [{"line": fault.line, "column": fault.column, "code": fault.code} for fault in ordered],
    }
