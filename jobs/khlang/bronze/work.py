"""A bundle of members -> Parquet files of bronze, written by the worker that unzipped and de-identified."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import polars as pl

from khlang.conform.conform import Rules, conform, stored_schema
from khlang.conform.large import conform_large, marked
from khlang.conform.member import Member, MemberResult
from khlang.conform.stream import Read
from khlang.conform.unpack import Unpacked
from khlang.lake import tables
from khlang.lake.keys import KeyStore
from khlang.lake.names import books
from khlang.lake.parquet import arrow_schema, write
from khlang.lake.stores import boto, storage_options
from khlang.lake.tables import ranged
from khlang.lake.vault import open_many
from khlang.model.contract import Contract, contracts
from khlang.model.policy import policy
from khlang.settings import Settings, load


def members_of(settings: Settings, listed: list[list[Any]]) -> Iterator[tuple[str, Member]]:
    """(file of the standard, member) of a task; each zip is opened once.

    A small member has its bytes. A large one is read from its zip, which closes when the next member is asked for.
    """
    by_zip: dict[str, list[list[Any]]] = defaultdict(list)
    for member in listed:
        by_zip[member[6]].append(member)
    for place, sealed in open_many(settings, list(by_zip)):
        with sealed, Unpacked(sealed, settings) as unpacked:
            for receipt, position, file, hospcode, sent_at, arrival, _, size in by_zip[place]:
                about = (receipt, position, hospcode, datetime.fromisoformat(sent_at), arrival)
                yield file, unpacked.member(size, *about)


def _result(result: MemberResult, file: str) -> dict[str, Any]:
    """A member's account as plain values."""
    account = asdict(result)
    account["faults"] = [[code, column, count] for (code, column), count in result.faults.items()]
    return {"kind": "member", "file": file, **account}


def rules_for(settings: Settings, hospcodes: Sequence[str], key_version: int) -> Callable[[Contract], Rules]:
    """A file's rules with the lake's key and the names that these facilities told; both are opened here."""
    names = books(settings, hospcodes)
    keys = KeyStore.open(settings).pseudonymiser("lake", key_version)
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
    facilities = sorted({member[3] for member in task["members"]})
    rules = rules_for(settings, facilities, task["key_version"])
    stem = f"{task['batch']}/{task['attempt']}-{task['number']:05d}"
    small: dict[str, list[Member]] = defaultdict(list)
    for file, member in members_of(settings, task["members"]):
        if member.read is None:
            small[file].append(member)
        else:
            yield from _large(settings, task["batch"], stem, member, member.read, rules(contracts()[file]))
    for file, members in small.items():
        contract = contracts()[file]
        done = conform(members, rules(contract))
        yield from (_result(result, file) for result in done.members)
        if done.rows.height:
            yield write_rows(settings, contract, task["batch"], ranged(stem, facilities), done.rows)


def _large(
    settings: Settings, batch: str, stem: str, member: Member, read: Read, rules: Rules
) -> Iterator[dict[str, Any]]:
    """A large member, a file for each piece; those of which a later piece replaces rows are written anew."""
    stem = f"{stem}.{member.arrival}.{member.position}"
    written: list[dict[str, Any]] = []

    def _write(name: str, rows: pl.DataFrame) -> dict[str, Any]:
        return write_rows(settings, rules.contract, batch, ranged(f"{stem}.{name}", [member.hospcode]), rows)

    done = conform_large(member, read, rules, lambda number, rows: written.append(_write(str(number), rows)))
    for number, lines in done.repeated.items():
        written[number] = _write(f"{number}r", marked(_stored(settings, written[number]), lines))
    yield _result(done.result, rules.contract.file)
    yield from written


def _stored(settings: Settings, file: dict[str, Any]) -> pl.DataFrame:
    """The rows of a file that this worker wrote."""
    at = f"{tables.uri(settings, file['table'])}/{file['path']}"
    rows = pl.read_parquet(at, storage_options=storage_options(settings), hive_partitioning=False)
    return rows.drop("_batch")
