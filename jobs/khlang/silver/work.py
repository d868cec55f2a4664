"""One table's rows of some facilities: classify against the state, write new and changed ones, name the old."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from khlang.conform.conform import stored_schema
from khlang.lake.passes import is_again
from khlang.model.contract import Contract, contracts
from khlang.settings import Settings, load
from khlang.silver.current import classify, counted, has_person, last_passes, latest, silver_schema, timed
from khlang.silver.link import NO_LINKS, decided, keyed, links_of, moved, with_person_key
from khlang.silver.stored import accepted, chosen, of_facilities, put_drops, put_rows, read


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

    @property
    def is_person(self) -> bool:
        """Whether these are the rows that decide who a patient is."""
        return self.contract.file == "PERSON"

    def bronze(self, asked: Sequence[str] = ()) -> pl.DataFrame:
        """Accepted rows: of the batch alone, or of all batches when the facility is resolved anew.

        All columns of silver that bronze has, or those that are asked for. Each line as its last pass has it;
        `_came` is the bronze batch that loaded the line first.
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
        columns = list(asked) or [name for name in silver_schema(self.contract) if name in schema]
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
        """(hospcode, pid, person_key) of the facilities' patients before or after this batch.

        Of those whose key is not their own: the others need none.
        """
        if which in self.linked:
            return self.linked[which]
        person = contracts()["PERSON"]
        paths = chosen(self.task[which], self.hospcodes)
        columns = ["hospcode", "pid", "person_key"]
        where = of_facilities(self.hospcodes) & (pl.col("person_key") != pl.col("pid"))
        rows = read(self.settings, "silver.person", paths, silver_schema(person), columns, where)
        self.linked[which] = links_of(rows)
        return self.linked[which]


def _keyed(share: Share, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows in the form of silver, with person_key where the file has patients."""
    if share.is_person:
        rows = keyed(rows, decided(share.task["decisions"]))
    elif has_person(share.contract):
        rows = with_person_key(rows, share.links("person_after") if rows.height else NO_LINKS)
    return rows.with_columns(pl.lit(share.task["batch"]).alias("_batch")).select(
        list(silver_schema(share.contract))
    )


def _relinked(share: Share, written: pl.DataFrame) -> pl.DataFrame:
    """Rows of the state whose person changed with this batch, with their new person_key and `_path`.

    PERSON's own: those of patients on whom a steward decided; the others': those whose PERSON row changed.
    """
    if share.is_person:
        patients = pl.Series(share.task["redecided"], dtype=pl.String)
    else:
        patients = moved(share.links("person_before"), share.links("person_after"))["pid"]
    if patients.is_empty():
        return pl.DataFrame(schema=silver_schema(share.contract) | {"_path": pl.String()})
    columns = list(silver_schema(share.contract))
    rows = share.state(columns, pl.col("pid").is_in(patients.implode()))
    rows = rows.join(written.select("_key"), on="_key", how="anti")
    was, bare = rows["person_key"], rows.drop("person_key")
    if share.is_person:
        fresh = keyed(bare, decided(share.task["decisions"]))
    else:
        fresh = with_person_key(bare, share.links("person_after"))
    return fresh.filter(was.ne_missing(fresh["person_key"])).select(*columns, "_path")


def _moved(before: pl.DataFrame, after: pl.DataFrame) -> dict[str, Any]:
    """Facilities of which a patient is another person after the batch: of rows that go, and of rows that come."""
    hospcodes = moved(links_of(before), links_of(after))["hospcode"].unique().sort()
    return {"kind": "moved", "hospcodes": hospcodes.to_list()}


def settle(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Phase 1: yields the file written, the counts per receipt, and where the old rows' keys are noted.

    Of PERSON also whose patients are other persons now: only there other tables look for rows to relink.
    """
    settings = load()
    share = Share(settings, contracts()[task["file"]], task)
    rows = share.bronze()
    linked = ["hospcode", "pid", "person_key"] if share.is_person else []
    state = share.state(["_key", "_row", *linked])
    classified = classify(latest(rows), state)
    batch_rows = rows.filter(pl.col("_came").is_in(task["batches"]))
    batch_own = classified.filter(pl.col("_came").is_in(task["batches"]))
    yield {"kind": "counts", "file": task["file"], "counts": counted(batch_rows, batch_own)}
    fresh = _keyed(share, classified.filter(pl.col("_status") != "unchanged").drop("_status", "_came"))
    old = state.join(fresh.select("_key"), on="_key", how="semi").select("_path", "_key")
    if task["resolve"]:
        gone = state.join(classified.select("_key"), on="_key", how="anti").select("_path", "_key")
        old = pl.concat([old, gone])
    if task["relink"] and state.height:
        again = _relinked(share, fresh)
        old = pl.concat([old, again.select("_path", "_key")])
        fresh = pl.concat([fresh, again.drop("_path")])
    if share.is_person:
        yield _moved(state.join(old, on="_key", how="semi"), fresh)
    if fresh.height:
        name = f"silver.{share.contract.table}"
        yield put_rows(settings, task, name, fresh, silver_schema(share.contract))
    if old.height:
        yield {"kind": "drops", "table": f"silver.{share.contract.table}", **put_drops(settings, task, old)}
