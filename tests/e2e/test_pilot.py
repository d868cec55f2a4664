"""The pilot pack through the real chain equals its truth, to the row, the fault and the unit."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from duckdb_extensions import import_extension

from khlang.conform.dry import check
from khlang.lake import tables
from khlang.lake.passes import FIRST
from khlang.lake.stores import storage_options
from khlang.settings import PROJECT, Settings
from lakes import Lake
from pilot import compare, journey, truth
from pilot.compare import Compared
from pilot.journey import Journey
from pilot.leaks import leaks

pytestmark = [pytest.mark.stack, pytest.mark.timeout(2400)]

CHECKED = 5
"""Zips whose receipt is made a second time, offline."""
COMPARISONS: list[Callable[[Settings], Compared]] = [
    compare.current_rows, compare.orphans, compare.column_figures, compare.indicators,
]  # fmt: skip


@pytest.fixture(scope="module")
def travelled(own_stores: Lake) -> Journey:
    """The pilot, loaded, curated, published."""
    assert truth.found(), f"the pilot extracts are not at {truth.FOLDER}: set KHLANG_PILOT"
    done = journey.travel(own_stores)
    journey.print_table("pilot: seconds per step", [], done.seconds)
    return done


@pytest.fixture(scope="module")
def told(travelled: Journey) -> dict[str, dict[str, object]]:
    """Receipt -> what the lake says of it."""
    return travelled.receipts()


def _holds(compared: Compared) -> None:
    print(f"\n  {compared.line()}")
    assert compared.compared, "nothing was compared"
    assert not compared.wrong, "\n".join(compared.wrong[:20])


@pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda c: c.__name__)
def test_the_lake_equals_the_truth(travelled: Journey, comparison: Callable[[Settings], Compared]) -> None:
    _holds(comparison(travelled.lake.settings))


@pytest.mark.parametrize(
    "comparison", [compare.verdicts, compare.member_lines, compare.found_faults], ids=lambda c: c.__name__
)
def test_receipts_equal_the_truth(
    travelled: Journey, told: dict[str, dict[str, object]], comparison: Callable[..., Compared]
) -> None:
    _holds(comparison(travelled.places, told))


NEED_THE_LAKE = {"parent.missing", "note.identifier", "note.withheld"}
"""Codes of rows that a check on the clerk's machine can not know (exact rules, 17)."""


def _without_the_lake(receipt: dict[str, Any]) -> list[Any]:
    """Member, file, counts and faults of a receipt, without what only the lake knows and without names (12)."""
    return [
        (
            member["table"], sorted(member["codes"]), member["delivered"], member["accepted"], member["refused"],
            [tuple(f.values()) for f in member["faults"] if f["code"] not in NEED_THE_LAKE],
        )
        for member in receipt["members"]
    ]  # fmt: skip


def test_a_check_on_the_clerks_machine_says_what_the_lake_says(
    travelled: Journey, told: dict[str, dict[str, Any]]
) -> None:
    settings, compared = travelled.lake.settings, 0
    for receipt, path in sorted(travelled.places.items()):
        if told[receipt]["state"] != "current":
            continue
        with (truth.FOLDER / "inbox" / path).open("rb") as sent:
            checked = check(sent, Path(path).name, settings).as_json()
        assert _without_the_lake(checked) == _without_the_lake(told[receipt]), receipt
        compared += 1
        if compared == CHECKED:
            break
    assert compared == CHECKED


def test_bronze_has_every_delivered_row_once(travelled: Journey) -> None:
    expected: dict[tuple[str, str], int] = {}
    for row in truth.rows("files"):
        lines = int(row["lines_without_header"])
        if lines:
            expected[row["zip"], row["table"]] = expected.get((row["zip"], row["table"]), 0) + lines
    got: dict[tuple[str, str], int] = {}
    for file in sorted({table for _, table in expected}):
        rows = tables.frame(
            travelled.lake.settings,
            f"bronze.{file.lower()}",
            columns=["_receipt", "_member", "_line", "_pass"],
        )
        rows = rows.filter(pl.col("_pass") == FIRST)  # a later pass is the same line with its text
        counted = rows.unique().group_by("_receipt").len().collect()
        total = rows.select(pl.len()).collect().item()
        assert counted["len"].sum() == total, f"{file}: a line stands twice"
        got |= {(travelled.places[receipt], file): count for receipt, count in counted.iter_rows()}
    print(f"\n  rows of bronze per file and delivery                 {len(expected):>8} compared")
    assert got == expected


def test_a_killed_driver_left_nothing_behind(travelled: Journey) -> None:
    # The batch of month one was killed half way and run again; all comparisons above are of its result.
    assert travelled.killed_in_the_middle
    conformed = journey.conformed_again(travelled)
    assert conformed, "nothing was compared"
    differing = {name for name, (again, stored) in conformed.items() if again != stored}
    assert not differing


def test_the_same_zips_renamed_in_another_order_change_no_row(
    travelled: Journey, tmp_path_factory: pytest.TempPathFactory
) -> None:
    before = journey.silver_hashes(travelled)
    copies = journey.renamed(truth.deliveries(), tmp_path_factory.mktemp("renamed"))
    told = travelled.lake.json_lines("deliver", *map(str, copies))
    assert {row["state"] for row in told} == {"duplicate"}
    travelled.run("bronze", expect=(99,))
    travelled.run("silver", expect=(99,))
    assert journey.silver_hashes(travelled) == before


def test_every_engine_reads_every_table(travelled: Journey) -> None:
    settings = travelled.lake.settings
    options = storage_options(settings)
    connection = duckdb.connect()
    for extension in ("httpfs", "delta"):
        import_extension(extension, con=connection)
        connection.execute(f"LOAD {extension}")
    connection.execute(journey.duckdb_secret(settings))
    visible = tables.visible(settings)
    assert {name.partition(".")[0] for name in visible} == {"bronze", "silver", "gold"}
    for name, version in sorted(visible.items()):
        uri = tables.uri(settings, name)
        deltalake_rows = tables.open_table(settings, name, version).count()
        polars_rows = (
            pl.scan_delta(uri, version=version, storage_options=options).select(pl.len()).collect().item()
        )
        duckdb_rows = connection.execute(
            f"SELECT count(*) FROM delta_scan('{uri}', version := {version})"
        ).fetchone()
        assert duckdb_rows is not None
        assert deltalake_rows == polars_rows == duckdb_rows[0], name


@pytest.mark.parametrize(
    "notebook", sorted((PROJECT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem
)
def test_a_notebook_runs_from_its_first_cell_to_its_last(travelled: Journey, notebook: Path) -> None:
    command = [sys.executable, "-m", "pytest", "--nbmake", "-q", "-p", "no:cacheprovider", str(notebook)]
    done = subprocess.run(
        command, cwd=PROJECT, env=travelled.lake.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout[-3000:]


def test_none_of_the_truths_identifiers_stands_outside_landing(travelled: Journey) -> None:
    settings, planted = travelled.lake.settings, "7980000123456"
    log, packed = settings.root / "logs" / "planted.log", settings.root / "tmp" / "planted.gz"
    log.write_text(f"the scan must find {planted}\n" * 2, "utf-8")
    packed.parent.mkdir(exist_ok=True)
    packed.write_bytes(gzip.compress(f"ผู้ป่วย {planted}".encode("utf-16-le")))
    try:
        found = leaks(settings, truth.FOLDER / "truth", {"planted": planted})
    finally:
        log.unlink()
        packed.unlink()
    totals, searched = found.report.totals, len(found.report.search.canaries.values)
    print(f"\n  bytes searched for {searched} identifiers                {totals['bytes']:>12}")
    print(f"  columns compared with the short ones                 {found.columns:>8}")
    by_us = [hit for hit in found.report.hits() if hit.kind == "planted"]
    assert {Path(hit.where.partition("!")[0]) for hit in by_us} == {log.resolve(), packed.resolve()}
    assert totals["bytes"] > 100_000_000 and searched > 100_000 and found.columns > 1000
    assert not found.report.unread
    assert not found.short and len(by_us) == len(found.report.hits()), "\n".join(found.lines()[:40])
