"""One table's rows of some facilities: classify against the state, write new and changed ones, name the old."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from khlang.conform.conform import stored_schema
from khlang.lake.parquet import arrow_schema, write
from khlang.lake.passes import is_again
from khlang.lake.stores import boto
from khlang.lake.tables import Written
from khlang.model.contract import Contract, contracts
from khlang.settings import Settings, load
from khlang.silver.current import classify, counted, has_person, last_passes, latest, silver_schema, timed
from khlang.silver.link import NO_LINKS, links_of, moved, with_person_key
from khlang.silver.stored import accepted, chosen, of_facilities, put_drops, read


@dataclass(frozen=True, slots=True)
class Share:
    """What one worker does: a table's contract, its facilities, the files it may need."""

    settings: Settings
    contract: Contract
    task: dict[str, Any]
    linked: dict[str, pl.DataFrame] = field(default_factory=dict)

    @property
    def hospcodes(self) -> list[str]:
        """The facilities, sorted."""
        return list(self.task["hospcodes"])

    def bronze(self) -> pl.DataFrame:
        """Accepted rows: of the batch alone, or of all batches when the facility is resolved anew.

        Each line as its last pass has it; `_came` is the bronze batch that loaded the line first.
        """
        paths = chosen(self.task["bronze"], self.hospcodes)
        read_again = any(map(is_again, paths))
        condition = of_facilities(self.hospcodes)
        if not read_again:
            condition = condition & accepted()
        withdrawn = self.task["withdrawn"]
        if withdrawn:
            condition = condition & ~pl.col("_receipt").is_in(withdrawn)
        schema = stored_schema(self.contract)
        columns = [name for name in silver_schema(self.contract) if name in schema]
        wanted = [*columns, *(("_accepted", "_repeated") if read_again else ())]
        rows = read(self.settings, f"bronze.{self.contract.table}", paths, schema, wanted, condition)
        rows = (
            last_passes(rows).select(*columns, "_came")
            if read_again
            else rows.with_columns(_came=pl.col("_batch"))
        )
        return timed(rows, {r: datetime.fromisoformat(at) for r, at in self.task["sent_at"].items()})

    def state(self, columns: list[str], condition: pl.Expr | None = None) -> pl.DataFrame:
        """Rows of the current state with the file they lie in, as `_path`."""
        paths = chosen(self.task["silver"], self.hospcodes)
        where = of_facilities(self.hospcodes)
        where = where if condition is None else where & condition
        name = f"silver.{self.contract.table}"
        return read(self.settings, name, paths, silver_schema(self.contract), columns, where, "_path")

    def links(self, which: str) -> pl.DataFrame:
        """(hospcode, pid, person_key) of the facilities' patients with a CID before or after this batch."""
        if which in self.linked:
            return self.linked[which]
        person = contracts()["PERSON"]
        paths = chosen(self.task[which], self.hospcodes)
        columns = ["hospcode", "pid", "cid"]
        where = of_facilities(self.hospcodes) & pl.col("cid").is_not_null()
        rows = read(self.settings, "silver.person", paths, silver_schema(person), columns, where)
        self.linked[which] = links_of(rows)
        return self.linked[which]


def _keyed(share: Share, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows in the form of silver, with person_key where the file has patients."""
    if share.contract.file == "PERSON":
        rows = rows.with_columns(pl.coalesce("cid", "pid").alias("person_key"))
    elif has_person(share.contract):
        rows = with_person_key(rows, share.links("person_after") if rows.height else NO_LINKS)
    return rows.with_columns(pl.lit(share.task["batch"]).alias("_batch")).select(
        list(silver_schema(share.contract))
    )


def _relinked(share: Share, written: pl.DataFrame) -> pl.DataFrame:
    """Rows of the state whose person changed with this batch, with their new person_key and `_path`."""
    before, after = share.links("person_before"), share.links("person_after")
    patients = moved(before, after)
    if not patients.height:
        return pl.DataFrame(schema=silver_schema(share.contract) | {"_path": pl.String()})
    columns = list(silver_schema(share.contract))
    rows = share.state(columns, pl.col("pid").is_in(patients["pid"].implode()))
    rows = rows.join(written.select("_key"), on="_key", how="anti")
    was = rows["person_key"]
    fresh = with_person_key(rows.drop("person_key"), after)
    return fresh.filter(was.ne_missing(fresh["person_key"])).select(*columns, "_path")


def settle(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Phase 1: yields the file written, the counts per receipt, and where the old rows' keys are noted."""
    settings = load()
    share = Share(settings, contracts()[task["file"]], task)
    rows = share.bronze()
    state = share.state(["_key", "_row"])
    classified = classify(latest(rows), state)
    batch_rows = rows.filter(pl.col("_came").is_in(task["batches"]))
    batch_own = classified.filter(pl.col("_came").is_in(task["batches"]))
    yield {"kind": "counts", "file": task["file"], "counts": counted(batch_rows, batch_own)}
    fresh = _keyed(share, classified.filter(pl.col("_status") != "unchanged").drop("_status", "_came"))
    old = state.join(fresh.select("_key"), on="_key", how="semi").select("_path", "_key")
    gone = old.clear()
    if task["resolve"]:
        gone = state.join(classified.select("_key"), on="_key", how="anti").select("_path", "_key")
        old = pl.concat([old, gone])
    if task["relink"] and state.height:
        # A row that went is not brought back because its patient went with it.
        again = _relinked(share, fresh).join(gone.select("_key"), on="_key", how="anti")
        old = pl.concat([old, again.select("_path", "_key")])
        fresh = pl.concat([fresh, again.drop("_path")])
    if fresh.height:
        yield {"kind": "file", **asdict(_written(share, fresh))}
    if old.height:
        yield {"kind": "drops", "table": f"silver.{share.contract.table}", **put_drops(settings, task, old)}


def _written(share: Share, rows: pl.DataFrame) -> Written:
    """New and changed rows as one file, sorted by facility."""
    task, contract = share.task, share.contract
    path = f"{task['batch']}/{task['attempt']}-{task['number']:05d}.parquet"
    schema = arrow_schema(silver_schema(contract))
    client = boto(share.settings, "lake")
    is_ordered = rows["hospcode"].is_sorted()
    ordered = rows if is_ordered else rows.sort("hospcode", maintain_order=True)
    return write(client, share.settings, f"silver.{contract.table}", path, ordered, schema)
