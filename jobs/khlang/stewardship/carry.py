"""Stored rows -> the same rows with their pseudonyms under the next version of the key, hashes made anew."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from khlang.conform.identity import key_hash, row_hash
from khlang.conform.pseudonym import LETTERS, Pseudonymiser
from khlang.model.contract import Column, Contract, contracts
from khlang.model.policy import policy
from khlang.silver.orphan import LINK_BETWEEN, rules

PERSON_DOMAINS = {LETTERS[domain]: domain for domain in ("person", "patient")}
"""First letter of a person_key -> its domain: a citizen's, or that of a patient without a valid id."""


def keyed_columns(contract: Contract) -> dict[str, str]:
    """Column in the lake -> domain, of every column that holds pseudonyms."""
    chosen = (column for column in contract.current if policy("lake").action(column) == "pseudonym")
    return {column.field: _domain(column) for column in chosen}


def _domain(column: Column) -> str:
    assert column.domain is not None, "the policy refuses a pseudonym without a domain"
    return column.domain


def carried(contract: Contract, rows: pl.DataFrame, keys: Pseudonymiser, since: int) -> pl.DataFrame:
    """Rows of a bronze or silver table of the file; every other value, place and mark stays as it is.

    A refused line without values has no hashes and gets none.
    """
    moved = {
        name: keys.forward(domain, rows[name], since) for name, domain in keyed_columns(contract).items()
    }
    if "person_key" in rows.columns:
        moved["person_key"] = of_persons(rows["person_key"], keys, since)
    rows = rows.with_columns(**moved)
    fields = [column.field for column in contract.current]
    hashes = rows.select(
        key_hash([rows[name.lower()] for name in contract.key]).alias("_key"),
        row_hash([rows[f] for f in fields]).alias("_row"),
    )
    known = rows["_key"].is_not_null()
    return rows.with_columns(
        pl.when(known).then(hashes[name]).otherwise(None).alias(name) for name in ("_key", "_row")
    )


def of_persons(values: pl.Series, keys: Pseudonymiser, since: int) -> pl.Series:
    """Pseudonyms of citizens and patients in one column, each in its own domain."""
    moved = pl.Series(values.name, [None], dtype=pl.String).new_from_index(0, len(values))
    for letter, domain in PERSON_DOMAINS.items():
        mine = values.str.starts_with(letter).fill_null(False)
        moved = moved.zip_with(~mine, keys.forward(domain, values.set(~mine, None), since))
    return moved


def orphans_carried(
    rows: pl.DataFrame, children: pl.DataFrame, keys: Pseudonymiser, since: int
) -> pl.DataFrame:
    """Rows of silver.orphan; `children`: (table_name, _child, _fresh), the keys of their rows before and after."""
    parts = [rows.clear()]
    for rule in rules():
        where = {
            "table_name": rule.contract.table,
            "parent": rule.parent.file,
            "column_name": rule.parent.columns[-1],
        }
        mine = rows.filter(pl.all_horizontal(pl.col(name) == value for name, value in where.items()))
        if mine.height:
            link = _link_carried(
                mine["link"], [rule.contract.column(c) for c in rule.parent.columns[1:]], keys, since
            )
            parts.append(mine.with_columns(link.alias("link")))
    whole = pl.concat(parts)
    if whole.height != rows.height:
        raise ValueError("an orphan of no rule")
    whole = whole.join(children, on=["table_name", "_child"], how="left", maintain_order="left")
    child = whole["_fresh"]
    own = key_hash([whole["table_name"], whole["parent"], whole["hospcode"], child.bin.encode("hex")])
    return (
        whole.with_columns(child.alias("_child"), own.alias("_key"))
        .select(rows.columns)
        .sort("hospcode", maintain_order=True)
    )


def _link_carried(links: pl.Series, columns: Sequence[Column], keys: Pseudonymiser, since: int) -> pl.Series:
    """The values of a link, each in the domain of its column; what is no pseudonym stays."""
    split = links.str.split_exact(LINK_BETWEEN, len(columns) - 1).struct.unnest()
    moved = [
        keys.forward(column.domain, split[f"field_{at}"], since) if column.domain else split[f"field_{at}"]
        for at, column in enumerate(columns)
    ]
    frame = pl.DataFrame([values.alias(str(at)) for at, values in enumerate(moved)])
    return frame.select(pl.concat_str(pl.all(), separator=LINK_BETWEEN)).to_series()


def files_with_people() -> dict[str, Contract]:
    """Table name -> contract, of every file of the standard."""
    return {contract.table: contract for contract in contracts().values()}
