"""Tables as analysts ask for them: by name, condition, columns; what is not there is named with the next step."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import polars as pl
import pytest
from deltalake import write_deltalake
from sqlalchemy.orm import Session

from khlang.commands import table as command
from khlang.errors import KhlangError, SettingsError, StoreError
from khlang.lake import reader, tables
from khlang.lake.ledger import Ledger, migrate
from khlang.lake.ledger.models import BatchRow, TableVersionRow
from khlang.lake.stores import storage_options
from khlang.settings import Settings
from khlang.stack.seaweed import create_buckets
from lakes import Lake

from .landing_lake import database, dropped

pytestmark = pytest.mark.stack
ROWS = pl.DataFrame({"hospcode": ["99001", "99002", "99002"], "sex": ["1", "2", "1"], "hn": ["a", "b", "c"]})


@pytest.fixture(scope="module")
def lake(stores: Lake) -> Iterator[Settings]:
    """A lake that shows one table, silver.person."""
    mark = f"t{secrets.token_hex(4)}"
    settings = database(stores.settings, mark).model_copy(update={"bucket_prefix": f"{mark}-"})
    create_buckets(settings, "lake")
    migrate(settings)
    write_deltalake(
        tables.uri(settings, "silver.person"), ROWS.to_arrow(), storage_options=storage_options(settings)
    )
    with Ledger.open(settings) as ledger, Session(ledger.engine) as session, session.begin():
        told = {"stage": "silver", "state": "committed"}
        session.add(BatchRow(id="b1", git_sha="", contract_digest="", policy_digest="", **told))
        session.flush()
        session.add(TableVersionRow(table="silver.person", version=0, batch="b1"))
    yield settings
    dropped(settings)


def refused(lake: Settings, name: str, where: str | None = None) -> KhlangError:
    """What reading ends with."""
    with pytest.raises(KhlangError) as ended:
        reader.table(name, where, settings=lake).polars()
    assert ended.value.th and ended.value.next_step
    return ended.value


@pytest.mark.parametrize("name", ["silver.persn", "Silver.Person", "person", "silver-person"])
def test_a_name_that_no_table_has_is_told_with_the_nearest_names(lake: Settings, name: str) -> None:
    told = refused(lake, name)
    assert (type(told), told.exit_code, told.code) == (SettingsError, 2, "table.unknown")
    assert "silver.person" in told.next_step and "`khlang table`" in told.next_step


def test_a_table_that_may_come_is_told_apart_from_one_that_never_will(lake: Settings) -> None:
    told = refused(lake, "gold.indicator_published")
    assert (type(told), told.code) == (StoreError, "table.invisible")


def test_a_condition_with_a_column_that_is_not_there_names_it_and_the_nearest(lake: Settings) -> None:
    told = refused(lake, "silver.person", "sexx = '1'")
    assert (told.exit_code, told.code) == (2, "table.column")
    assert "sexx" in told.en and "did you mean sex" in told.next_step and "hospcode" in told.next_step


@pytest.mark.parametrize(
    "where", ["sex = ", "sex", "sex = '1", "nothing(sex) = 1", "sex = '1'; drop table t", "hn + 1 > DATE 'x'"]
)
def test_a_condition_that_can_not_be_read_is_named(lake: Settings, where: str) -> None:
    told = refused(lake, "silver.person", where)
    assert (told.exit_code, told.code) == (2, "table.where") and "single quotes" in told.next_step


def test_a_value_in_double_quotes_is_not_repeated_in_the_message(lake: Settings) -> None:
    told = refused(lake, "silver.person", 'hn = "9870001234567"')
    assert told.code == "table.where" and "9870001234567" not in str(told)


def test_a_table_is_exported_under_two_endings_only(lake: Settings) -> None:
    with pytest.raises(SettingsError, match=r"export\.form.*\.csv") as ended:
        reader.table("silver.person", settings=lake).export(command.Path("x.xlsx"))
    assert ended.value.th


def test_the_command_shows_counts_and_lists_tables(
    lake: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reader, "load", lambda: lake)
    monkeypatch.setenv("COLUMNS", "80")
    command.table("silver.person", where="hospcode = '99002'", rows=1)
    told = capsys.readouterr().out
    assert "1 of 2 rows, 3 of 3 columns" in told and "silver.person, version 0" in told and "--rows" in told
    command.table("silver.person", columns="sex")
    told = capsys.readouterr().out
    assert "3 of 3 rows, 1 of 3 columns" in told and ": hospcode, hn" in told
    command.table()
    assert capsys.readouterr().out.splitlines()[0] == "silver: person"
    with pytest.raises(SettingsError, match=r"table\.column"):
        command.table("silver.person", columns="sexx")
