"""The registry of facilities as it is handed in: one CSV row per facility, every field checked."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, fields

from khlang.errors import CatalogError
from khlang.model.codes import codes_of


@dataclass(frozen=True, slots=True)
class Facility:
    """One facility: 5- and 9-character code, name, level (A, F2, P1 ...), type, place, health region."""

    hospcode: str
    hospcode9: str
    name: str
    level: str
    hostype: str
    province: str
    health_region: int
    ampur: str
    tambon: str


_FORMS = {
    "hospcode": r"[0-9]{5}",
    "hospcode9": r"([A-Z]{2}[0-9]{7}|[0-9]{9})?",
    "name": r".+",
    "level": r"[A-Z0-9]{1,3}",
    "hostype": r"[0-9]{2}",
    "province": r"[0-9]{2}",
    "health_region": r"[0-9]{1,2}",
    "ampur": r"[0-9]{2}",
    "tambon": r"[0-9]{2}",
}
"""Column -> form of its value. A registry made by a spreadsheet loses zeros: 1 is not 01, and is refused."""


def facilities(text: str) -> tuple[Facility, ...]:
    """CSV text -> facilities; raises CatalogError naming the line and the column, never half a registry."""
    rows = csv.DictReader(io.StringIO(text.lstrip("\ufeff")))
    if tuple(rows.fieldnames or ()) != tuple(_FORMS):
        raise CatalogError("facilities.header", f"the columns must be {', '.join(_FORMS)}", place="line 1")
    found: dict[str, Facility] = {}
    for line, row in enumerate(rows, 2):
        facility = _facility(row, line)
        if facility.hospcode in found:
            raise CatalogError("facilities.repeated", "a facility stands twice", place=f"line {line}")
        found[facility.hospcode] = facility
    if not found:
        raise CatalogError("facilities.empty", "the registry names no facility")
    return tuple(found.values())


def _facility(row: dict[str, str | None], line: int) -> Facility:
    """One row -> Facility."""
    for column, form in _FORMS.items():
        if re.fullmatch(form, row.get(column) or "", re.ASCII if column != "name" else 0) is None:
            place = f"line {line}, column {column}"
            raise CatalogError("facilities.value", f"{column} is not of the form {form}", place=place)
    if row["province"] not in codes_of("provinces"):
        raise CatalogError("facilities.province", "no such province", place=f"line {line}, column province")
    texts = {field.name: str(row[field.name]) for field in fields(Facility)}
    return Facility(**{**texts, "health_region": int(texts["health_region"])})  # type: ignore[arg-type]
