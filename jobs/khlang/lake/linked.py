"""silver.person_link: which person a patient of a facility is, and was, by what the deliveries told."""

from __future__ import annotations

import polars as pl

NAME = "silver.person_link"
CURRENT = "valid_to is null and _taken_back is null"
"""Condition of the links that hold: those by which every row of silver has its person_key."""


def link_schema() -> dict[str, pl.DataType]:
    """Columns of the table.

    `source`: what gave the person_key: cid, pid (no valid CID), decision (its number beside it). `valid_from`,
    `valid_to`: times of contents of deliveries (the time in a zip's name), from the one that first told it to the
    one that told otherwise, not included; null: still so. `_taken_back`: the silver batch from which on the lake
    says so no more at all (its delivery was withdrawn, a late one told otherwise, a steward decided).
    """
    text = dict.fromkeys(("hospcode", "pid", "person_key", "source"), pl.String())
    return {
        **text, "decision": pl.Int64(), "valid_from": pl.Datetime("us"), "valid_to": pl.Datetime("us"),
        "_batch": pl.String(), "_taken_back": pl.String(), "_key": pl.Binary(),
    }  # fmt: skip
