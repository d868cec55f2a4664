"""The registry of facilities as it is handed in: one CSV row per facility, every field checked."""

from __future__ import annotations

import csv
import io
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from khlang.errors import CatalogError
from khlang.model.codes import codes_of


@dataclass(frozen=True, slots=True)
class Facility:
    """One facility: 5- and 9-character code, name, level (A, F2, P1 ...), type, place, health region.

    `opened` and `closed` are its first and last day of service where the registry tells them; `successor` is
    the code under which a closed one goes on.
    """

    hospcode: str
    hospcode9: str
    name: str
    level: str
    hostype: str
    province: str
    health_region: int
    ampur: str
    tambon: str
    opened: date | None = None
    closed: date | None = None
    successor: str = ""

    def open_between(self, first: date, last: date) -> bool:
        """Whether it served on any day of a period."""
        return (self.opened is None or self.opened <= last) and (self.closed is None or self.closed >= first)

    def may_send(self, day: date, closed_days: int) -> bool:
        """Whether a zip named on that day is taken.

        Late data of a closed facility come for so many days; where it goes on under another code, for ever.
        """
        if self.opened is not None and day < self.opened:
            return False
        late = self.closed is not None and day > self.closed + timedelta(days=closed_days)
        return not late or bool(self.successor)


@dataclass(frozen=True, slots=True)
class FormColumn:
    """One column of the registry's form: its name, the form of its values, what it means.

    `optional`: a registry may leave the column out.
    """

    name: str
    form: str
    en: str
    th: str
    optional: bool = False


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
    told = tuple(rows.fieldnames or ())
    if told != tuple(column.name for column in form() if not column.optional or column.name in told):
        listed = ", ".join(f"[{column.name}]" if column.optional else column.name for column in form())
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
    texts: dict[str, Any] = {column.name: str(row.get(column.name) or "") for column in form()}
    days = {name: _day(texts[name], name, line) for name in ("opened", "closed")}
    _consistent(texts, days, line)
    return Facility(**{**texts, **days, "health_region": int(texts["health_region"])})


def _day(text: str, column: str, line: int) -> date | None:
    """A day of the registry, or none."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        words = ("no such day", "ไม่มีวันนี้")
        step = "write it as YYYY-MM-DD of the Gregorian calendar"
        raise CatalogError("facilities.day", *words, f"line {line}, column {column}", step) from None


def _consistent(texts: Mapping[str, str], days: Mapping[str, date | None], line: int) -> None:
    """A facility does not close before it opens, and a successor follows one that closes."""
    opened, closed = days["opened"], days["closed"]
    if opened is not None and closed is not None and closed < opened:
        words = ("closed before it opened", "วันปิดอยู่ก่อนวันเปิด")
        raise CatalogError("facilities.day", *words, f"line {line}, column closed", "correct one of the days")
    if texts["successor"] and (closed is None or texts["successor"] == texts["hospcode"]):
        words = (
            "a successor follows a facility that closes, under another code",
            "หน่วยบริการที่รับช่วงต้องเป็นรหัสอื่นและต้องมีวันปิด",
        )
        step = "fill in the last day of service, or leave the successor blank"
        raise CatalogError("facilities.successor", *words, f"line {line}, column successor", step)


def title(code: str, held: Mapping[str, Facility]) -> str:
    """A facility's name; of a closed one that goes on also under which code and name: `A -> 99002 B`."""
    facility = held.get(code)
    if facility is None:
        return ""
    last = resolved(held.values())[code]
    return facility.name if last is facility else f"{facility.name} → {last.hospcode} {last.name}"


def resolved(every: Iterable[Facility]) -> dict[str, Facility]:
    """Code -> the facility that its numbers belong to now: itself, or where it closed the last successor.

    A successor that the registry does not hold, or a circle of them, ends the search where it is.
    """
    held = {facility.hospcode: facility for facility in every}
    found = {}
    for code, facility in held.items():
        seen = {code}
        while facility.closed is not None and facility.successor in held and facility.successor not in seen:
            facility = held[facility.successor]
            seen.add(facility.hospcode)
        found[code] = facility
    return found
