"""Registry and code lists -> small views that every select of gold may read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from khlang.model.codes import code_list
from khlang.model.geography import area, lineage

FACILITY = pa.schema([(name, pa.string()) for name in ("hospcode", "province", "health_region", "name", "level")])
FACILITY_AREA = pa.schema([(name, pa.string()) for name in ("hospcode", "level", "area")])


@dataclass(frozen=True, slots=True)
class Facility:
    """A facility as gold needs it: where it lies."""

    hospcode: str
    province: str
    name: str = ""
    level: str = ""


def facility_view(facilities: Iterable[Facility]) -> pa.Table:
    """View `facility`: one row per facility, its health region from the code list of provinces."""
    rows = [
        {
            "hospcode": one.hospcode, "province": one.province, "name": one.name, "level": one.level,
            "health_region": lineage(one.province)[1].code,
        }
        for one in facilities
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=FACILITY)


def facility_area_view(facilities: Iterable[Facility]) -> pa.Table:
    """View `facility_area`: every area that a facility lies in: province, region, country."""
    rows = [
        {"hospcode": one.hospcode, "level": place.level, "area": place.code}
        for one in facilities
        for place in lineage(one.province)
    ]
    return pa.Table.from_pylist(rows, schema=FACILITY_AREA)


def code_view(view: str) -> pa.Table:
    """View `code_<list>`: a code list of the catalog, every column as text, empty text as null."""
    rows = [{name: value or None for name, value in row.items()} for row in code_list(view.removeprefix("code_"))]
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in rows[0]]))


def expected(facilities: Iterable[Facility]) -> Mapping[tuple[str, str], int]:
    """(level, area) -> facilities of the registry that lie in it."""
    counted: dict[tuple[str, str], int] = {}
    for one in facilities:
        for place in lineage(one.province):
            counted[area(place.level, place.code).place] = counted.get(place.place, 0) + 1
    return counted
