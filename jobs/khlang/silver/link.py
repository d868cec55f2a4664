"""Current PERSON rows -> person_key of every row of the same patient at the same facility."""

from __future__ import annotations

import polars as pl

NO_LINKS = pl.DataFrame(schema=dict.fromkeys(("hospcode", "pid", "person_key"), pl.String()))
"""Nobody is known to PERSON."""


def links_of(person: pl.DataFrame) -> pl.DataFrame:
    """PERSON rows -> (hospcode, pid, person_key): the CID's pseudonym, without one the patient's own.

    The CID inside another file's row never decides (exact rules, 19).
    """
    return person.select("hospcode", "pid", pl.coalesce("cid", "pid").alias("person_key"))


def with_person_key(rows: pl.DataFrame, links: pl.DataFrame) -> pl.DataFrame:
    """Rows with person_key; a row without a PERSON row gets its patient pseudonym."""
    linked = rows.join(links, on=["hospcode", "pid"], how="left", maintain_order="left")
    return linked.with_columns(pl.coalesce("person_key", "pid").alias("person_key"))


def moved(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """(hospcode, pid) of links that differ between two states of PERSON, new and vanished ones too."""
    both = before.join(after, on=["hospcode", "pid"], how="full", coalesce=True, suffix="_after")
    unequal = pl.col("person_key").ne_missing(pl.col("person_key_after"))
    return both.filter(unequal).select("hospcode", "pid")
