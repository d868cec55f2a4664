"""The registry of facilities as it is handed in: one CSV row per facility, every field checked."""

from __future__ import annotations

import csv
import io
import re
import tomllib
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files

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


@dataclass(frozen=True, slots=True)
class FormColumn:
    """One column of the registry's form: its name, the form of its values, what it means."""

    name: str
    form: str
    en: str
    th: str


SAMPLE = "the form and a sample: jobs/khlang/catalog/facilities"


@cache
def form() -> tuple[FormColumn, ...]:
    """The registry's columns in order, as declared in catalog/facilities/form.toml."""
    declared = tomllib.loads((files("khlang.catalog") / "facilities" / "form.toml").read_text("utf-8"))
    columns = tuple(FormColumn(**column) for column in declared["columns"])
    if [column.name for column in columns] != [field.name for field in fields(Facility)]:
        words = ("the form's columns are not those of a facility", "คอลัมน์ของแบบฟอร์มไม่ตรงกับโปรแกรม")
        raise CatalogError("facilities.form", *words, "form.toml", "make both the same, then `make test`")
    return columns


def facilities(text: str) -> tuple[Facility, ...]:
    """CSV text -> facilities; raises CatalogError naming the line and the column, never half a registry."""
    rows = csv.DictReader(io.StringIO(text.lstrip("\ufeff")))
    names = tuple(column.name for column in form())
    if tuple(rows.fieldnames or ()) != names:
        listed = ", ".join(names)
        words = (f"the columns must be {listed}", f"หัวตารางต้องเป็น {listed}")
        raise CatalogError("facilities.header", *words, "line 1", SAMPLE)
    found: dict[str, Facility] = {}
    for line, row in enumerate(rows, 2):
        facility = _facility(row, line)
        if facility.hospcode in found:
            words = ("a facility stands twice", "มีหน่วยบริการซ้ำ")
            raise CatalogError("facilities.repeated", *words, f"line {line}", "keep one of its lines")
        found[facility.hospcode] = facility
    if not found:
        words = ("the registry names no facility", "ทะเบียนไม่มีหน่วยบริการ")
        raise CatalogError("facilities.empty", *words, "line 2", SAMPLE)
    return tuple(found.values())


def _facility(row: dict[str, str | None], line: int) -> Facility:
    """One row -> Facility. A registry made by a spreadsheet loses zeros: 1 is not 01, and is refused."""
    for column in form():
        if re.fullmatch(column.form, row.get(column.name) or "") is None:
            words = (f"not of the form {column.form}", f"ไม่ตรงรูปแบบ: {column.th}")
            step = "codes are text with their zeros (01 is not 1); nothing was loaded: mend it, load it again"
            raise CatalogError("facilities.value", *words, f"line {line}, column {column.name}", step)
    if row["province"] not in codes_of("provinces"):
        words = ("no such province", "ไม่มีจังหวัดนี้")
        step = "codes of provinces: jobs/khlang/catalog/codes/provinces.csv"
        raise CatalogError("facilities.province", *words, f"line {line}, column province", step)
    texts = {column.name: str(row[column.name]) for column in form()}
    return Facility(**{**texts, "health_region": int(texts["health_region"])})  # type: ignore[arg-type]
