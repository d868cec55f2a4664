"""The declared catalogue as raw TOML, and rows of the wire made from a contract."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from khlang.model.codes import codes_of
from khlang.model.contract import Column, Contract

PROJECT = Path(__file__).resolve().parents[2]
CATALOG = PROJECT / "jobs/khlang/catalog"
Declared = dict[str, Any]
WireRow = Callable[[Contract, dict[str, str]], dict[str, str]]

BY_NAME = {
    "HOSPCODE": "99999",
    "NAME": "สมมุติ",
    "LNAME": "ตัวอย่าง",
    "POLICY_YEAR": "2026",
    "TABLENAME": "service",
}
BY_TYPE = {"date": "20260131", "datetime": "20260131083000"}
VALID_CID = "1234567890121"


@pytest.fixture(scope="session")
def declared() -> dict[str, Declared]:
    """File name without its ending -> the contract as it stands in TOML."""
    folder = CATALOG / "contracts/th43"
    found = {path.stem: tomllib.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.toml"))}
    assert found, "no contract found"
    return found


@pytest.fixture(scope="session")
def reference() -> Path | None:
    """The folder of the standard's reference tables, where this machine has it."""
    folder = Path(os.environ.get("KHLANG_SHARED", PROJECT.parent / "shared")) / "reference"
    return folder if folder.is_dir() else None


def _valid(column: Column) -> str:
    """An obviously invented value that breaks no rule of the column."""
    if column.name in BY_NAME:
        return BY_NAME[column.name]
    if column.type in BY_TYPE:
        return BY_TYPE[column.type]
    if column.checksum == "cid":
        return VALID_CID
    if column.codes:
        return min(codes_of(column.codes))
    if column.type in ("int", "decimal"):
        low, high = column.range or (0, 8)
        return str(int((low + min(high, 100)) / 2)) if high <= 400 or not low else str(int(low) * 10)
    return "1"


@pytest.fixture(scope="session")
def wire_row() -> WireRow:
    """(contract, given) -> a wire row: required columns valid, the given ones as given, the rest blank."""

    def row(contract: Contract, given: dict[str, str]) -> dict[str, str]:
        return {
            column.name: given.get(column.name, _valid(column) if column.required else "")
            for column in contract.current
        }

    return row
