"""The worked examples of marts, indicators and functions, run by Spark as they stand in the catalog."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from khlang.gold.examples import agree, declare_functions, indicator_rows, mart_rows
from khlang.lake.session import prepare_environment
from khlang.model.indicator import Indicator, indicators
from khlang.model.mart import Example, Mart, functions, marts

OF_MARTS = [(mart, example) for mart in marts().values() for example in mart.examples]
OF_INDICATORS = [(one, example) for one in indicators().values() for example in one.examples]
CALLS = [(one.name, call) for one in functions().values() for call in one.examples]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A local session without a store: examples are rows of their own."""
    prepare_environment()
    made = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        .config("spark.local.dir", str(tmp_path_factory.mktemp("spark")))
        .config("spark.sql.shuffle.partitions", "1")
        .config("spark.sql.adaptive.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.timestampType", "TIMESTAMP_NTZ")
        .getOrCreate()
    )
    declare_functions(made)
    yield made
    made.stop()


def test_the_catalog_holds_examples_of_every_kind() -> None:
    assert len(OF_MARTS) >= 7
    assert {one.id for one, _ in OF_INDICATORS} == set(indicators())
    assert {name for name, _ in CALLS} == set(functions())


def test_every_function_gives_what_its_examples_say(session: SparkSession) -> None:
    asked = ", ".join(f"coalesce(cast({call['call']} as string), '')" for _, call in CALLS)
    got = session.sql(f"select {asked}").collect()[0]
    wrong = [
        f"{call['call']} = {found}"
        for (_, call), found in zip(CALLS, got, strict=True)
        if found != call["gives"]
    ]
    assert wrong == []


@pytest.mark.parametrize(("mart", "example"), OF_MARTS, ids=[f"{m.name}: {e.title}" for m, e in OF_MARTS])
def test_a_mart_gives_what_its_example_says(session: SparkSession, mart: Mart, example: Example) -> None:
    rows = mart_rows(session, mart, example)
    assert agree(example.expect, rows), rows


@pytest.mark.parametrize(
    ("one", "example"), OF_INDICATORS, ids=[f"{o.id}: {e.title}" for o, e in OF_INDICATORS]
)
def test_an_indicator_gives_what_its_example_says(
    session: SparkSession, one: Indicator, example: Example
) -> None:
    rows = indicator_rows(session, one, example)
    assert agree(example.expect, rows), rows


def test_an_example_with_another_result_is_noticed(session: SparkSession) -> None:
    mart, example = OF_MARTS[0]
    rows = mart_rows(session, mart, example)
    assert not agree([{**example.expect[0], "hospcode": "99999"}, *example.expect[1:]], rows)
    assert not agree(example.expect[:-1], rows)
