"""A bundle of members -> Parquet files of bronze, written by the worker that unzipped and de-identified."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import polars as pl

from khlang.conform.conform import Rules, conform, stored_schema
from khlang.conform.member import Member, MemberResult
from khlang.conform.unpack import Unpacked
from khlang.lake.keys import KeyStore
from khlang.lake.names import books
from khlang.lake.parquet import arrow_schema, write
from khlang.lake.stores import boto
from khlang.lake.tables import ranged
from khlang.lake.vault import open_many
from khlang.model.contract import Contract, contracts
from khlang.model.policy import policy
from khlang.settings import Settings, load


def read_members(settings: Settings, members: list[list[Any]]) -> dict[str, list[Member]]:
    """File of the standard -> its members with their bytes; each zip is opened once."""
    found: dict[str, list[Member]] = defaultdict(list)
    by_zip: dict[str, list[list[Any]]] = defaultdict(list)
    for member in members:
        by_zip[member[6]].append(member)
    for place, sealed in open_many(settings, list(by_zip)):
        with sealed, Unpacked(sealed, settings) as unpacked:
            for receipt, position, file, hospcode, sent_at, arrival, _ in by_zip[place]:
                at = datetime.fromisoformat(sent_at)
                found[file].append(Member(receipt, position, hospcode, at, arrival, unpacked.body(position)))
    return found


def _result(result: MemberResult, file: str) -> dict[str, Any]:
    """A member's account as plain values."""
    account = asdict(result)
    account["faults"] = [[code, column, count] for (code, column), count in result.faults.items()]
    return {"kind": "member", "file": file, **account}


def rules_for(settings: Settings, hospcodes: Sequence[str]) -> Callable[[Contract], Rules]:
    """A file's rules with the lake's key and the names that these facilities told; both are opened here."""
    names = books(settings, hospcodes)
    keys = KeyStore.open(settings).pseudonymiser("lake")
    return lambda contract: Rules(contract, policy("lake"), keys, names, settings.text_seconds)


def write_rows(
    settings: Settings, contract: Contract, batch: str, path: str, rows: pl.DataFrame
) -> dict[str, Any]:
    """Rows of one file of the standard as one Parquet file of its table; what was written."""
    marked = rows.with_columns(pl.lit(batch).alias("_batch")).sort("hospcode", maintain_order=True)
    schema = arrow_schema(stored_schema(contract))
    written = write(boto(settings, "lake"), settings, f"bronze.{contract.table}", path, marked, schema)
    return {"kind": "file", **asdict(written)}


def conform_bundle(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Conform every table of a bundle; yields one result per member and one per file written.

    Keys, names and zips are opened here, by reference. Files of an attempt that is not committed stay
    invisible and are swept later.
    """
    settings = load()
    bodies = read_members(settings, task["members"])
    facilities = sorted({member[3] for member in task["members"]})
    rules = rules_for(settings, facilities)
    for file, members in bodies.items():
        contract = contracts()[file]
        done = conform(members, rules(contract))
        yield from (_result(result, file) for result in done.members)
        if done.rows.height:
            path = ranged(f"{task['batch']}/{task['attempt']}-{task['number']:05d}", facilities)
            yield write_rows(settings, contract, task["batch"], path, done.rows)
