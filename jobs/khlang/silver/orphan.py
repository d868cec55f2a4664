"""Current rows without their parent: kept as silver.orphan, a row per child and parent rule (parent.missing)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
PLACE = ("_receipt", "_member", "_line", "_key")


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


def _fields(columns: tuple[str, ...]) -> list[str]:
    return [name.lower() for name in columns]


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

    def fresh(self, contract: Contract) -> list[str]:
        """Files with the rows that the batch wrote, or all files for facilities that were resolved anew."""
        files = self.task["files"].get(contract.table, [])
        batch = f"{self.task['batch']}/"
        wanted = [part for part in files if self.task["resolve"] or part["path"].startswith(batch)]
        return chosen(wanted, self.hospcodes)

    def rows(
        self, contract: Contract, paths: Sequence[str], columns: Iterable[str], hospcodes: list[str]
    ) -> pl.DataFrame:
        """Rows of these facilities in these files."""
        schema = silver_schema(contract)
        name = f"silver.{contract.table}"
        return read(self.settings, name, paths, schema, list(columns), of_facilities(hospcodes))

    def before(self) -> pl.DataFrame:
        """Orphans of these facilities, or whose parent would be theirs, with the file they lie in."""
        schema = orphan_schema()
        mine = of_facilities(self.hospcodes) | pl.col("parent_hospcode").is_in(self.hospcodes)
        paths = [part["path"] for part in self.task["orphans"]]
        return read(self.settings, NAME, paths, schema, list(schema), mine, "_path")


def _by_child() -> dict[str, list[Rule]]:
    """File -> the parent rules of its rows."""
    found: dict[str, list[Rule]] = {}
    for rule in rules():
        found.setdefault(rule.contract.file, []).append(rule)
    return found


def _targets() -> dict[tuple[str, tuple[str, ...]], list[str]]:
    """(parent file, its columns that are named) -> tables of the children."""
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for rule in rules():
        found.setdefault((rule.parent.file, rule.parent.parent_columns), []).append(rule.contract.table)
    return found


def _parents(group: Group) -> dict[str, pl.DataFrame]:
    """File that is a parent -> the columns that children name, of the rows that the batch wrote."""
    columns: dict[str, set[str]] = {}
    for rule in rules():
        columns.setdefault(rule.parent.file, set()).update(_fields(rule.parent.parent_columns))
    found = {}
    for file, wanted in columns.items():
        contract = contracts()[file]
        found[file] = group.rows(contract, group.fresh(contract), sorted(wanted), group.hospcodes)
    return found


def _unmatched(rule: Rule, rows: pl.DataFrame, parents: pl.DataFrame) -> pl.DataFrame:
    """Child rows with a link to none of these parents; an empty value is no link."""
    mine, theirs = _fields(rule.parent.columns), _fields(rule.parent.parent_columns)
    linked = rows.drop_nulls(mine)
    return linked.join(parents, left_on=mine, right_on=theirs, how="anti")


def _looked_up(group: Group, target: tuple[str, tuple[str, ...]], pending: pl.DataFrame) -> pl.DataFrame:
    """Pending links whose parent stands in no file of the lake: only their facilities are read."""
    file, columns = target
    contract, asked = contracts()[file], sorted(pending["parent_hospcode"].unique().to_list())
    paths = chosen(group.task["files"].get(contract.table, []), asked) if asked else []
    rows = group.rows(contract, paths, _fields(columns), asked)
    parents = rows.select(pl.col("hospcode").alias("parent_hospcode"), _link(columns).alias("link"))
    return pending.join(parents, on=["parent_hospcode", "link"], how="anti", maintain_order="left")


def _without_parent(group: Group, before: pl.DataFrame) -> pl.DataFrame:
    """Orphans as they are now: of the batch's rows, and of those known before that no row replaced.

    Most children come with their parents, so these are looked at first; the state is read for the rest alone.
    """
    parents = _parents(group)
    known = before.drop("_path")
    if group.task["resolve"]:
        known = known.filter(~of_facilities(group.hospcodes))
    pending = []
    for file, own in _by_child().items():
        contract = contracts()[file]
        columns = {name for rule in own for name in _fields(rule.parent.columns)}
        paths = group.fresh(contract)
        rows = group.rows(contract, paths, [*sorted(columns | {"hospcode"}), *PLACE], group.hospcodes)
        replaced = rows.select(pl.lit(contract.table).alias("table_name"), "hospcode", _child=pl.col("_key"))
        known = known.join(replaced, on=["table_name", "hospcode", "_child"], how="anti")
        pending += [links(rule, _unmatched(rule, rows, parents[rule.parent.file])) for rule in own]
    found = pl.concat([known, *pending])
    missing = []
    for target, tables in _targets().items():
        mine = found.filter((pl.col("parent") == target[0]) & pl.col("table_name").is_in(tables))
        missing.append(_looked_up(group, target, mine))
    return pl.concat(missing)


def find_orphans(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Phase 3, for some facilities: yields the file of new orphans, and notes those that are none any more.

    An orphan whose row or link changed is replaced: its line in the lake is the one it has now.
    """
    settings = load()
    group = Group(settings, task)
    before = group.before()
    after = _without_parent(group, before)
    same = ["_key", "parent_hospcode", "link", "_receipt", "_member", "_line"]
    gone = before.join(after, on=same, how="anti").select("_path", "_key")
    fresh = after.join(before, on=same, how="anti").with_columns(pl.lit(task["batch"]).alias("_batch"))
    if fresh.height:
        path = f"{task['batch']}/{task['attempt']}-{task['number']:05d}.parquet"
        schema = arrow_schema(orphan_schema())
        written = write(boto(settings, "lake"), settings, NAME, path, fresh.sort("hospcode", "_key"), schema)
        yield {"kind": "file", **asdict(written)}
    if gone.height:
        yield {"kind": "drops", "table": NAME, **put_drops(settings, task, gone)}
