"""Declared marts and indicators: what a file must say, and in which order selects run."""

from __future__ import annotations

from datetime import date
from importlib.resources import files

import pytest

from khlang.errors import CatalogError, QualityError
from khlang.gold import checks
from khlang.model import indicator, mart
from khlang.model.indicator import indicators
from khlang.model.mart import Check, Mart, functions, in_order, is_external, marts, sources

MART = """
name = "visit"
title_en = "Visits"
title_th = "การรับบริการ"
grain = "one row of SERVICE"
key = ["hospcode"]
stored = true
columns = [{name="hospcode", type="string", en="Facility", th="หน่วยบริการ"}]
checks = [{unique=["hospcode"]}]
sql = "select hospcode from silver_service"
"""
INDICATOR = """
id = "visits"
name_en = "Visits"
name_th = "ครั้ง"
kind = "event"
counting = "sum"
period = "year"
numerator_en = "a"
numerator_th = "a"
denominator_en = "b"
denominator_th = "b"
source = "own"
[[definition]]
version = "1"
note_en = ""
note_th = ""
valid_to = 2025-09-30
sql = "select 1 from visit"
[[definition]]
version = "2"
note_en = ""
note_th = ""
valid_from = 2025-10-01
sql = "select 2 from visit"
"""
GOLD_COLUMNS = {"cid", "pid", "seq", "an", "hn", "hid", "name", "lname", "birth", "birth_date"}


def _mart(name: str, sql: str) -> Mart:
    return Mart(name, name, name, "", (), False, sql, ())


def test_a_select_reads_what_stands_after_from_and_join_but_not_its_own_names() -> None:
    sql = "with a as (select * from silver_person), b as (select 1 from a) select * from b join facility on true"
    assert sources(sql) == ("silver_person", "facility")


def test_a_mart_is_built_after_what_it_reads() -> None:
    declared = {one.name: one for one in (_mart("late", "select * from early"), _mart("early", "select 1"))}
    assert [one.name for one in in_order(["late"], declared)] == ["early", "late"]


def test_marts_that_read_each_other_are_refused() -> None:
    declared = {one.name: one for one in (_mart("a", "select * from b"), _mart("b", "select * from a"))}
    with pytest.raises(CatalogError, match=r"mart\.reads"):
        in_order(["a"], declared)


def test_a_mart_that_reads_what_nobody_declares_is_refused() -> None:
    with pytest.raises(CatalogError, match="nowhere"):
        in_order(["a"], {"a": _mart("a", "select * from nowhere")})


def test_a_stored_mart_without_a_check_of_its_key_is_refused() -> None:
    with pytest.raises(CatalogError, match="key is unique"):
        mart.parse(MART.replace('checks = [{unique=["hospcode"]}]', ""), "visit.toml")


def test_a_check_of_a_column_that_is_not_declared_is_refused() -> None:
    with pytest.raises(CatalogError, match="not declared"):
        mart.parse(
            MART.replace('{unique=["hospcode"]}', '{unique=["hospcode"]}, {not_null=["age"]}'), "visit.toml"
        )


def test_a_check_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(CatalogError, match=r"mart\.check"):
        mart.parse(
            MART.replace('{unique=["hospcode"]}', '{unique=["hospcode"]}, {pretty=true}'), "visit.toml"
        )


def test_a_failed_check_is_named_with_its_rows_and_no_value() -> None:
    visit = mart.parse(MART, "visit.toml")
    assert checks.judge(visit, {"rows": 5, "c0": 0}) == 5
    with pytest.raises(QualityError, match="unique hospcode: 2 rows"):
        checks.judge(visit, {"rows": 5, "c0": 2})


def test_a_mart_whose_columns_are_not_as_declared_is_refused() -> None:
    visit = mart.parse(MART, "visit.toml")
    checks.columns_match(visit, [("hospcode", "string")])
    for columns in ([("hospcode", "int")], [("hospcode", "string"), ("pid", "string")], []):
        with pytest.raises(QualityError, match=r"mart\.columns"):
            checks.columns_match(visit, columns)


def test_of_two_definitions_the_one_of_the_year_holds() -> None:
    visits = indicator.parse(INDICATOR, "visits.toml")
    assert (visits.version_in(date(2024, 10, 1)), visits.version_in(date(2025, 10, 1))) == ("1", "2")
    assert visits.current.version == "2"


def test_definitions_that_hold_at_the_same_time_are_refused() -> None:
    with pytest.raises(CatalogError, match=r"indicator\.validity"):
        indicator.parse(INDICATOR.replace("valid_to = 2025-09-30", ""), "visits.toml")


def test_an_indicator_in_a_file_of_another_name_is_refused() -> None:
    with pytest.raises(CatalogError, match=r"indicator\.id"):
        indicator.parse(INDICATOR, "other.toml")


def test_every_file_of_the_catalog_is_read() -> None:
    catalog = files("khlang.catalog")
    for folder, found in (("marts", marts()), ("marts/functions", functions()), ("indicators", indicators())):
        names = {path.name for path in (catalog / folder).iterdir() if path.name.endswith(".toml")}
        assert names == {f"{name}.toml" for name in found}
        assert names


def test_everything_declared_can_be_put_in_order() -> None:
    read = [view for one in indicators().values() for rule in one.definitions for view in rule.reads]
    wanted = [name for name in (*marts(), *read) if not is_external(name)]
    assert {one.name for one in in_order(wanted, marts())} == set(marts())


def test_stored_marts_carry_words_in_both_languages_and_no_column_of_a_facilitys_own_ids() -> None:
    stored = [one for one in marts().values() if one.stored]
    assert stored
    for one in stored:
        assert not {column.name for column in one.fields} & GOLD_COLUMNS, one.name
        assert all(column.en and column.th for column in one.fields), one.name
        assert one.title_en and one.title_th and one.examples, one.name


def test_every_indicator_carries_a_worked_example_and_words_in_both_languages() -> None:
    for one in indicators().values():
        assert one.examples, one.id
        assert one.name_en and one.name_th and one.numerator_th and one.denominator_th and one.source, one.id


def test_a_check_says_what_it_checks() -> None:
    made = (
        Check(unique=("a", "b")),
        Check(not_null=("a",)),
        Check(rows_of="silver_service"),
        Check(column="a", high=9),
    )
    assert [check.name for check in made] == [
        "unique a, b",
        "not null a",
        "rows of silver_service",
        "a in 0 to 9",
    ]
