"""Habits of exporters: how a facility names its members, writes headers, ends lines, which layout it knows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from khlang.model.contract import Contract

UNKNOWN_FILES = {"OFFICE.txt": b"HOSPCODE|NAME\n", "readme.pdf": b"%PDF-1.4 invented\n"}


@dataclass(frozen=True, slots=True)
class Habit:
    """The exporter of one facility; none of this is a fault."""

    number: int
    hospcode: str

    @property
    def end(self) -> str:
        """Line end."""
        return "\r\n" if self.number % 2 else "\n"

    @property
    def ends_last(self) -> bool:
        """Whether the last line has an end too."""
        return self.number % 5 != 4

    def header(self, columns: list[str]) -> str:
        """Header line: capitals, small letters or padded names."""
        if self.number % 6 == 2:
            return "|".join(columns).lower()
        return " | ".join(columns) if self.number % 12 == 10 else "|".join(columns)

    def columns(self, contract: Contract) -> list[str]:
        """Columns of the layout the exporter knows: an old one where it holds the whole key."""
        wanted = -2 if self.number % 5 == 3 else 0 if self.number % 12 == 7 else -1
        layouts = contract.layouts
        layout = layouts[max(wanted, -len(layouts))]
        return list((layout if set(contract.key) <= set(layout.columns) else layouts[-1]).columns)

    def member(self, file: str, sent: datetime) -> str:
        """Name of a member: four habits."""
        stamp = f"{sent:%Y%m%d%H%M%S}"
        names = {
            1: f"{file.lower()}.txt", 2: f"{file}.TXT", 3: f"F43_{self.hospcode}_{stamp}/{file}.txt",
            4: f"{file.lower()}_{self.hospcode}_{stamp}.txt",
        }  # fmt: skip
        return names.get(self.number % 6, f"{file}.txt")


FORMS = ("cp874", "utf-8-sig", "headerless", "unknown", "empty", "utf-16")
"""Faults of whole members, dealt out to zips in turn."""
FORM_FILES = {
    "cp874": "PERSON",
    "utf-8-sig": "DRUG_OPD",
    "headerless": "CHRONICFU",
    "utf-16": "DIAGNOSIS_OPD",
}
EVERY = {"none": 0, "some": 16, "many": 8}
ENCODINGS = ("cp874", "utf-8-sig", "utf-16")


def form_of(faults: str, zip_number: int) -> str:
    """The faulty form that one member of the zip has, or none."""
    turn = zip_number % EVERY[faults] if EVERY[faults] else 0
    return FORMS[turn - 1] if 0 < turn <= len(FORMS) else ""
