"""Two audiences hold pseudonyms of the same people: 0 join, over all key domains and over invented deliveries."""

from __future__ import annotations

import secrets
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from khlang.conform.conform import Rules, conform
from khlang.conform.pseudonym import LETTERS, Pseudonymiser
from khlang.conform.text.names import Names
from khlang.lake import keys
from khlang.model.contract import Contract, contracts
from khlang.model.policy import policy
from khlang.settings import Settings
from khlang.synth import job
from khlang.synth.plan import Plan
from members import member

VALUES = pl.Series([f"{number:013d}" for number in range(3000)])


@pytest.fixture(scope="module")
def audiences(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pseudonymiser]:
    """The lake's keys, those of a research agreement, and those of the same agreement a version later."""
    store = keys.create(Settings(home=tmp_path_factory.mktemp("keys")))
    for _ in range(2):
        store.add("study-7")
    study = {f"study-7 v{version}": store.pseudonymiser("study-7", version) for version in (1, 2)}
    return {"lake": store.pseudonymiser(), **study}


def _marks(found: pl.Series) -> pl.Series:
    """Pseudonyms without letter and version: what somebody who joins would compare."""
    return found.drop_nulls().str.split_exact(".", 1).struct.field("field_1")


def test_the_same_values_join_in_no_two_audiences_and_no_two_domains(
    audiences: dict[str, Pseudonymiser],
) -> None:
    made = [_marks(maker.of(domain, VALUES)) for maker in audiences.values() for domain in LETTERS]
    assert len(made) == 3 * len(LETTERS)
    assert pl.concat(made).n_unique() == len(VALUES) * len(made)


def test_inside_one_audience_the_same_value_always_joins(audiences: dict[str, Pseudonymiser]) -> None:
    for maker in audiences.values():
        again = Pseudonymiser(dict.fromkeys(LETTERS, secrets.token_bytes(32)), maker.version)
        assert maker.of("person", VALUES).equals(maker.of("person", VALUES.clone()))
        assert not set(_marks(again.of("person", VALUES))) & set(_marks(maker.of("person", VALUES)))


def _members(folder: Path) -> Iterator[tuple[Contract, bytes]]:
    """Files of the standard out of invented deliveries."""
    job.run(Plan(facilities=2, months=1, persons=60, start=date(2026, 9, 1), seed=4, faults="none"), folder)
    for path in sorted((folder / "inbox").rglob("*.zip")):
        with zipfile.ZipFile(path) as opened:
            for name in opened.namelist():
                contract = contracts().get(Path(name).stem.upper())
                if contract is not None and any(column.domain for column in contract.current):
                    yield contract, opened.read(name)


def test_whole_deliveries_for_two_audiences_share_no_pseudonym(
    audiences: dict[str, Pseudonymiser], tmp_path: Path
) -> None:
    marks: dict[str, set[str]] = {"lake": set(), "study-7 v1": set()}
    joined = filled = 0
    for contract, body in _members(tmp_path):
        columns = [column.field for column in contract.current if column.domain]
        told = {
            name: conform(
                [member(body)], Rules(contract, policy("lake"), audiences[name], Names.merge([]))
            ).rows
            for name in marks
        }
        for column in columns:
            here = {name: rows.sort("_line")[column] for name, rows in told.items()}
            joined += (here["lake"] == here["study-7 v1"]).sum()
            filled += here["lake"].is_not_null().sum()
            for name, found in here.items():
                marks[name] |= set(_marks(found))
    assert filled > 3000 and len(marks["lake"]) == len(marks["study-7 v1"]) > 300
    assert joined == 0 and not marks["lake"] & marks["study-7 v1"]
