"""The invented facilities: codes, levels, provinces, and who refers to whom."""

from __future__ import annotations

import numpy as np
import polars as pl

from khlang.model.codes import code_list
from khlang.synth.plan import Plan
from khlang.synth.words import tables

COLUMNS = [
    "hospcode",
    "hospcode9",
    "name",
    "level",
    "hostype",
    "province",
    "health_region",
    "ampur",
    "tambon",
]
Level = tuple[str, str, str, str]
"""Level, hospital type, start of the 9-character code, kind of facility in Thai."""
FIRST: tuple[Level, ...] = (
    ("A", "05", "EA", "โรงพยาบาลศูนย์"),
    ("S", "06", "EA", "โรงพยาบาลทั่วไป"),
    ("M1", "06", "EA", "โรงพยาบาลทั่วไป"),
)
"""Levels of the first facility of a province, in turn."""
OTHERS: tuple[Level, ...] = (
    ("P1", "18", "GA", "รพ.สต."), ("F2", "07", "EA", "โรงพยาบาลชุมชน"), ("P1", "18", "GA", "รพ.สต."),
    ("P1", "18", "GA", "รพ.สต."), ("M2", "07", "EA", "โรงพยาบาลชุมชน"),
)  # fmt: skip
"""Levels of the other facilities of a province, in turn."""
PROVINCES, PER_PROVINCE = 12, 8
"""Twelve provinces, more when each has eight facilities: in smaller ones nearly every count would be suppressed."""
BUSY = {"A": 1.4, "S": 1.3, "M1": 1.2, "M2": 1.1, "F2": 1.0, "P1": 0.7}
"""Catchment population of a level against the plan's mean."""
CLUSTER_FACILITIES, CLUSTER_PERSONS = 32, 60_000
"""At most so many facilities, and about so many people, are invented together: what bounds the memory."""


def _provinces(count: int) -> list[dict[str, str]]:
    """`count` provinces, spread over health regions: three of a region before the next region begins."""
    regions: dict[str, list[dict[str, str]]] = {}
    for row in code_list("provinces"):
        regions.setdefault(row["health_region"], []).append(row)
    wanted = [regions[str(number)] for number in (1, 7, 11, 6, 3, 10, 5, 12, 8, 2, 9, 4, 13)]
    per_region = max(1, -(-count // 4)) if count <= 12 else 8
    rows = [row for region in wanted for row in region[:per_region]]
    return rows[:count]


def _level(place: int, rank: int) -> Level:
    """Level of the rank-th facility of the place-th province: the first is the province's hospital."""
    return OTHERS[(rank - 1) % len(OTHERS)] if rank else FIRST[place % len(FIRST)]


def facilities(plan: Plan) -> pl.DataFrame:
    """One row per facility: the registry's form, plus `cluster`, `hospital` and `persons`."""
    enough = max(1, min(PROVINCES, plan.facilities // 2))
    provinces = _provinces(min(77, max(enough, plan.facilities // PER_PROVINCE)))
    codes = np.sort(plan.draws("facility codes").choice(98_999, plan.facilities, replace=False)) + 1_000
    codes = plan.draws("facility order").permutation(codes)
    places = tables("names")["places"]["facility"]
    rows: list[dict[str, object]] = []
    for number in range(plan.facilities):
        place = number * len(provinces) // plan.facilities
        rank = number - -(-place * plan.facilities // len(provinces))
        level, hostype, prefix, kind = _level(place, rank)
        code, province = f"{codes[number]:05d}", provinces[place]
        rows.append({
            "hospcode": code, "hospcode9": f"{prefix}{code:>07}", "level": level, "hostype": hostype,
            "name": f"{kind}{places[number % len(places)]} {number + 1}", "province": province["code"],
            "health_region": province["health_region"], "ampur": f"{rank // 3 + 1:02d}",
            "tambon": f"{rank % 9 + 1:02d}", "hospital": level != "P1", "number": number,
            "persons": max(40, round(plan.persons * BUSY[level])),
        })  # fmt: skip
    size = max(1, min(CLUSTER_FACILITIES, CLUSTER_PERSONS // max(plan.persons, 1)))
    return pl.DataFrame(rows).with_columns(cluster=pl.col("number") // size)


def upward(cluster: pl.DataFrame) -> list[int | None]:
    """Position in the cluster of the hospital that each facility refers to; None for the top ones.

    A hospital refers to one before it, any other facility to any: of its province, else of its health region.
    """
    rows = list(enumerate(cluster.select("province", "health_region", "hospital").iter_rows()))
    hospitals = [(row, place) for row, (*place, is_hospital) in rows if is_hospital]
    found: list[int | None] = []
    for row, (province, region, is_hospital) in rows:
        open_to = [(above, place) for above, place in hospitals if above < row or not is_hospital]
        near = [above for above, place in open_to if place[0] == province]
        far = [above for above, place in open_to if place[1] == region]
        found.append(next(iter(near + far), None))
    return found
