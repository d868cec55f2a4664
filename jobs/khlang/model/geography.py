"""Province -> health region -> country: codes, names in both languages, who contains whom."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from khlang.errors import CatalogError
from khlang.model.codes import code_list

COUNTRY = "TH"
LEVELS = ("province", "region", "country")
"""Levels of gold.indicator, the smallest first."""


@dataclass(frozen=True, slots=True)
class Area:
    """One area at one level: ("province", "50"), ("region", "1") or ("country", "TH")."""

    level: str
    code: str
    name_th: str
    name_en: str
    iso: str | None = None
    parent: tuple[str, str] | None = None

    @property
    def place(self) -> tuple[str, str]:
        """Level and code: the area's key."""
        return self.level, self.code


def _province(row: dict[str, str]) -> Area:
    """A row of the code list of provinces -> Area (ISO 3166-2:TH numbers provinces by the same two digits)."""
    region = ("region", row["health_region"])
    return Area("province", row["code"], row["name_th"], row["name_en"], f"TH-{row['code']}", region)


def _region(code: str) -> Area:
    """A health region -> Area."""
    return Area("region", code, f"เขตสุขภาพที่ {code}", f"Health region {code}", None, ("country", COUNTRY))


@cache
def areas() -> dict[tuple[str, str], Area]:
    """(level, code) -> Area for every province, health region and the country."""
    provinces = [_province(row) for row in code_list("provinces")]
    codes = sorted({area.parent[1] for area in provinces if area.parent}, key=int)
    country = Area("country", COUNTRY, "ประเทศไทย", "Thailand")
    return {area.place: area for area in (*provinces, *map(_region, codes), country)}


def area(level: str, code: str) -> Area:
    """The area of that level and code; raises CatalogError when it is not declared."""
    found = areas().get((level, code))
    if found is None:
        raise CatalogError("geography.area", f"no area {code} at level {level}", place="codes/provinces.csv")
    return found


def region_of(province: str) -> str:
    """Health region of a province: 50 -> 1, 10 -> 13."""
    parent = area("province", province).parent
    return parent[1] if parent else COUNTRY


def lineage(province: str) -> tuple[Area, ...]:
    """A province and all that contains it: province, region, country."""
    return area("province", province), area("region", region_of(province)), area("country", COUNTRY)
