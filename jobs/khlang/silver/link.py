"""Current PERSON rows -> person_key of every row of the same patient at the same facility."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

PATIENT = ["hospcode", "pid"]
_LINK = dict.fromkeys((*PATIENT, "person_key"), pl.String())
_DECIDED: dict[str, pl.DataType] = {
    **dict.fromkeys((*PATIENT, "decided"), pl.String()),
    "decision": pl.Int64(),
}
NO_LINKS = pl.DataFrame(schema=_LINK)
"""Nobody is known to PERSON."""


def decided(rows: Iterable[tuple[str, str, str, int]]) -> pl.DataFrame:
    """Decisions that hold -> (hospcode, pid, decided, decision): the person_key, and the decision's number."""
    return pl.DataFrame(list(rows), schema=_DECIDED, orient="row")


def keyed(person: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """PERSON rows with person_key, source and decision: what a steward decided, else the CID, else the patient's own.

    The CID inside another file's row never decides (exact rules, 19).
    """
    rows = person.join(decisions, on=PATIENT, how="left", maintain_order="left")
    by_delivery = pl.when(pl.col("cid").is_not_null()).then(pl.lit("cid")).otherwise(pl.lit("pid"))
    source = pl.when(pl.col("decided").is_not_null()).then(pl.lit("decision")).otherwise(by_delivery)
    rows = rows.with_columns(source.alias("source"), pl.coalesce("decided", "cid", "pid").alias("person_key"))
    return rows.drop("decided")


def links_of(person: pl.DataFrame) -> pl.DataFrame:
    """PERSON rows -> (hospcode, pid, person_key) of those whose key is not the patient's own."""
    return person.filter(pl.col("person_key") != pl.col("pid")).select(*PATIENT, "person_key")


def with_person_key(rows: pl.DataFrame, links: pl.DataFrame) -> pl.DataFrame:
    """Rows with person_key; a row without a PERSON row gets its patient pseudonym."""
    linked = rows.join(links, on=PATIENT, how="left", maintain_order="left")
    return linked.with_columns(pl.coalesce("person_key", "pid").alias("person_key"))


def moved(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """(hospcode, pid) of links that differ between two states of PERSON, new and vanished ones too."""
    both = before.join(after, on=PATIENT, how="full", coalesce=True, suffix="_after")
    unequal = pl.col("person_key").ne_missing(pl.col("person_key_after"))
    return both.filter(unequal).select(PATIENT)
