"""Planted values in the lake's objects and in every kind of database column are found by the command."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from psycopg import Connection

from khlang import __main__ as khlang_main
from khlang.lake.scan.buckets import scan_buckets
from khlang.lake.scan.databases import scan_databases
from khlang.lake.scan.members import Walk
from khlang.lake.scan.report import Report
from khlang.lake.stores import boto, storage_options
from khlang.settings import Settings, load
from khlang.stack.roles import administrator
from khlang.stack.seaweed import create_buckets
from lakes import Lake

from .landing_lake import database, dropped
from .planted import CID, NAME, PASSPORT, PHONE, VALUES, kinds, report

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def lake(stores: Lake) -> Iterator[Settings]:
    """Buckets and a database of its own."""
    mark = f"t{secrets.token_hex(4)}"
    settings = database(stores.settings, mark).model_copy(update={"bucket_prefix": f"{mark}-"})
    create_buckets(settings, "lake")
    yield settings
    dropped(settings)


@pytest.fixture
def connection(lake: Settings) -> Iterator[Connection[object]]:
    """The superuser in that database."""
    with administrator(lake, lake.database_url.rpartition("/")[2]) as opened:
        yield opened


def _objects(lake: Settings) -> Report:
    told = report()
    scan_buckets(Walk(told), lake)
    return told


def _tables(lake: Settings) -> Report:
    told = report()
    scan_databases(told, lake.model_copy(update={"database_url": ""}))
    assert not told.unread
    return told


def test_objects_tables_and_metadata_of_the_lake_are_searched(lake: Settings) -> None:
    assert _objects(lake).hits() == []
    client, bucket = boto(lake, "lake"), lake.bucket("silver")
    write_deltalake(
        f"s3://{bucket}/visit",
        pa.table({"note": [f"โทร {PHONE}", "x"]}),
        storage_options=storage_options(lake),
    )
    client.put_object(Bucket=bucket, Key=f"log/{CID}.json", Body=b"{}", Metadata={"passport": PASSPORT})
    told = _objects(lake)
    found = {
        (hit.where.removeprefix(f"s3://{bucket}").partition("/visit/")[0], hit.kind) for hit in told.hits()
    }
    assert found >= {(" (its name)", "cid"), ("/log/***.json (its metadata)", "passport")}
    columns = [hit for hit in told.hits() if hit.where.endswith("#note")]
    assert kinds(columns) == {"phone": 1}
    assert any("_delta_log" in hit.where for hit in told.hits()), (
        "delta-rs keeps minima of a column in its log"
    )
    assert not any(value in str(told.hits()) for value in VALUES.values())


COLUMNS = {
    "text": NAME,
    "jsonb": f'{{"a": ["{NAME}"]}}',
    "json": json.dumps({"a": NAME}),
    "bytea": NAME.encode(),
    "text[]": [NAME, "x"],
}


def test_a_value_in_any_kind_of_column_of_the_database_is_found(
    lake: Settings, connection: Connection[object]
) -> None:
    for number, (kind, value) in enumerate(COLUMNS.items()):
        connection.execute(f"create table planted_{number} (id int, value {kind})")
        connection.execute(f"insert into planted_{number} values (1, %s)", [value])
    try:
        found = {(hit.where.rpartition("public.")[2], hit.kind) for hit in _tables(lake).hits()}
    finally:
        for number in range(len(COLUMNS)):
            connection.execute(f"drop table planted_{number}")
    wanted = {
        (f"planted_{number}", kind) for number in range(len(COLUMNS)) for kind in ("full_name", "lname")
    }
    assert found == wanted


def test_what_the_server_keeps_of_a_column_is_searched_and_of_a_dropped_table_nothing_is_found(
    lake: Settings, connection: Connection[object]
) -> None:
    connection.execute("create table planted as select %s::text as value from generate_series(1, 50)", [CID])
    connection.execute("analyze planted")
    connection.execute(f"comment on table planted is '{PASSPORT}'")
    connection.execute("create materialized view kept as select value from planted limit 3")
    connection.execute("create table dropped as select %s::text as value", [NAME])
    connection.execute("drop table dropped")
    told = {hit.where.rpartition("table ")[2]: hit for hit in _tables(lake).hits()}
    connection.execute("drop table planted cascade")
    assert {hit.kind for hit in told.values()} == {"cid", "passport"}
    assert told["public.planted"].count == 50 and told["public.kept"].count == 3
    assert told["pg_catalog.pg_description"].kind == "passport"


def test_a_server_of_ones_own_is_searched_with_the_rights_of_its_role(
    lake: Settings, connection: Connection[object]
) -> None:
    connection.execute("create table granted as select %s::text as value", [CID])
    connection.execute("grant select on granted to khlang")
    connection.execute("create table kept_from_us as select %s::text as value", [CID])
    told = report()
    scan_databases(told, lake)
    connection.execute("drop table granted, kept_from_us")
    assert [hit.where.rpartition("table ")[2] for hit in told.hits()] == ["public.granted"]
    assert [where.rpartition("table ")[2] for where in told.unread] == ["public.kept_from_us"]


def _command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, str]:
    """`khlang WORDS` in this process: its exit code and its output."""
    monkeypatch.setattr(sys, "argv", ["khlang", *words])
    with pytest.raises(SystemExit) as ended:
        khlang_main.main()
    load.cache_clear()
    return int(ended.value.code or 0), capsys.readouterr().out


def test_the_command_says_where_and_what_kind_and_ends_with_four(
    stores: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    values, clean, dirty = tmp_path / "values.csv", tmp_path / "clean", tmp_path / "dirty"
    values.write_text(f"kind,value,scan\ncid,{CID},true\n", "utf-8")
    for folder, text in ((clean, "nothing"), (dirty, f"{CID}\n{CID}")):
        folder.mkdir()
        (folder / "a.log").write_text(text, "utf-8")
    command = ("scan", "--canaries", str(values))
    assert "0 found" in stores.run(*command, str(clean), "--buckets", "--databases")
    code, told = _command(monkeypatch, capsys, *command, str(dirty))
    assert code == 4 and "cid" in told and CID not in told
    assert f"{dirty / 'a.log'}\n" in told, "a place is never cut to the terminal's width"
    code, told = _command(monkeypatch, capsys, *command, str(tmp_path), "--json")
    lines = [json.loads(line) for line in told.splitlines()]
    assert code == 4
    assert [(line["kind"], line["count"], line["values"]) for line in lines] == [("cid", 2, 1)]
    assert _command(monkeypatch, capsys, *command, str(tmp_path / "nowhere"))[0] == 8
