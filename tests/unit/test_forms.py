"""No column that is kept as sent lets an identifier through: not in a shifted row, not in a number."""

from __future__ import annotations

from datetime import datetime

import polars as pl
import pytest

from khlang.conform.conform import Rules, conform
from khlang.conform.faultlog import KEY_VOID, FaultLog
from khlang.conform.member import Member
from khlang.conform.parse import Sheet, parse, read_sheet
from khlang.conform.pseudonym import Pseudonymiser
from khlang.conform.text.names import Names
from khlang.conform.typed import typed_frame
from khlang.errors import CatalogError
from khlang.model import contract as contract_module
from khlang.model.contract import KEPT, Column, Contract, contracts
from khlang.model.forms import forms
from khlang.model.policy import policy

CID = "1101700203451"
IDENTIFIERS = (
    CID, "1-1017-00203-45-1", "1 1017 00203 45 1", "๑๑๐๑๗๐๐๒๐๓๔๕๑", "0811234567", "081-123-4567", "021234567",
    "02-123-4567", "+66811234567", "สมมุติ", "ใจตัวอย่าง", "นายสมมุติ ใจตัวอย่าง", "SOMMUT", "Sommut Jaitua",
    "sommut@example.invalid", "line:sommut99x", "123/45 ม.6", "HN123456789", "000123456789",
    "1-10170020345", "๐๘๑๑๒๓๔๕๖๗", "0 8112 3456 7",
)  # fmt: skip
"""No identifier of a living person: checksums aside they are invented."""

PLAIN = {value.translate(str.maketrans("๐๑๒๓๔๕๖๗๘๙", "0123456789", " -")) for value in IDENTIFIERS}
KEPT_COLUMNS = [
    (contract, column)
    for contract in contracts().values()
    for column in contract.current
    if column.privacy in KEPT and column.type not in ("date", "datetime") and column.name != "HOSPCODE"
]


def _sent(contract: Contract, column: Column) -> Sheet:
    """A member in which every identifier stands once in one column."""
    head = [one.name for one in contract.current]
    rows = [
        ["99001" if c == "HOSPCODE" else v if c == column.name else "" for c in head] for v in IDENTIFIERS
    ]
    body = "\r\n".join("|".join(row) for row in [head, *rows]).encode()
    found = read_sheet(Member("R1", 1, "99001", datetime(2026, 11, 1), 1, body), contract, {})
    assert isinstance(found, Sheet)
    return found


def test_no_kept_column_of_any_file_holds_an_identifier() -> None:
    for contract, column in KEPT_COLUMNS:
        kept = typed_frame(parse([_sent(contract, column)]), contract, FaultLog())[column.name]
        left = {str(value) for value in kept.drop_nulls()}
        digits = {"".join(filter(str.isdigit, value)) for value in left}
        held = {
            value for value in left | digits if value in PLAIN or value.zfill(9) in PLAIN or len(value) > 9
        }
        assert not held, f"{contract.file}.{column.name} keeps {len(held)} identifiers"


@pytest.mark.parametrize("name", forms())
def test_every_form_lets_its_own_codes_through(name: str) -> None:
    own = {
        "code": ["E119", "99001", "1B0030", "ICU", "LR", "N/A", "9A99", "a1234", "OPD1", "-"],
        "facility9": ["EA0012345", "99001", "N/A"],
        "drug": ["1" * 24, "A0123", "1000123", "PARA500", "AMOX 500"],
        "device": ["2401", "A-0012", "12345678"],
        "codes": ["01", "01,03", "1;2;12"],
        "table": ["service", "PERSON", "Diagnosis_opd"],
    }
    found = pl.Series(own[name]).str.contains(forms()[name].pattern)
    assert found.all() and all(len(value) <= forms()[name].length for value in own[name])


def test_the_form_of_tables_names_exactly_the_files_of_the_standard() -> None:
    files = pl.Series([*contracts(), *(file.lower() for file in contracts())])
    assert files.str.contains(forms()["table"].pattern).all()


def test_a_kept_column_wider_than_its_form_is_refused_at_load() -> None:
    row = {"name": "X", "type": "char", "width": 9, "class": "public", "en": "x", "th": "ก"}
    with pytest.raises(CatalogError, match="wider than its form"):
        contract_module._column(row, "x.toml")
    assert contract_module._column(row | {"form": "facility9"}, "x.toml").shape is forms()["facility9"]


DRUGS = "HOSPCODE|PID|SEQ|DATE_SERV|CLINIC|DIDSTD|D_UPDATE"


def _bronze(*drugs: str) -> pl.DataFrame:
    """Rows of DRUG_OPD with these codes, at a facility that told a Latin name and a passport."""
    told = {"HOSPCODE": "99001", "PID": "P1", "NAME": "Anan", "LNAME": "Khun", "PASSPORT": "EA1234567"}
    names = Names.from_frames(pl.DataFrame([told]), None, None)
    lines = [f"99001|P1|V{n}|20260801|KHUN|{drug}|20260801120000" for n, drug in enumerate(drugs)]
    body = "\r\n".join([DRUGS, *lines]).encode()
    rules = Rules(contracts()["DRUG_OPD"], policy("lake"), Pseudonymiser.throwaway(), names)
    return conform([Member("R1", 1, "99001", datetime(2026, 11, 1), 1, body)], rules).rows


def test_a_name_that_looks_like_a_code_is_blanked_where_the_facility_told_it() -> None:
    rows = _bronze("A0123", "ANAN", "1" * 24)
    assert rows["didstd"].to_list() == ["A0123", None, "1" * 24]
    assert rows["clinic"].null_count() == 3, "the last name in a column of codes"
    assert rows["_accepted"].to_list() == [True, False, True], "a key that lost its value keeps its row out"
    faults = rows["_faults"].to_list()
    assert faults[0] == [{"column": "CLINIC", "code": "value.form"}] and len(faults[1]) == 2
    assert KEY_VOID not in str(faults)
