"""PERSON rows as they were delivered + decisions -> silver.person_link: every link with its time, nothing forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from khlang.conform.identity import key_hash
from khlang.lake.erased import tombstones
from khlang.lake.linked import NAME, link_schema
from khlang.model.contract import contracts
from khlang.settings import load
from khlang.silver.current import ORDER
from khlang.silver.link import PATIENT, decided, keyed
from khlang.silver.stored import chosen, of_facilities, put_drops, put_rows, read
from khlang.silver.work import Share, settle

FACT = [*PATIENT, "person_key", "source", "decision", "valid_from"]
"""What makes two rows of the table the same link; its end may move."""

_TOLD = [*PATIENT, "valid_from", "person_key", "source", "decision"]


def people(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The work of silver's first stage: current PERSON rows, or the history of their links."""
    yield from follow(task) if task.get("history") else settle(task)


def told(person: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """Accepted PERSON rows -> what each delivery told of a patient; of one time the last row counts."""
    last = person.sort(ORDER).unique([*PATIENT, "_sent_at"], keep="last", maintain_order=True)
    return keyed(last, decisions).select(*PATIENT, pl.col("_sent_at").alias("valid_from"), *_TOLD[3:])


def runs(points: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """What was told, point by point -> links from one time to the next; of two points of one time the later counts.

    A decision is about the patient and not about a time: while it holds, the link has been so from the first
    delivery on. So links depend on what was delivered and what holds, never on when either came.
    """
    single = points.unique([*PATIENT, "valid_from"], keep="last", maintain_order=True)
    bound = single.join(decisions, on=PATIENT, how="semi").group_by(PATIENT).agg(pl.col("valid_from").min())
    ruled = bound.join(decisions, on=PATIENT).select(
        *PATIENT, "valid_from", pl.col("decided").alias("person_key"), pl.lit("decision").alias("source"), "decision"
    )  # fmt: skip
    free = single.join(decisions, on=PATIENT, how="anti").sort([*PATIENT, "valid_from"])
    is_same = (pl.col("person_key") == pl.col("person_key").shift().over(PATIENT)).fill_null(False)
    every = pl.concat([free.filter(~is_same), ruled.select(free.columns)])
    ends = pl.col("valid_from").shift(-1).over(PATIENT)
    return every.with_columns(ends.alias("valid_to")).select(*FACT, "valid_to")


def compared(standing: pl.DataFrame, wanted: pl.DataFrame, batch: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Links that stand and those that should -> (rows to write, rows of which the old form goes).

    A link whose end moved is written anew; one that is to be no more is kept and marked with the batch.
    """
    marked = wanted.select(*FACT, pl.col("valid_to").alias("_end"), pl.lit(True).alias("_is_wanted"))
    both = standing.join(marked, on=FACT, how="left", nulls_equal=True, maintain_order="left")
    is_wanted = pl.col("_is_wanted").fill_null(False)
    ended = both.filter(is_wanted & pl.col("valid_to").ne_missing(pl.col("_end"))).with_columns(
        valid_to="_end"
    )
    back = both.filter(~is_wanted).with_columns(pl.lit(batch).alias("_taken_back"))
    fresh = wanted.join(standing, on=FACT, how="anti", nulls_equal=True)
    fresh = fresh.with_columns(
        pl.lit(batch).alias("_batch"), pl.lit(None, pl.String).alias("_taken_back"), _key(fresh, batch)
    )
    columns = list(link_schema())
    old = pl.concat([ended, back])
    return pl.concat([old.select(columns), fresh.select(columns)]), old.select("_path", "_key")


def _key(links: pl.DataFrame, batch: str) -> pl.Series:
    """A name of each row of the table: a link that was taken back and tells itself again is another row."""
    return key_hash(
        [*(links[name] for name in FACT), pl.repeat(batch, links.height, dtype=pl.String, eager=True)]
    )


def follow(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Links of some facilities after the batch: yields the file written, and where the old forms are noted.

    In order, only the batch's own rows and the links of their patients are looked at; a facility to be resolved
    anew is worked out from all of bronze.
    """
    settings = load()
    share = Share(settings, contracts()["PERSON"], task)
    decisions = decided(task["decisions"])
    place = ["_receipt", "_member", "_line", "_sent_at", "_arrival", "_pass", "_batch"]
    points = told(share.bronze([*PATIENT, "cid", *place]), decisions)
    standing = _standing(share)
    if not task["resolve"]:
        standing = standing.join(points, on=PATIENT, how="semi", maintain_order="left")
        points = pl.concat([standing.select(_TOLD), points])
    rows, old = compared(standing, runs(points, decisions), task["batch"])
    erased = _erased(share)
    if erased is not None:
        gone = _links(share, erased).select("_path", "_key")
        rows, old = rows.filter(~erased), pl.concat([old, gone]).unique()
    if rows.height:
        yield put_rows(settings, task, NAME, rows, link_schema())
    if old.height:
        yield {"kind": "drops", "table": NAME, **put_drops(settings, task, old)}


def _standing(share: Share) -> pl.DataFrame:
    """Links of the facilities that were not taken back."""
    return _links(share, pl.col("_taken_back").is_null())


def _erased(share: Share) -> pl.Expr | None:
    """Condition of the links of erased persons, which no history keeps; None where nobody was erased."""
    known = tombstones(share.settings)
    if not known.persons and not known.patients:
        return None
    is_theirs = pl.col("person_key").is_in([*known.persons, *known.patients])
    return is_theirs | pl.col("pid").is_in([*known.patients])


def _links(share: Share, condition: pl.Expr) -> pl.DataFrame:
    """Links of the facilities that meet the condition, with the file they lie in, as `_path`."""
    paths = chosen(share.task["silver"], share.hospcodes)
    wanted = of_facilities(share.hospcodes) & condition
    return read(share.settings, NAME, paths, link_schema(), list(link_schema()), wanted, "_path")
