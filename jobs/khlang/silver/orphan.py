"""Current rows without their parent: kept as silver.orphan, a row per child and parent rule (parent.missing)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from khlang.conform.identity import key_hash
from khlang.lake.parquet import arrow_schema, write
from khlang.lake.stores import boto
from khlang.model.contract import Contract, Parent, contracts
from khlang.settings import Settings, load
from khlang.silver.current import silver_schema
from khlang.silver.stored import chosen, of_facilities, put_drops, read

NAME = "silver.orphan"
LINK_BETWEEN = "|"


def orphan_schema() -> dict[str, pl.DataType]:
    """Columns of silver.orphan; `column_name` is the link's last column, `link` its pseudonyms."""
    text = ["hospcode", "table_name", "parent", "column_name", "parent_hospcode", "link", "_receipt"]
    return {
        **dict.fromkeys(text, pl.String()), "_member": pl.Int32(), "_line": pl.Int32(),
        "_child": pl.Binary(), "_key": pl.Binary(), "_batch": pl.String(),
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """One parent rule of one file: which child columns must stand in which parent's columns."""

    contract: Contract
    parent: Parent

    @property
    def parent_contract(self) -> Contract:
        """The parent's contract."""
        return contracts()[self.parent.file]


def rules() -> list[Rule]:
    """Every parent rule of every contract."""
    return [Rule(contract, parent) for contract in contracts().values() for parent in contract.parents]


def _link(columns: tuple[str, ...]) -> pl.Expr:
    """The link's values besides the facility, null when one of them is (an empty value is no link)."""
    return pl.concat_str([pl.col(name.lower()) for name in columns[1:]], separator=LINK_BETWEEN)


def links(rule: Rule, rows: pl.DataFrame) -> pl.DataFrame:
    """Child rows -> one candidate per row that has a link, in the form of silver.orphan."""
    facility = pl.col(rule.parent.columns[0].lower())
    candidates = rows.select(
        "hospcode", pl.lit(rule.contract.table).alias("table_name"), pl.lit(rule.parent.file).alias("parent"),
        pl.lit(rule.parent.columns[-1]).alias("column_name"), facility.alias("parent_hospcode"),
        _link(rule.parent.columns).alias("link"), "_receipt", "_member", "_line", pl.col("_key").alias("_child"),
    ).filter(pl.col("link").is_not_null() & pl.col("parent_hospcode").is_not_null())  # fmt: skip
    child = candidates["_child"].bin.encode("hex")
    own = key_hash([candidates["table_name"], candidates["parent"], candidates["hospcode"], child])
    return candidates.with_columns(own.alias("_key"), pl.lit("").alias("_batch")).select(
        list(orphan_schema())
    )


@dataclass(frozen=True, slots=True)
class Group:
    """Some facilities and the files of the version that this batch makes."""

    settings: Settings
    task: dict[str, Any]

    @property
    def hospcodes(self) -> list[str]:
        """The facilities, sorted."""
        return list(self.task["hospcodes"])

    def children(self, rule: Rule) -> pl.DataFrame:
        """Rows that the batch wrote, or all rows of facilities that were resolved anew."""
        contract, files = rule.contract, self.task["files"].get(rule.contract.table, [])
        fresh = [
            part for part in files if self.task["resolve"] or part["path"].startswith(self.task["batch"])
        ]
        columns = sorted({name.lower() for name in rule.parent.columns} | {"hospcode"})
        columns += ["_receipt", "_member", "_line", "_key"]
        paths = chosen(fresh, self.hospcodes)
        where = of_facilities(self.hospcodes)
        return read(self.settings, f"silver.{contract.table}", paths, silver_schema(contract), columns, where)

    def parents(self, rule: Rule, hospcodes: list[str]) -> pl.DataFrame:
        """(parent, parent_hospcode, link) of the parent rows of these facilities."""
        contract = rule.parent_contract
        paths = chosen(self.task["files"].get(contract.table, []), hospcodes) if hospcodes else []
        columns = [name.lower() for name in rule.parent.parent_columns]
        schema = silver_schema(contract)
        rows = read(
            self.settings, f"silver.{contract.table}", paths, schema, columns, of_facilities(hospcodes)
        )
        found = rows.select(
            pl.lit(contract.file).alias("parent"), pl.col("hospcode").alias("parent_hospcode"),
            _link(rule.parent.parent_columns).alias("link"),
        )  # fmt: skip
        return found.unique()

    def before(self) -> pl.DataFrame:
        """Orphans of these facilities, or whose parent would be theirs, with the file they lie in."""
        schema = orphan_schema()
        mine = of_facilities(self.hospcodes) | pl.col("parent_hospcode").is_in(self.hospcodes)
        paths = [part["path"] for part in self.task["orphans"]]
        return read(self.settings, NAME, paths, schema, list(schema), mine, "_path")


def _without_parent(group: Group, pending: pl.DataFrame) -> pl.DataFrame:
    """Those of the pending links whose parent row is not in the lake."""
    missing = []
    for rule in rules():
        mine = pending.filter(
            (pl.col("table_name") == rule.contract.table) & (pl.col("parent") == rule.parent.file)
        )
        if not mine.height:
            continue
        parents = group.parents(rule, sorted(mine["parent_hospcode"].unique().to_list()))
        missing.append(mine.join(parents, on=["parent", "parent_hospcode", "link"], how="anti"))
    return pl.concat(missing) if missing else pending.clear()


def find_orphans(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Phase 3, for some facilities: yields the file of new orphans, and notes those that are none any more."""
    settings = load()
    group = Group(settings, task)
    before = group.before()
    candidates = pl.concat([links(rule, group.children(rule)) for rule in rules()])
    known = before.drop("_path").join(candidates, on="_key", how="anti")
    if task["resolve"]:
        known = known.filter(~of_facilities(group.hospcodes))
    after = _without_parent(group, pl.concat([known, candidates]))
    gone = before.join(after, on="_key", how="anti").select("_path", "_key")
    fresh = after.join(before, on="_key", how="anti").with_columns(pl.lit(task["batch"]).alias("_batch"))
    if fresh.height:
        path = f"{task['batch']}/{task['attempt']}-{task['number']:05d}.parquet"
        schema = arrow_schema(orphan_schema())
        written = write(boto(settings, "lake"), settings, NAME, path, fresh.sort("hospcode", "_key"), schema)
        yield {"kind": "file", **asdict(written)}
    if gone.height:
        yield {"kind": "drops", "table": NAME, **put_drops(settings, task, gone)}
