"""Registry and code lists -> small views that every select of gold may read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from khlang.model.codes import code_list
from khlang.model.facility import Facility, resolved
from khlang.model.geography import lineage

FACILITY = pa.schema(
    [(name, pa.string()) for name in ("hospcode", "province", "health_region", "name", "level")]
)
FACILITY_AREA = pa.schema([(name, pa.string()) for name in ("hospcode", "level", "area")])


def facility_view(facilities: Iterable[Facility]) -> pa.Table:
    """View `facility`: one row per facility, its health region from the code list of provinces.

    One that goes on under another code lies where its successor lies.
    """
    rows = [
        {
            "hospcode": code, "province": one.province, "name": one.name, "level": one.level,
            "health_region": lineage(one.province)[1].code,
        }
        for code, one in resolved(facilities).items()
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=FACILITY)


def facility_area_view(facilities: Iterable[Facility]) -> pa.Table:
    """View `facility_area`: every area that a facility lies in: province, region, country."""
    rows = [
        {"hospcode": code, "level": place.level, "area": place.code}
        for code, one in resolved(facilities).items()
        for place in lineage(one.province)
    ]
    return pa.Table.from_pylist(rows, schema=FACILITY_AREA)


def code_view(view: str) -> pa.Table:
    """View `code_<list>`: a code list of the catalog, every column as text, empty text as null."""
    listed = code_list(view.removeprefix("code_"))
    rows = [{name: value or None for name, value in row.items()} for row in listed]
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in rows[0]]))


def expected(facilities: Iterable[Facility]) -> Mapping[tuple[str, str], Sequence[Facility]]:
    """(level, area) -> facilities of the registry that lie in it, closed ones too."""
    found: dict[tuple[str, str], list[Facility]] = defaultdict(list)
    for one in facilities:
        for place in lineage(one.province):
            found[place.place].append(one)
    return found
