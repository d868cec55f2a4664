"""Truth files of the pilot extracts -> plain rows; where the shared folder is missing, found() is False."""

from __future__ import annotations

import csv
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

from khlang.settings import PROJECT

FOLDER = Path(os.environ.get("KHLANG_PILOT", str(PROJECT.parent / "shared" / "extracts" / "pilot")))


def found() -> bool:
    """Whether the pilot extracts are on this machine."""
    return (FOLDER / "truth" / "deliveries.csv").is_file()


def rows(name: str) -> list[dict[str, str]]:
    """Rows of truth/<name>.csv."""
    with (FOLDER / "truth" / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@dataclass(frozen=True, slots=True)
class Sent:
    """One zip of the pilot in its order of arrival, with the verdict it must get."""

    path: str
    verdict: str
    code: str
    month: str

    @property
    def file(self) -> Path:
        """The zip itself."""
        return FOLDER / "inbox" / self.path


def deliveries() -> list[Sent]:
    """All zips of the pilot in their order of arrival."""
    ordered = sorted(rows("deliveries"), key=lambda row: int(row["arrival_no"]))
    return [Sent(row["path"], row["verdict"], row["code"], row["month"]) for row in ordered]


def _shown(row: dict[str, str]) -> str:
    """A member's name as it may stand outside landing: `unknown-<position>` for what no contract knows."""
    if row["code"] != "file.unknown":
        return row["member"]
    with zipfile.ZipFile(FOLDER / "inbox" / row["zip"]) as opened:
        files = [entry.filename for entry in opened.infolist() if not entry.is_dir()]
    return f"unknown-{files.index(row['member']) + 1}"


PLACELESS = ("row.width", "row.encoding", "row.repeated")


def faults() -> set[tuple[str, str, int, str | None, str]]:
    """(zip, member, line, column, code) of every planted fault of a member; line 0 for a whole file."""
    told = set()
    for row in rows("faults"):
        if row["code"].startswith("zip."):
            continue
        bare = row["code"] in PLACELESS or row["code"].startswith("file.")
        column = None if bare else row["column"]
        told.add((row["zip"], _shown(row), int(row["line"] or 0), column, row["code"]))
    return told
