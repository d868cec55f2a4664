"""Rows of silver + an audience's policy and key -> rows that may leave the lake."""

from __future__ import annotations

from datetime import date

import polars as pl

from khlang.conform.context import Context
from khlang.conform.deidentify import action
from khlang.conform.faultlog import FaultLog
from khlang.conform.pseudonym import LETTERS, Pseudonymiser
from khlang.conform.text.names import Names
from khlang.errors import PrivacyError
from khlang.model.contract import Contract
from khlang.model.policy import LAKE, Policy

PERSON_KEY = "person_key"
OF_THE_LAKE = r"^[a-z][0-9]+\.[A-Za-z0-9_-]{22}$"
"""The form of a pseudonym; a raw id has another one."""
_PERSON_DOMAINS = ("person", "patient")


def release(
    contract: Contract,
    rows: pl.DataFrame,
    policy: Policy,
    keys: Pseudonymiser,
    as_of: date,
    purpose: str = "",
) -> pl.DataFrame:
    """What of these rows of the file's silver table may leave: the contract's columns, and `person_key`.

    A pseudonym is the audience's keyed hash of the lake's pseudonym, never of a raw id; `person_key` is the
    person's (or the patient's) one. The lake's own columns (receipt, line, hashes of key and row) never leave.
    Raises PrivacyError for the lake's policy, a class or type without a rule, a value that is no pseudonym
    where one belongs, an unknown purpose.
    """
    if policy.audience == LAKE:
        raise PrivacyError("release.audience", "the lake's own policy is none for rows that leave")
    chosen = [(column, policy.action(column)) for column in contract.current]
    frame = rows.select(pl.col(column.field).alias(column.name) for column, _ in chosen)
    about = (policy, keys, Names.merge([]), FaultLog())
    context = Context(frame, frame["HOSPCODE"], *about, as_of=as_of, file=contract.file, purpose=purpose)
    if "purpose" in {name for _, name in chosen}:
        policy.allowed(purpose)
    left: list[pl.Series] = []
    for column, name in chosen:
        values = frame[column.name]
        if name == "pseudonym":
            _require_pseudonyms(values, column.name)
        left.append(action(name)(column, values, context).alias(column.field))
    if PERSON_KEY in rows.columns:
        left.append(_persons(rows[PERSON_KEY], policy, keys))
    return pl.DataFrame(left)


def _persons(values: pl.Series, policy: Policy, keys: Pseudonymiser) -> pl.Series:
    """person_key with the audience's keys, equal to the re-keyed CID or patient that it was made from."""
    if not all(domain in policy.local_domains for domain in _PERSON_DOMAINS):
        return values.clear(len(values))  # the audience follows no persons
    _require_pseudonyms(values, PERSON_KEY)
    made = values.clear(len(values))
    for domain in _PERSON_DOMAINS:
        mine = values.str.starts_with(LETTERS[domain])
        made = keys.of(domain, values).zip_with(mine.fill_null(False), made)
    return made.alias(PERSON_KEY)


def _require_pseudonyms(values: pl.Series, name: str) -> None:
    """Raises PrivacyError when a value is no pseudonym of the lake."""
    if not values.drop_nulls().str.contains(OF_THE_LAKE).all():
        raise PrivacyError("release.raw", "a value is no pseudonym of the lake: nothing leaves", place=name)
