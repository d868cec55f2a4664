"""Rows that leave: no dropped value, no pseudonym of the lake or of another audience, in any column of any file."""

from __future__ import annotations

import hashlib
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khlang.conform.check import lake_type
from khlang.conform.pseudonym import Pseudonymiser
from khlang.conform.release import release
from khlang.errors import PrivacyError
from khlang.model.contract import Column, Contract, contracts
from khlang.model.policy import policy

FILES = list(contracts().values())
LEFT = date(2026, 11, 22)


def _keys(name: str) -> Pseudonymiser:
    return Pseudonymiser.derived(hashlib.sha256(name.encode()).digest(), name, 1)


LAKE, FIRST, SECOND = _keys("lake"), _keys("research-one"), _keys("research-two")


def _values(column: Column, seed: int, rows: int) -> list[Any]:
    """Values of a column as silver holds them, each one nobody else's; every fifth is missing."""

    def _one(row: int) -> Any:
        number = seed * 1000 + row
        if (number + len(column.name)) % 5 == 0 and column.name != "HOSPCODE":
            return None
        if column.name == "HOSPCODE":
            return f"{10000 + row % 3}"
        if column.type == "int":
            return number % 90
        if column.type == "decimal":
            return Decimal(number % 90)
        if column.type == "date":
            return date(1930, 1, 3) + timedelta(days=number % 34000)
        if column.type == "datetime":
            return datetime(2020, 1, 2, 3, 4, 5) + timedelta(hours=number % 50000)
        return f"{column.name}#{number}"

    return [_one(row) for row in range(rows)]


def _silver(contract: Contract, seed: int, rows: int = 12) -> pl.DataFrame:
    """Rows of a file's silver table under the lake's policy, with its own columns."""
    held = []
    for column in contract.current:
        values = pl.Series(column.field, _values(column, seed, rows), dtype=lake_type(column), strict=False)
        if policy("lake").action(column) == "pseudonym" and column.domain is not None:
            values = LAKE.of(column.domain, values)
        held.append(values.alias(column.field))
    frame = pl.DataFrame(held)
    own = [pl.lit("R1").alias("_receipt"), pl.lit(b"kkkk").alias("_key"), pl.lit(7).alias("_row")]
    if "pid" in frame.columns:
        key = pl.coalesce("cid", "pid") if "cid" in frame.columns else pl.col("pid")
        own.append(key.alias("person_key"))
    return frame.with_columns(own)


def _texts(rows: pl.DataFrame) -> set[str]:
    """Every text in the rows."""
    return {value for column in rows for value in column.cast(pl.String, strict=False).drop_nulls()}


def _pseudonyms(contract: Contract, rows: pl.DataFrame, with_key: bool = True) -> set[str]:
    named = [c.field for c in contract.current if policy("lake").action(c) == "pseudonym"]
    if with_key and "person_key" in rows.columns:
        named.append("person_key")
    return {value for name in named for value in rows[name].drop_nulls()}


CASES = given(contract=st.sampled_from(FILES), seed=st.integers(0, 10_000))
SETTLED = settings(max_examples=20, deadline=None, derandomize=True)


@CASES
@SETTLED
def test_no_value_of_a_dropped_column_survives(contract: Contract, seed: int) -> None:
    rows = _silver(contract, seed)
    for name in ("planners", "research"):
        left = release(contract, rows, policy(name), FIRST, LEFT, "diabetes")
        for column in contract.current:
            action = policy(name).action(column)
            named = f"{contract.file.lower()}.{column.field}"
            goes = action == "drop" or (action == "coarse" and column.name not in policy(name).coarse)
            if goes or (action == "purpose" and named not in policy(name).allowed("diabetes")):
                assert left[column.field].null_count() == rows.height
                assert not set(rows[column.field].cast(pl.String).drop_nulls()) & _texts(left) or (
                    column.type != "char"
                )
        assert not [field for field in left.columns if field.startswith("_")]


@CASES
@SETTLED
def test_no_pseudonym_of_the_lake_survives_and_two_audiences_share_none(
    contract: Contract, seed: int
) -> None:
    rows = _silver(contract, seed)
    one, two = (
        release(contract, rows, policy("research"), keys, LEFT, "diabetes") for keys in (FIRST, SECOND)
    )
    held = _pseudonyms(contract, rows)
    assert not held & _texts(one) and not held & _texts(two)
    assert not _pseudonyms(contract, one) & _pseudonyms(contract, two)
    assert not held & _texts(release(contract, rows, policy("planners"), FIRST, LEFT))


@CASES
@SETTLED
def test_inside_one_audience_equal_pseudonyms_stay_equal_and_others_differ(
    contract: Contract, seed: int
) -> None:
    rows = _silver(contract, seed)
    left = release(contract, rows, policy("research"), FIRST, LEFT, "diabetes")
    for column in contract.current:
        if policy("research").action(column) == "pseudonym":
            pairs = set(zip(rows[column.field], left[column.field], strict=True))
            assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
    if "person_key" in rows.columns:
        wanted = left.select(
            pl.coalesce("cid", "pid") if "cid" in left.columns else pl.col("pid")
        ).to_series()
        if policy("research").action(contract.column("PID")) == "pseudonym":
            assert left["person_key"].to_list() == wanted.to_list()


@CASES
@SETTLED
def test_no_day_leaves_only_months_and_the_oldest_share_one(contract: Contract, seed: int) -> None:
    rows = _silver(contract, seed)
    left = release(contract, rows, policy("research"), FIRST, LEFT, "pregnancy")
    for column in contract.current:
        if column.type in ("date", "datetime"):
            assert set(left[column.field].drop_nulls().dt.day()) <= {1}
        if column.privacy == "birth_date":
            months = left[column.field].drop_nulls()
            assert months.is_empty() or months.min() >= date(1936, 11, 1)  # type: ignore[operator]


PERSON = contracts()["PERSON"]


def test_a_raw_id_never_becomes_a_pseudonym_of_an_audience() -> None:
    rows = _silver(PERSON, 1).with_columns(pl.lit("1234567890123").alias("cid"))
    with pytest.raises(PrivacyError, match=r"release\.raw"):
        release(PERSON, rows, policy("research"), FIRST, LEFT, "diabetes")


def test_the_lakes_own_policy_lets_nothing_leave() -> None:
    with pytest.raises(PrivacyError, match=r"release\.audience"):
        release(PERSON, _silver(PERSON, 1), policy("lake"), FIRST, LEFT)


def test_a_purpose_that_nobody_declared_lets_nothing_leave() -> None:
    for file in ("CHRONIC", "PERSON"):
        with pytest.raises(PrivacyError, match=r"policy\.purpose"):
            release(contracts()[file], _silver(contracts()[file], 1), policy("research"), FIRST, LEFT, "fame")


def test_people_of_ninety_and_more_are_born_in_one_month() -> None:
    births = [date(1900, 5, 6), date(1936, 10, 31), date(1936, 11, 30), date(1936, 12, 31), None]
    rows = _silver(PERSON, 3, rows=5).with_columns(pl.Series("birth", births))
    left = release(PERSON, rows, policy("planners"), FIRST, LEFT)
    pooled = date(1936, 11, 1)
    assert left["birth"].to_list() == [pooled, pooled, pooled, date(1936, 12, 1), None]


def test_places_end_at_the_district_and_sensitive_values_at_their_purpose() -> None:
    person, chronic = contracts()["ADDRESS"], contracts()["CHRONIC"]
    left = release(person, _silver(person, 3), policy("research"), FIRST, LEFT, "diabetes")
    assert left["changwat"].null_count() < 12 and left["ampur"].null_count() < 12
    assert left["tambon"].null_count() == left["village"].null_count() == 12
    rows = _silver(chronic, 3)
    kept = {
        name: release(chronic, rows, policy("research"), FIRST, LEFT, name)
        for name in ("diabetes", "pregnancy")
    }
    assert kept["diabetes"]["chronic"].equals(rows["chronic"])
    assert kept["pregnancy"]["chronic"].null_count() == rows.height
