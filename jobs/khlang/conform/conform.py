"""Members of one file with their bytes -> de-identified typed rows with every broken rule named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from khlang.conform.check import lake_type
from khlang.conform.context import Context
from khlang.conform.deidentify import deidentify
from khlang.conform.erased import NOBODY, Tombstones, blank, gone, without
from khlang.conform.faultlog import FaultLog
from khlang.conform.identity import key_hash, row_hash
from khlang.conform.member import Member, MemberResult
from khlang.conform.parse import Heading, Parsed, Sheet, Unread, parse, read_sheet
from khlang.conform.pseudonym import Pseudonymiser
from khlang.conform.rows import account, assemble, own_columns
from khlang.conform.text.names import Names
from khlang.conform.typed import typed_frame
from khlang.model.contract import Contract
from khlang.model.policy import Policy


@dataclass(frozen=True, slots=True)
class Conformed:
    """Bronze rows of one file (columns of `bronze_schema`), and what became of each member."""

    rows: pl.DataFrame
    members: tuple[MemberResult, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything besides the bytes that decides the outcome."""

    contract: Contract
    policy: Policy
    pseudonymiser: Pseudonymiser
    names: Names
    text_seconds: float = 2.0
    tombstones: Tombstones = NOBODY


def bronze_schema(contract: Contract) -> dict[str, pl.DataType]:
    """Column -> type of the file's bronze table: hospcode and the contract's columns, then our own."""
    columns = {column.field: lake_type(column) for column in contract.current}
    return {**columns, **own_columns()}


def stored_schema(contract: Contract) -> dict[str, pl.DataType]:
    """Columns of the file's bronze table as stored: conform's rows and the batch that loaded them."""
    return {**bronze_schema(contract), "_batch": pl.String()}


def _foreign_rows(frame: pl.DataFrame, delivering: pl.Series, log: FaultLog) -> pl.Series:
    """HOSPCODE of each row, the delivering facility where it is blank; others' rows get row.facility."""
    hospcode = frame["HOSPCODE"]
    log.add(hospcode.is_not_null() & (hospcode != delivering), "HOSPCODE", "row.facility")
    return hospcode.zip_with(hospcode.is_not_null(), delivering)


def rows_of(sheets: Sequence[Sheet], rules: Rules) -> tuple[pl.DataFrame, list[MemberResult]]:
    """Sheets of one file -> their bronze rows and member results."""
    parsed = parse(sheets)
    context = _context(parsed, rules)
    found = gone(rules.contract, context, rules.tombstones) if rules.tombstones else None
    held: set[int] = set()
    if found is not None:
        held |= set(parsed.sheet[found.rows].tolist())
        parsed = without(parsed, found.rows)
        context = _context(parsed, rules)
    log = context.log
    clean = deidentify(rules.contract, context)
    if rules.tombstones:
        held |= set(parsed.sheet[blank(rules.contract, clean, rules.tombstones)].tolist())
    clean["HOSPCODE"] = context.hospcode
    columns = [values.alias(name.lower()) for name, values in clean.items()]
    keys = key_hash([clean[name] for name in rules.contract.key])
    table = pl.DataFrame([*columns, keys, row_hash(columns)])
    rows = assemble(table, parsed, log, bronze_schema(rules.contract))
    results = account(rows, sheets)
    for number in held:
        results[number] = replace(results[number], holds_erased=True, found=found.found if found else ())
    return rows, results


def _context(parsed: Parsed, rules: Rules) -> Context:
    """Parsed rows with their types, their facility, and a log of what is wrong with them."""
    log = FaultLog()
    frame = typed_frame(parsed, rules.contract, log)
    delivering = pl.Series([sheet.member.hospcode for sheet in parsed.sheets]).gather(parsed.sheet)
    hospcode = _foreign_rows(frame, delivering, log)
    names = (rules.policy, rules.pseudonymiser, rules.names)
    return Context(frame, hospcode, *names, log, rules.text_seconds)


def conform(members: Sequence[Member], rules: Rules) -> Conformed:
    """Members of one file -> bronze rows and results. No input or output, no clock, no session.

    Raises PrivacyError when a class has no rule or a key is missing; broken input never raises.
    """
    sheets: list[Sheet] = []
    results: dict[tuple[str, int], MemberResult] = {}
    known: dict[bytes, Heading] = {}
    for member in members:
        sheet = read_sheet(member, rules.contract, known)
        if isinstance(sheet, Unread):
            results[member.receipt, member.position] = MemberResult(
                member.receipt, member.position, sheet.codes, sheet.delivered, 0, sheet.refused
            )
        else:
            sheets.append(sheet)
    rows = pl.DataFrame(schema=bronze_schema(rules.contract))
    if sheets:
        rows, found = rows_of(sheets, rules)
        results.update({(result.receipt, result.position): result for result in found})
    return Conformed(rows, tuple(results[member.receipt, member.position] for member in members))
