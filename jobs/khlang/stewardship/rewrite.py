"""Committed files of bronze -> the same files without the erased persons: every other row as it was, in its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from khlang.bronze.standing import Scope, fault_counts, outcomes, standing
from khlang.conform.conform import stored_schema
from khlang.conform.erased import CID, CODE, PID, REFERRAL, Tombstones, has_pid, naming
from khlang.conform.identity import key_hash, row_hash
from khlang.conform.rows import FAULT
from khlang.lake import tables
from khlang.lake.ledger import Recount, Reread
from khlang.lake.parquet import arrow_schema, write
from khlang.lake.stores import boto
from khlang.lake.tables import Part, Written
from khlang.model.contract import Contract, contracts
from khlang.settings import Settings
from khlang.silver.stored import read
from khlang.stewardship.compare import BETWEEN
from khlang.stewardship.compare import MOVED as COMPARED

PLACE = ["_receipt", "_member", "_line"]
MOVED = {"_receipt": pl.String(), "_member": pl.Int32(), **COMPARED}
"""What the edited lines of deliveries lose and gain (compare.moved), with their places."""

_OURS = re.compile(r"^erased-[0-9a-f]{8}-")


def _keep_marks(path: str, attempt: str) -> str:
    """A new name in the same folder: batch, range of facilities and the mark of later passes stay readable."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/erased-{attempt}-{_OURS.sub('', name)}"


def _in(column: str, known: Iterable[str]) -> pl.Expr:
    listed = pl.Series(sorted(known), dtype=pl.String).implode()
    return pl.col(column).is_in(listed).fill_null(False)


def theirs(contract: Contract, tombstones: Tombstones) -> pl.Expr:
    """Stored rows that are an erased person's."""
    if not has_pid(contract):
        links = [_in(c.field, tombstones.referrals) for c in contract.current if c.domain == REFERRAL]
        return pl.any_horizontal(links) if links else pl.lit(False)
    mine = _in(PID.lower(), tombstones.patients)
    if any(column.name == CID for column in contract.current):
        mine = mine | (_in("cid", tombstones.persons) & ~_in("pid", tombstones.spared))
    return mine


def naming_them(contract: Contract, tombstones: Tombstones) -> pl.Expr:
    """Stored rows in which an erased person stands at all."""
    named = [_in(c.field, tombstones.of_domain(c.domain)) for c in naming(contract)]
    return pl.any_horizontal(theirs(contract, tombstones), *named)


def _rehashed(rows: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Rows with the key and row hashes of their values."""
    columns = [rows[column.field] for column in contract.current]
    keys = key_hash([rows[name.lower()] for name in contract.key])
    return rows.with_columns(keys.alias("_key"), row_hash(columns).alias("_row"))


def without_them(
    rows: pl.DataFrame,
    contract: Contract,
    tombstones: Tombstones,
    moved: pl.DataFrame,
    delivering: Mapping[str, str],
) -> pl.DataFrame:
    """Rows of one file (placed by `at`) as conform gives them for the redacted zips; `delivering`: receipt -> facility.

    `moved` names the edited lines; what was stored by other rules and names an erased person goes as well.
    """
    told = rows.join(moved.rename({"_accepted": "accepted now"}), on=PLACE, how="left", maintain_order="left")
    edited_out = pl.col("came").list.contains(f"{BETWEEN}{CODE}").fill_null(False)
    bare = theirs(contract, tombstones) | edited_out
    told = told.with_columns(bare.alias("bare"))
    gone = _bare(told.filter("bare"), contract, delivering)
    kept = _blanked(told.filter(~pl.col("bare")), contract, tombstones)
    order = list(rows.columns)
    return pl.concat([gone.select(order), kept.select(order)])


def _bare(rows: pl.DataFrame, contract: Contract, delivering: Mapping[str, str]) -> pl.DataFrame:
    """Only the place, and the fault."""
    fault = pl.lit(pl.Series([[{"column": None, "code": CODE}]], dtype=pl.List(FAULT))).first()
    facility = pl.col("_receipt").replace_strict(
        delivering, default=pl.col("hospcode"), return_dtype=pl.String
    )
    nulls = [
        pl.lit(None, rows.schema[c.field]).alias(c.field) for c in contract.current if c.field != "hospcode"
    ]
    return rows.with_columns(
        *nulls, facility.alias("hospcode"), fault.alias("_faults"), pl.lit(None, pl.Binary).alias("_key"),
        pl.lit(None, pl.Int64).alias("_row"), pl.lit(False).alias("_accepted"), pl.lit(False).alias("_repeated"),
    )  # fmt: skip


def _blanked(rows: pl.DataFrame, contract: Contract, tombstones: Tombstones) -> pl.DataFrame:
    """Other persons' rows: single values go, and the faults that went and came with an edited line."""
    rows = rows.with_columns(_moved_faults(rows), pl.coalesce("accepted now", "_accepted").alias("_accepted"))
    gone = {c.field: pl.col("blank").list.contains(c.field).fill_null(False) for c in contract.current}
    for column in naming(contract):
        gone[column.field] |= _in(column.field, tombstones.of_domain(column.domain))
    gone = {name: which & pl.col(name).is_not_null() for name, which in gone.items() if name != "hospcode"}
    marked = rows.with_columns(pl.any_horizontal(gone.values()).alias("hit"))
    blank = [pl.when(~which).then(name).alias(name) for name, which in gone.items()]
    touched = _rehashed(marked.filter("hit").with_columns(blank), contract)
    return pl.concat([marked.filter(~pl.col("hit")), touched])


def _moved_faults(rows: pl.DataFrame) -> pl.Series:
    """The faults of rows, of the edited ones without those that went, with those that came: few, row by row."""
    told = rows["_faults"].to_list()
    for at, (gone, came) in enumerate(rows.select("gone", "came").iter_rows()):
        if gone or came:
            stays = [
                one for one in told[at] or [] if f"{one['column'] or ''}{BETWEEN}{one['code']}" not in gone
            ]
            new = [dict(zip(("column", "code"), one.split(BETWEEN), strict=True)) for one in came]
            told[at] = [
                *stays,
                *({**one, "column": one["column"] or None} for one in new if one not in stays),
            ] or None
    return pl.Series("_faults", told, dtype=pl.List(FAULT))


@dataclass(frozen=True, slots=True)
class Loaded:
    """Deliveries whose rows lie in bronze: their batches, receipt -> facility, edited lines by file."""

    batches: frozenset[str]
    delivering: Mapping[str, str]
    moved: Mapping[str, pl.DataFrame]

    @property
    def scope(self) -> Scope:
        """Where their rows lie."""
        return Scope(self.batches, sorted(set(self.delivering.values())))


def rewrite_table(
    settings: Settings, file: str, loaded: Loaded, tombstones: Tombstones, attempt: str
) -> tuple[list[Written], list[Part], set[tuple[str, int]]]:
    """New files of one table, the ones that they replace, and (receipt, member) of the rows that changed.

    Reads the newest version: what an attempt committed that was killed is already as it shall be.
    """
    contract, name = contracts()[file], f"bronze.{file.lower()}"
    schema = stored_schema(contract)
    moved = loaded.moved.get(file, pl.DataFrame(schema=MOVED))
    parts = tables.parts(tables.open_table(settings, name))
    wanted = set(loaded.scope.paths(parts))
    added: list[Written] = []
    removed: list[Part] = []
    touched = set(moved.select("_receipt", "_member").unique().iter_rows())
    for part in (part for part in parts if part.path in wanted):
        rows = read(settings, name, [part.path], schema, list(schema), pl.lit(True))
        mine = pl.col("_receipt").is_in(list(loaded.delivering))
        named = rows.filter(mine & naming_them(contract, tombstones))
        edited = rows.join(moved.select(PLACE), on=PLACE, how="semi")
        if not named.height and not edited.height:
            continue
        touched |= set(named.select("_receipt", "_member").unique().iter_rows())
        placed = rows.with_row_index("at")
        after = without_them(placed.filter(mine), contract, tombstones, moved, loaded.delivering)
        both = pl.concat([placed.filter(~mine), after]).sort("at").drop("at")
        whole = both.sort("hospcode", maintain_order=True)
        path = _keep_marks(part.path, attempt)
        added.append(write(boto(settings, "lake"), settings, name, path, whole, arrow_schema(schema)))
        removed.append(part)
    return added, removed, touched


def recounted(
    settings: Settings,
    file: str,
    loaded: Loaded,
    touched: set[tuple[str, int]],
    codes: Mapping[tuple[str, int], Sequence[str]],
) -> list[Reread]:
    """The account of members after their rows were rewritten, read from what is committed."""
    name = f"bronze.{file.lower()}"
    parts = tables.parts(tables.open_table(settings, name))
    receipts = sorted({receipt for receipt, _ in touched})
    place = (settings, name, loaded.scope.paths(parts), receipts)
    counts = fault_counts(standing(*place))
    lines = outcomes(*place).group_by("_receipt", "_member").agg(
        pl.len(), pl.col("_accepted").sum(), (~pl.col("_accepted")).sum().alias("refused"), pl.col("_repeated").sum()
    )  # fmt: skip
    told = {(row[0], row[1]): row[2:] for row in lines.iter_rows()}
    return [
        Reread(*at, counts.get(at, {}), Recount(tuple(codes[at]), *told[at]))
        for at in sorted(touched)
        if at in told
    ]
