"""Small deliveries of PERSON rows drawn inline: invented citizens of province 99, which is none."""

from __future__ import annotations

from pathlib import Path

from khlang.lake.ledger import Delivery
from khlang.landing.deliver import deliver
from khlang.settings import Settings

from .zips import zipped

HEADER = (
    "HOSPCODE|CID|PID|HID|PRENAME|NAME|LNAME|HN|SEX|BIRTH|MSTATUS|OCCUPATION_OLD|OCCUPATION_NEW|RACE|NATION|"
    "RELIGION|EDUCATION|FSTATUS|FATHER|MOTHER|COUPLE|VSTATUS|MOVEIN|DISCHARGE|DDISCHARGE|ABOGROUP|RHGROUP|LABOR|"
    "PASSPORT|TYPEAREA|D_UPDATE"
)


def cid(number: int) -> str:
    """An invented citizen id of a province that is none, with its check digit."""
    body = f"199{number:09d}"
    summed = sum(int(digit) * (13 - place) for place, digit in enumerate(body))
    return f"{body}{(11 - summed % 11) % 10}"


def line(number: int, hospcode: str = "99001") -> str:
    """One person's row."""
    told = {
        "HOSPCODE": hospcode, "CID": cid(number), "PID": f"{number:06d}", "HID": f"H{number}", "PRENAME": "003",
        "NAME": f"ทดสอบ{number}", "LNAME": "นามสมมติ", "SEX": "1", "BIRTH": "19800101", "NATION": "099",
        "TYPEAREA": "1", "DISCHARGE": "9", "D_UPDATE": "20261101080000",
    }  # fmt: skip
    return "|".join(told.get(column, "") for column in HEADER.split("|"))


def deliver_people(
    settings: Settings, folder: Path, numbers: range, day: int = 1, hospcode: str = "99001"
) -> Delivery:
    """A zip with these persons, delivered."""
    body = "\r\n".join([HEADER, *(line(number, hospcode) for number in numbers)])
    path = folder / f"F43_{hospcode}_202611{day:02d}083000.zip"
    path.write_bytes(zipped({"PERSON.txt": body.encode()}))
    return deliver(settings, path)
