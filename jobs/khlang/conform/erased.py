"""Erased persons (right to erasure, PDPA section 33): which rows are theirs, which single values name them.

Only pseudonyms are known here. A row is a person's when its own PID is one of an erased patient, when its own CID
is the person's, or, in a file without PID, when it belongs to one of the person's referrals.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from khlang.conform.context import Context
from khlang.conform.deidentify import action
from khlang.conform.parse import Parsed
from khlang.model.contract import Column, Contract

CODE = "row.erased"
"""The fault of a row of which only the place is left."""

PID, CID, REFERRAL = "PID", "CID", "referral"


@dataclass(frozen=True, slots=True)
class Tombstones:
    """Pseudonyms of the erased: persons, their patients at facilities, their referrals.

    `spared`: patients that once carried an erased person's CID by mistake and are somebody else: only the
    CID is taken out of their rows.
    """

    persons: frozenset[str] = frozenset()
    patients: frozenset[str] = frozenset()
    referrals: frozenset[str] = frozenset()
    spared: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Whether anybody was erased."""
        return any(getattr(self, part.name) for part in fields(self))

    def of_domain(self, domain: str | None) -> frozenset[str]:
        """What must not stand in a column of that key domain."""
        return {"person": self.persons, "patient": self.patients, REFERRAL: self.referrals}.get(
            domain or "", frozenset()
        )


NOBODY = Tombstones()


@dataclass(frozen=True, slots=True)
class Gone:
    """Rows that are an erased person's; `found`: (kind, pseudonym) that only these rows tell of."""

    rows: NDArray[np.bool_]
    found: tuple[tuple[str, str], ...]


def has_pid(contract: Contract) -> bool:
    """Whether rows of the file belong to a patient of the facility."""
    return any(column.name == PID for column in contract.current)


def naming(contract: Contract) -> list[Column]:
    """Columns in which a person may be named although the row is another one's."""
    return [c for c in contract.current if c.domain in ("person", "patient", REFERRAL) and c.name != PID]


def _keyed(contract: Contract, name: str, context: Context) -> pl.Series:
    """The pseudonyms of a column, before anything is taken out of it; nulls where the file has none."""
    column = next((c for c in contract.current if c.name == name), None)
    if column is None:
        return pl.Series(name, [None], dtype=pl.String).new_from_index(0, context.frame.height)
    return action("pseudonym")(column, context.frame[name], context)


def _among(values: pl.Series, known: frozenset[str]) -> NDArray[np.bool_]:
    """Which values are known; null is not."""
    listed = pl.Series(sorted(known), dtype=pl.String)
    return values.is_in(listed.implode()).fill_null(False).to_numpy()


def gone(contract: Contract, context: Context, tombstones: Tombstones) -> Gone | None:
    """The rows that are an erased person's; None when there is none."""
    if not has_pid(contract):
        marks = np.zeros(context.frame.height, np.bool_)
        for column in contract.current:
            if column.domain == REFERRAL:
                marks |= _among(_keyed(contract, column.name, context), tombstones.referrals)
        return Gone(marks, ()) if marks.any() else None
    pid, cid = _keyed(contract, PID, context), _keyed(contract, CID, context)
    by_cid = _among(cid, tombstones.persons) & ~_among(pid, tombstones.spared)
    marks = _among(pid, tombstones.patients) | by_cid
    if not marks.any():
        return None
    told = (
        {("patient", one) for one in pid.filter(by_cid).drop_nulls()} if contract.file == "PERSON" else set()
    )
    told -= {("patient", one) for one in tombstones.patients}
    for column in contract.current:
        if column.domain == REFERRAL:
            mine = _keyed(contract, column.name, context).filter(marks).drop_nulls()
            told |= {(REFERRAL, one) for one in mine if one not in tombstones.referrals}
    return Gone(marks, tuple(sorted(told)))


def without(parsed: Parsed, rows: NDArray[np.bool_]) -> Parsed:
    """The same rows but those; of each of them the place is left, as of a row that can not be read."""
    places = zip(parsed.sheet[rows].tolist(), parsed.line[rows].tolist(), strict=True)
    left = tuple((sheet, line, CODE) for sheet, line in places)
    return replace(
        parsed,
        frame=parsed.frame.filter(pl.Series(~rows)),
        sheet=parsed.sheet[~rows],
        line=parsed.line[~rows],
        broken=(*parsed.broken, *left),
    )


def blank(contract: Contract, clean: dict[str, pl.Series], tombstones: Tombstones) -> NDArray[np.bool_]:
    """Take erased persons out of other persons' rows, in place; says which rows held one."""
    held = np.zeros(len(next(iter(clean.values()))), np.bool_)
    for column in naming(contract):
        known = tombstones.of_domain(column.domain)
        hits = _among(clean[column.name], known) if known else None
        if hits is not None and hits.any():
            held |= hits
            clean[column.name] = clean[column.name].set(pl.Series(hits), None)
    return held
