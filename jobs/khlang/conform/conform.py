"""Members of one file with their bytes -> de-identified typed rows with every broken rule named."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from khlang.conform.check import lake_type, typed
from khlang.conform.context import Context
from khlang.conform.deidentify import deidentify
from khlang.conform.faultlog import FaultLog
from khlang.conform.identity import key_hash, row_hash
from khlang.conform.member import Member, MemberResult
from khlang.conform.parse import Parsed, Sheet, Unread, parse, read_sheet
from khlang.conform.pseudonym import Pseudonymiser
from khlang.conform.rows import account, assemble, own_columns
from khlang.conform.text.names import Names
from khlang.model.contract import Contract
from khlang.model.policy import Policy

_THAI_DIGIT = re.compile(rb"\xe0\xb9[\x90-\x99]")


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


def bronze_schema(contract: Contract) -> dict[str, pl.DataType]:
    """Column -> type of the file's bronze table: hospcode and the contract's columns, then our own."""
    columns = {column.field: lake_type(column) for column in contract.current}
    return {**columns, **own_columns()}


def stored_schema(contract: Contract) -> dict[str, pl.DataType]:
    """Columns of the file's bronze table as stored: conform's rows and the batch that loaded them."""
    return {**bronze_schema(contract), "_batch": pl.String()}


def _typed_frame(parsed: Parsed, rules: Rules, log: FaultLog) -> pl.DataFrame:
    """Text columns -> typed columns by wire name; columns that the members lack are null."""
    contract, layout = rules.contract, set(parsed.sheets[0].layout.columns)
    thai = any(_THAI_DIGIT.search(sheet.lines.body) for sheet in parsed.sheets)
    columns: list[pl.Series] = []
    for column in contract.current:
        name = column.name
        if name in parsed.frame.columns:
            text = parsed.frame[name]
        else:
            text = pl.Series([None], dtype=pl.String).new_from_index(0, parsed.frame.height)
        before = len(log.codes)
        is_key = name in contract.key
        values = typed(column, text, log, is_key, thai)
        blank = text.is_null() | (text.str.strip_chars() == "") if values.null_count() else None
        if blank is not None and name in layout and (is_key or column.required):
            log.add(blank, name, "key.missing" if is_key else "required.missing")
        _mark_void_keys(log, before, is_key)
        columns.append(values.alias(name))
    return pl.DataFrame(columns)


def _mark_void_keys(log: FaultLog, before: int, is_key: bool) -> None:
    """Rows whose key lost a value are noted under the marker `key.void` (not a fault of its own)."""
    if not is_key:
        return
    for index in range(before, len(log.codes)):
        if log.codes[index] in ("text.too_long", "number.range", "code.unknown", "cid.checksum"):
            log.rows.append(log.rows[index])
            log.columns.append(log.columns[index])
            log.codes.append("key.void")


def _foreign_rows(frame: pl.DataFrame, delivering: pl.Series, log: FaultLog) -> pl.Series:
    """HOSPCODE of each row, the delivering facility where it is blank; others' rows get row.facility."""
    hospcode = frame["HOSPCODE"]
    log.add(hospcode.is_not_null() & (hospcode != delivering), "HOSPCODE", "row.facility")
    return hospcode.zip_with(hospcode.is_not_null(), delivering)


def _group(sheets: Sequence[Sheet], rules: Rules) -> tuple[pl.DataFrame, list[MemberResult]]:
    """Sheets with equal headers -> their bronze rows and member results."""
    parsed = parse(sheets)
    log = FaultLog()
    frame = _typed_frame(parsed, rules, log)
    delivering = pl.Series([sheet.member.hospcode for sheet in sheets]).gather(parsed.sheet)
    hospcode = _foreign_rows(frame, delivering, log)
    context = Context(
        frame, hospcode, rules.policy, rules.pseudonymiser, rules.names, log, rules.text_seconds
    )
    clean = deidentify(rules.contract, context)
    clean["HOSPCODE"] = hospcode
    columns = [values.alias(name.lower()) for name, values in clean.items()]
    keys = key_hash([clean[name] for name in rules.contract.key])
    table = pl.DataFrame([*columns, keys, row_hash(columns)])
    rows = assemble(table, parsed, log, bronze_schema(rules.contract))
    return rows, account(rows, sheets)


def conform(members: Sequence[Member], rules: Rules) -> Conformed:
    """Members of one file -> bronze rows and results. No input or output, no clock, no session.

    Raises PrivacyError when a class has no rule or a key is missing; broken input never raises.
    """
    groups: dict[tuple[object, ...], list[Sheet]] = defaultdict(list)
    results: dict[tuple[str, int], MemberResult] = {}
    for member in members:
        sheet = read_sheet(member, rules.contract)
        if isinstance(sheet, Unread):
            results[member.receipt, member.position] = MemberResult(
                member.receipt, member.position, sheet.codes, sheet.delivered, 0, sheet.refused
            )
        else:
            groups[(sheet.fields, sheet.layout.name)].append(sheet)
    frames = [pl.DataFrame(schema=bronze_schema(rules.contract))]
    for sheets in groups.values():
        rows, found = _group(sheets, rules)
        frames.append(rows)
        results.update({(result.receipt, result.position): result for result in found})
    ordered = tuple(results[member.receipt, member.position] for member in members)
    return Conformed(pl.concat(frames), ordered)
