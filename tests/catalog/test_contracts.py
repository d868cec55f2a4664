"""Contracts: every file of the standard is declared once, completely, and contradicts nothing."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from khlang.errors import CatalogError
from khlang.model.codes import code_list, codes_of
from khlang.model.contract import Contract, contracts, parse

from .conftest import CATALOG

FILES, COLUMNS = 52, 863
LONGER = {"vaccine"}
"""Lists with codes that their column can not hold (six characters in three), as the standard has them."""
ALL = list(contracts().values())


def named(contract: Contract) -> str:
    return contract.file


def test_all_52_files_and_863_columns_of_the_standard_are_declared() -> None:
    assert [contract.number for contract in ALL] == list(range(1, FILES + 1))
    assert sum(len(contract.current) for contract in ALL) == COLUMNS


def test_every_contract_has_the_form_of_the_schema(declared: dict[str, Any]) -> None:
    schema = json.loads((CATALOG / "contracts/schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    wrong = [
        f"{name}: {e.json_path} {e.message[:80]}"
        for name, raw in declared.items()
        for e in validator.iter_errors(raw)
    ]
    assert not wrong
    assert len(declared) == FILES


@pytest.mark.parametrize(
    ("path", "value"),
    [("title_th", "English only"), ("colour", "blue"), ("number", "1"), ("key", [])],
)
def test_the_schema_refuses_what_is_not_agreed(declared: dict[str, Any], path: str, value: object) -> None:
    schema = json.loads((CATALOG / "contracts/schema.json").read_text("utf-8"))
    assert list(Draft202012Validator(schema).iter_errors({**declared["person"], path: value}))


def test_an_identifier_without_a_pseudonym_domain_is_refused_by_the_schema(declared: dict[str, Any]) -> None:
    schema = json.loads((CATALOG / "contracts/schema.json").read_text("utf-8"))
    columns = [{k: v for k, v in column.items() if k != "domain"} for column in declared["person"]["columns"]]
    assert list(Draft202012Validator(schema).iter_errors({**declared["person"], "columns": columns}))


def test_a_column_without_a_privacy_class_is_refused() -> None:
    text = (CATALOG / "contracts/th43/person.toml").read_text("utf-8")
    with pytest.raises(CatalogError, match="privacy class"):
        parse(text.replace('class="name"', 'class="nickname"', 1), "person.toml")


def test_a_contract_is_named_after_its_table(declared: dict[str, Any]) -> None:
    assert {name: raw["table"] for name, raw in declared.items()} == {name: name for name in declared}
    assert all(raw["file"] == name.upper() for name, raw in declared.items())


@pytest.mark.parametrize("contract", ALL, ids=named)
def test_columns_stand_once_and_the_newest_layout_holds_them_in_order(contract: Contract) -> None:
    names = [column.name for column in contract.columns]
    assert max(Counter(names).values()) == 1
    assert contract.layouts[-1].columns == tuple(column.name for column in contract.current)


@pytest.mark.parametrize("contract", ALL, ids=named)
def test_layouts_grow_with_the_years_and_differ_in_width(contract: Contract) -> None:
    years = [layout.year for layout in contract.layouts]
    widths = [len(layout.columns) for layout in contract.layouts]
    assert years == sorted(set(years))
    assert len(set(widths)) == len(widths) or contract.file == "ADDRESS", (
        "a file without header is read by its width"
    )
    for older, newer in zip(contract.layouts, contract.layouts[1:], strict=False):
        gone = set(older.columns) - set(newer.columns)
        assert gone <= {column.name for column in contract.columns if column.retired}


@pytest.mark.parametrize("contract", ALL, ids=named)
def test_keys_begin_with_the_facility_and_are_required(contract: Contract) -> None:
    assert contract.key[0] == "HOSPCODE"
    assert all(contract.column(name).required for name in contract.key)
    assert not [name for name in contract.key if name == "HOSPCODE9" or name.startswith("HOSP9_")]
    assert contract.event_date in {column.name for column in contract.columns}


@pytest.mark.parametrize("contract", ALL, ids=named)
def test_a_link_points_to_columns_that_exist_in_the_same_pseudonym_domain(contract: Contract) -> None:
    for parent in contract.parents:
        target = contracts()[parent.file]
        assert set(parent.parent_columns) <= set(target.key) | {column.name for column in target.current}
        pairs = zip(parent.columns, parent.parent_columns, strict=True)
        domains = [(contract.column(child).domain, target.column(to).domain) for child, to in pairs]
        assert all(child == to for child, to in domains)
    for column in contract.columns:
        if column.facility:
            contract.column(column.facility)


@pytest.mark.parametrize("contract", ALL, ids=named)
def test_closed_lists_exist_and_fit_their_columns(contract: Contract) -> None:
    for column in contract.columns:
        if column.codes:
            codes = codes_of(column.codes)
            assert codes, column.name
            long = {code for code in codes if len(code) > (column.width or 0)}
            assert not long or column.codes in LONGER, column.name
            assert long < codes, column.name


@pytest.mark.parametrize("contract", ALL, ids=named)
def test_aliases_lead_to_a_column_and_hide_none(contract: Contract) -> None:
    names = {column.name for column in contract.columns}
    assert set(contract.aliases.values()) <= names
    assert not set(contract.aliases) & names


def test_every_code_list_has_codes_that_stand_once() -> None:
    names = sorted(path.stem for path in (CATALOG / "codes").glob("*.csv"))
    assert len(names) > 80
    for name in names:
        rows = code_list(name)
        assert rows, name
        if name in {c.codes for contract in ALL for c in contract.columns}:
            codes = [next(iter(row.values())) for row in rows]
            assert len(set(codes)) == len(codes), name


def test_labels_are_thai_and_differ_inside_a_file() -> None:
    for contract in ALL:
        labels = Counter(column.th for column in contract.current)
        repeated = [label for label, count in labels.items() if count > 1]
        assert not repeated, (contract.file, repeated)
