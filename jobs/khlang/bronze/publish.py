"""Results of the workers -> commits of bronze tables, and the accounts of members."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from khlang.bronze.standing import Scope, fault_counts, of_table
from khlang.conform.conform import stored_schema
from khlang.conform.member import MemberResult
from khlang.lake import tables
from khlang.lake.ledger import Batch, Met
from khlang.lake.parquet import arrow_schema
from khlang.lake.tables import Part, Written
from khlang.model.contract import contracts
from khlang.settings import Settings

COMMIT_THREADS = 8

Results = Sequence[Mapping[str, Any]]


def create_tables(settings: Settings, visible: Mapping[str, int]) -> None:
    """Every table of bronze exists from the first batch on, and has every column of its contract."""

    def _create(table: str) -> None:
        contract = contracts()[table.upper()]
        tables.create(settings, f"bronze.{table}", arrow_schema(stored_schema(contract)), contract.title_en)

    missing = [c.table for c in contracts().values() if f"bronze.{c.table}" not in visible]
    with ThreadPoolExecutor(COMMIT_THREADS) as pool:
        list(pool.map(_create, missing))


def written_files(results: Results) -> dict[str, list[Written]]:
    """Table -> files that workers wrote for it."""
    found: dict[str, list[Written]] = defaultdict(list)
    for result in results:
        if result["kind"] == "file":
            found[result["table"]].append(Written(**{k: v for k, v in result.items() if k != "kind"}))
    return found


def member_results(results: Results) -> list[MemberResult]:
    """The accounts of members as the ledger takes them."""
    kept = []
    for result in results:
        if result["kind"] != "member":
            continue
        row = {k: v for k, v in result.items() if k not in ("kind", "file")}
        row["faults"] = {(code, column): count for code, column, count in row["faults"]}
        row["found"] = tuple((kind, pseudonym) for kind, pseudonym in row.get("found", ()))
        kept.append(
            MemberResult(
                **{**row, "codes": tuple(row["codes"]), "unknown_columns": tuple(row["unknown_columns"])}
            )
        )
    return kept


def met(results: Iterable[MemberResult]) -> Met:
    """Which deliveries hold erased persons, and their pseudonyms that nobody knew before."""
    holding = [result for result in results if result.holds_erased]
    receipts = dict.fromkeys(result.receipt for result in holding)
    return Met(tuple(receipts), tuple(dict.fromkeys(one for result in holding for one in result.found)))


def accounts(
    settings: Settings, batch: Batch, results: Results, versions: Mapping[str, int], earlier: Iterable[str]
) -> list[MemberResult]:
    """The accounts of members; in tables that an earlier attempt committed, with the faults of its rows.

    The two attempts may differ in withheld texts: the name book grows between them.
    """
    told = member_results(results)
    table = {(r["receipt"], r["position"]): r["file"].lower() for r in results if r["kind"] == "member"}
    scope = Scope({batch.id}, {d.hospcode for d in batch.deliveries if d.hospcode is not None})
    receipts = {delivery.receipt for delivery in batch.deliveries}
    for name in earlier:
        counts = fault_counts(of_table(settings, name, versions[name], scope, receipts))
        told = [
            replace(one, faults=counts.get((one.receipt, one.position), {}))
            if f"bronze.{table[one.receipt, one.position]}" == name
            else one
            for one in told
        ]
    return told


def rows_by_table(written: Mapping[str, Sequence[Written]]) -> dict[str, int]:
    """Table -> rows written."""
    return {name: sum(file.rows for file in files) for name, files in written.items()}


def commit_tables(
    settings: Settings,
    batch: str,
    written: Mapping[str, Sequence[Written]],
    note: Mapping[str, str],
    removed: Mapping[str, Sequence[Part]] | None = None,
) -> tuple[dict[str, int], frozenset[str]]:
    """One commit per table, `removed` files out; every table gets its version, also those without new rows.

    Files for a table that an earlier attempt of the batch had committed are removed again; also returns the
    tables of which that happened.
    """
    earlier: set[str] = set()

    def _commit(name: str) -> int:
        files = written.get(name, [])
        version, made = tables.commit(
            settings, name, f"{batch}/{name}", files, (removed or {}).get(name, ()), note
        )
        if not made and files:
            earlier.add(name)
            tables.discard(settings, name, files)
        return version

    names = [f"bronze.{contract.table}" for contract in contracts().values()]
    with ThreadPoolExecutor(COMMIT_THREADS) as pool:
        versions = dict(zip(names, pool.map(_commit, names), strict=True))
    return versions, frozenset(earlier)
