"""Members -> bundles; results of workers -> accounts; a worker's failure never tells a value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from khlang.bronze.plan import Source, bundles, task
from khlang.bronze.publish import member_results, rows_by_table, written_files
from khlang.errors import BalanceError, StoreError
from khlang.lake.spread import _safe
from khlang.lake.tables import Part, Written, ranged


def _source(hospcode: str, position: int, size: int) -> Source:
    return Source(f"R{hospcode}", position, "PERSON", hospcode, "2026-09-02T10:00:00", 1, size, "place")


def test_bundles_keep_facilities_together_and_close_at_their_size() -> None:
    packed = bundles([_source("2", 1, 6), _source("1", 2, 6), _source("1", 1, 6), _source("3", 1, 6)], 10, 1)
    assert [[(s.hospcode, s.position) for s in bundle] for bundle in packed] == [
        [("1", 1), ("1", 2)], [("2", 1), ("3", 1)],
    ]  # fmt: skip


def test_few_bytes_are_spread_over_the_cores() -> None:
    assert len(bundles([_source(str(n), 1, 10) for n in range(8)], 1 << 20, 4)) == 4


@pytest.mark.parametrize("cores", [1, 2, 4])
def test_bundles_come_in_multiples_of_the_cores(cores: int) -> None:
    packed = bundles([_source(str(n), 1, 1) for n in range(120)], 25, cores)
    assert len(packed) % cores == 0
    assert max(len(bundle) for bundle in packed) <= 25


def test_a_large_member_is_a_bundle_of_its_own() -> None:
    packed = bundles([_source("1", 1, 100), _source("2", 1, 1), _source("3", 1, 1)], 50, 1)
    assert [len(bundle) for bundle in packed] == [1, 2]


def test_a_task_names_places_and_nothing_of_a_patient() -> None:
    told = task("b", "a", 3, [_source("1", 2, 6)], 1)
    assert told["members"] == [["R1", 2, "PERSON", "1", "2026-09-02T10:00:00", 1, "place", 6]]


RESULTS: list[dict[str, Any]] = [
    {
        "kind": "member", "file": "PERSON", "receipt": "R1", "position": 1, "codes": ["file.encoding"],
        "delivered": 3, "accepted": 2, "refused": 1, "repeated": 0, "faults": [["key.missing", "PID", 1]],
        "unknown_columns": [],
    },
    {"kind": "file", "table": "bronze.person", "path": "b/x", "size": 9, "rows": 3, "low": "1", "high": "2"},
]  # fmt: skip


def test_results_of_workers_become_accounts_and_files() -> None:
    account = member_results(RESULTS)[0]
    assert (account.codes, account.faults) == (("file.encoding",), {("key.missing", "PID"): 1})
    assert rows_by_table(written_files(RESULTS)) == {"bronze.person": 3}


def test_statistics_hold_the_facility_and_nothing_else() -> None:
    told = Written("bronze.person", "p", 1, 3, "00001", "00009").stats()
    assert told == (
        '{"numRecords": 3, "minValues": {"hospcode": "00001"}, "maxValues": {"hospcode": "00009"}, '
        '"nullCount": {"hospcode": 0}}'
    )


def test_a_file_name_tells_its_facilities() -> None:
    assert ranged("b/a-00001", ["00009", "00002"]) == "b/a-00001-00002-00009.parquet"


@pytest.mark.parametrize(
    ("low", "high", "near"), [("00001", "00003", True), ("00005", "00009", True), ("00007", "00009", False)]
)
def test_only_files_that_may_hold_a_facility_are_opened(low: str, high: str, near: bool) -> None:
    assert Part("p", 1, 1, "00002", "00006").overlaps(low, high) is near


def _breaks(_: dict[str, Any]) -> Iterator[dict[str, Any]]:
    raise ValueError("1101700207030 is not a number")
    yield {}


def _refuses(_: dict[str, Any]) -> Iterator[dict[str, Any]]:
    raise BalanceError("balance.rows", "3 rows for 4 lines", place="bronze.person")
    yield {}


def test_an_unforeseen_error_in_a_worker_keeps_its_type_and_loses_its_message() -> None:
    with pytest.raises(StoreError) as caught:
        list(_safe(_breaks, "{}"))
    assert "ValueError" in str(caught.value) and "1101700207030" not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_a_named_error_of_ours_passes_as_it_is() -> None:
    with pytest.raises(BalanceError, match="3 rows for 4 lines"):
        list(_safe(_refuses, "{}"))
