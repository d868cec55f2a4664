"""The worked examples of the contracts, run through the same code as the load."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl
import pytest

from khlang.conform.conform import Rules, conform
from khlang.conform.member import Member
from khlang.conform.pseudonym import Pseudonymiser
from khlang.conform.text.names import Names
from khlang.model.contract import Contract, contracts
from khlang.model.faults import catalogue
from khlang.model.policy import policy

from .conftest import WireRow

ALL = list(contracts().values())
EXAMPLES = [
    pytest.param(contract, example, id=f"{contract.file}: {example['name']}")
    for contract in ALL
    for example in contract.examples
]
PERSON = pl.DataFrame({"HOSPCODE": ["99999"], "PID": ["1"], "NAME": ["สมมุติ"], "LNAME": ["ตัวอย่าง"]})
NAMES = Names.from_frames(PERSON, None, None)


def conformed(contract: Contract, row: dict[str, str]) -> dict[str, Any]:
    """One wire row as its bronze row."""
    body = "|".join(row) + "\n" + "|".join(row.values()) + "\n"
    member = Member("R1", 1, "99999", datetime(2026, 11, 1, 8, 30), 1, body.encode())
    rules = Rules(contract, policy("lake"), Pseudonymiser.throwaway(), NAMES)
    done = conform([member], rules)
    assert done.rows.height == 1
    return done.rows.row(0, named=True)


def faults(row: dict[str, Any]) -> set[str]:
    """The row's faults as COLUMN:code."""
    return {f"{fault['column'] or ''}:{fault['code']}" for fault in row["_faults"] or []}


def refuses(contract: Contract, fault: str) -> bool:
    """Whether a fault keeps the row out of silver: by its effect, or because the key lost a value."""
    column, code = fault.split(":")
    effect = catalogue()[code].effect
    return effect == "refuse" or (effect == "void" and column in contract.key)


def test_every_contract_has_an_example() -> None:
    assert {contract.file for contract in ALL if contract.examples} == set(contracts())


@pytest.mark.parametrize("contract", ALL, ids=lambda contract: contract.file)
def test_a_valid_row_has_no_fault_and_is_accepted(contract: Contract, wire_row: WireRow) -> None:
    row = conformed(contract, wire_row(contract, {}))
    assert faults(row) == set()
    assert row["_accepted"]


@pytest.mark.parametrize(("contract", "example"), EXAMPLES)
def test_the_worked_example_becomes_what_the_contract_says(
    contract: Contract, example: dict[str, Any], wire_row: WireRow
) -> None:
    row = conformed(contract, wire_row(contract, example["given"]))
    assert faults(row) == set(example["faults"])
    assert row["_accepted"] != any(refuses(contract, fault) for fault in example["faults"])
    becomes = example.get("becomes", {})
    found = {name: "null" if row[name] is None else str(row[name]) for name in becomes}
    assert found == becomes
