"""Names of zips and of their members: what they say, and what of them may be shown outside landing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from khlang.model.contract import contracts

_ZIP_NAME = re.compile(r"F43_([0-9]{5})_([0-9]{14})\.zip", re.ASCII)
_MEMBER_TAIL = re.compile(r"_(?:[0-9]{5}|[A-Z]{2}[0-9]{7})_([0-9]{14}|[0-9]{8})", re.ASCII)
_FOLDER = re.compile(r"F43_[0-9]{5}_([0-9]{14})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ZipName:
    """What a zip's name says: the facility and the time (Bangkok wall clock, no zone)."""

    hospcode: str
    sent_at: datetime


def _time(digits: str) -> datetime | None:
    """yyyymmdd[hhmmss] -> a real time of the Gregorian calendar, or None (Buddhist years are not)."""
    try:
        found = datetime.strptime(digits.ljust(14, "0"), "%Y%m%d%H%M%S")
    except ValueError:
        return None
    return found if 1900 <= found.year < 2400 else None


def zip_name(name: str) -> ZipName | None:
    """`F43_<5 digits>_<yyyymmddhhmmss>.zip` with a real time -> its parts; None for any other name."""
    matched = _ZIP_NAME.fullmatch(name)
    sent_at = _time(matched[2]) if matched else None
    return ZipName(matched[1], sent_at) if matched and sent_at else None


@lru_cache(maxsize=1 << 14)
def file_of(name: str) -> str | None:
    """A member's name -> the file of the standard: any case, any folder, perhaps `_<facility>_<time>` behind.

    The longest known name wins (drug_opd, never drug); None when the contract does not know it.
    """
    base = name.rpartition("/")[2]
    stem, _, kind = base.upper().rpartition(".")
    if kind != "TXT" or not base.isascii():  # outside ASCII, capitals of other letters may look the same
        return None
    file = max((file for file in contracts() if stem.startswith(file)), key=len, default="")
    tail = _MEMBER_TAIL.fullmatch(stem[len(file) :])
    proper = bool(file) and (stem == file or (tail is not None and _time(tail[1]) is not None))
    return file if proper else None


def shown(name: str, position: int) -> str:
    """A member's name as it may stand outside landing: `unknown-<position>` for what no contract knows.

    A folder is shown when it is named like a zip of the standard; any other may hold an identifier.
    """
    folder, _, base = name.rpartition("/")
    if file_of(name) is None:
        return f"unknown-{position}"
    named = _FOLDER.fullmatch(folder)
    known = not folder or (named is not None and _time(named[1]) is not None)
    return name if known else f"unknown-{position}/{base}"
