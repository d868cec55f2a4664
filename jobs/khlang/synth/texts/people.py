"""Invented patients, households and staff of one facility, and strangers that no book knows."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

import polars as pl

from khlang.conform.text.names import Names
from khlang.synth.texts.declared import lists
from khlang.synth.texts.spellings import valid_cid

FACILITY = "99999"
PATIENTS, HOUSE, STAFF = 400, 4, 30


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody invented."""

    name: str
    lname: str

    @property
    def whole(self) -> str:
        """Given and family name."""
        return f"{self.name} {self.lname}"


def given(dice: random.Random, half: str) -> str:
    """A given name of one of the four kinds."""
    names = lists("names", half)
    kind = dice.choice(("plain", "words", "far", "rare"))
    if kind == "rare":
        return dice.choice(names["rare_start"]) + dice.choice(names["rare_end"])
    return dice.choice(names[kind])


def family(dice: random.Random, half: str) -> str:
    """A family name that holds a marker word at its beginning, in its middle or at its end."""
    names = lists("names", half)
    marker, start, end = (dice.choice(names[key]) for key in ("marker", "family_start", "family_end"))
    return dice.choice((marker + start + end, start + marker + end, start + marker, marker + end))


def somebody(dice: random.Random, half: str) -> Person:
    """A stranger."""
    return Person(given(dice, half), family(dice, half))


def phone(dice: random.Random) -> str:
    """A mobile number in its plain form."""
    return f"0{dice.choice('689')}{dice.randrange(10**8):08}"


@dataclass(frozen=True, slots=True, eq=False)
class Facility:
    """The people of a facility as PERSON and PROVIDER tell them, and the name book made of them."""

    half: str
    patients: pl.DataFrame
    staff: tuple[Person, ...]
    book: Names


def _patients(seed: int, half: str) -> pl.DataFrame:
    """Rows of PERSON."""
    dice = random.Random(f"patients {half} {seed}")
    rows = []
    for number in range(PATIENTS):
        one = somebody(dice, half)
        rows.append({
            "HOSPCODE": FACILITY, "PID": f"{number:06}", "HID": f"{number // HOUSE:05}", "NAME": one.name,
            "LNAME": one.lname, "HN": f"{dice.randrange(10**6, 10**7)}",
            "CID": valid_cid(seed * PATIENTS + number), "MOBILE": phone(dice),
        })  # fmt: skip
    return pl.DataFrame(rows)


@cache
def facility(seed: int, half: str) -> Facility:
    """Equal seeds give equal people."""
    patients, dice = _patients(seed, half), random.Random(f"staff {half} {seed}")
    staff = tuple(somebody(dice, half) for _ in range(STAFF))
    homes = patients.select("HOSPCODE", "HID", HOUSE_ID=pl.format("9{}00001", "HID")).unique(
        maintain_order=True
    )
    told = [
        {"HOSPCODE": FACILITY, "PROVIDER": f"9{number:05}", "NAME": one.name, "LNAME": one.lname}
        for number, one in enumerate(staff)
    ]
    return Facility(half, patients, staff, Names.from_frames(patients, homes, pl.DataFrame(told)))
