"""Gold counts persons as stewards decided, and as deliveries alone tell once a decision is undone."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from khlang.gold.job import run as gold
from khlang.silver.job import run as silver
from khlang.stack.seaweed import create_buckets
from lakes import Lake
from landing_lake import dropped, empty_lake, environment
from linked_town import FIRST, HERE, OTHER, Town

pytestmark = [pytest.mark.stack, pytest.mark.long]


def test_marts_and_indicators_that_count_persons_follow_a_decision_and_its_undoing(
    stores: Lake, tmp_path: Path
) -> None:
    settings = empty_lake(stores.settings, f"p{secrets.token_hex(4)}")
    create_buckets(settings, "lake")
    with environment(settings):
        town = Town(settings, tmp_path)
        town.deliver(FIRST)
        told_ = [_counted(town)]
        rows = town.rows("silver.chronic").sort("hospcode", "_line")
        four, eight = rows.filter(pl.col("hospcode") == HERE)[3], rows.filter(pl.col("hospcode") == OTHER)[1]
        patient = str(eight["pid"].item())
        said = town.khlang(
            "link", "join", OTHER, patient, str(four["person_key"].item()), "--cause", "two CIDs"
        )
        told_.append(_counted(town))
        town.khlang("link", "undo", said.split(":")[0].split()[1], "--cause", "looked again")
        told_.append(_counted(town))
        assert gold(settings) is None
    dropped(settings)
    alone, joined, again = told_
    assert alone == again
    assert (alone["chronic"], joined["chronic"]) == (6, 5), (
        "3 and 7 are one person; 4 and 8 from the decision on"
    )
    assert (alone["op_per_person"], joined["op_per_person"]) == (6, 5)
    assert alone["conflicts"] == joined["conflicts"] == {"cid.sex": 2}


def _counted(town: Town) -> dict[str, Any]:
    """Silver and gold, then the numbers of persons and of conflicts."""
    assert silver(town.settings) is not None and gold(town.settings) is not None
    known = (
        (pl.col("indicator") == "op_per_person") & (pl.col("level") == "country") & (pl.col("month") == "")
    )
    indicator = town.rows("gold.indicator").filter(known)
    conflicts = json.loads(town.khlang("link", "conflicts", "--json"))
    return {
        "chronic": town.rows("gold.chronic").height,
        "op_per_person": indicator["denominator"].item(),
        "conflicts": conflicts,
    }
