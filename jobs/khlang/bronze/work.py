"""A bundle of members -> Parquet files of bronze, written by the worker that unzipped and de-identified."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

import polars as pl

from khlang.conform.conform import Rules, conform, stored_schema
from khlang.conform.member import Member, MemberResult
from khlang.conform.text.names import Names
from khlang.conform.unpack import Unpacked
from khlang.lake.keys import KeyStore
from khlang.lake.names import book
from khlang.lake.parquet import arrow_schema, write
from khlang.lake.stores import boto
from khlang.lake.tables import ranged
from khlang.lake.vault import open_sealed
from khlang.model.contract import contracts
from khlang.model.policy import policy
from khlang.settings import Settings, load


def read_members(settings: Settings, members: list[list[Any]]) -> dict[str, list[Member]]:
    """File of the standard -> its members with their bytes; each zip is opened once."""
    found: dict[str, list[Member]] = defaultdict(list)
    by_zip: dict[str, list[list[Any]]] = defaultdict(list)
    for member in members:
        by_zip[member[6]].append(member)
    for landing_key, wanted in by_zip.items():
        with open_sealed(settings, landing_key) as sealed, Unpacked(sealed, settings) as unpacked:
            for receipt, position, file, hospcode, sent_at, arrival, _ in wanted:
                place = (receipt, position, hospcode, datetime.fromisoformat(sent_at), arrival)
                found[file].append(Member(*place, unpacked.body(position)))
    return found


def _result(result: MemberResult, file: str) -> dict[str, Any]:
    """A member's account as plain values."""
    account = asdict(result)
    account["faults"] = [[code, column, count] for (code, column), count in result.faults.items()]
    return {"kind": "member", "file": file, **account}


def conform_bundle(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Conform every table of a bundle; yields one result per member and one per file written.

    Keys, names and zips are opened here, by reference. Files of an attempt that is not committed stay
    invisible and are swept later.
    """
    settings = load()
    bodies = read_members(settings, task["members"])
    facilities = sorted({member[3] for member in task["members"]})
    names = Names.merge([book(settings, hospcode) for hospcode in facilities])
    keys = KeyStore.open(settings).pseudonymiser("lake")
    rules = policy("lake")
    client = boto(settings, "lake")
    for file, members in bodies.items():
        contract = contracts()[file]
        done = conform(members, Rules(contract, rules, keys, names, settings.text_seconds))
        yield from (_result(result, file) for result in done.members)
        if not done.rows.height:
            continue
        rows = done.rows.with_columns(pl.lit(task["batch"]).alias("_batch")).sort(
            "hospcode", maintain_order=True
        )
        path = ranged(f"{task['batch']}/{task['attempt']}-{task['number']:05d}", facilities)
        schema = arrow_schema(stored_schema(contract))
        written = write(client, settings, f"bronze.{contract.table}", path, rows, schema)
        yield {"kind": "file", **asdict(written)}
