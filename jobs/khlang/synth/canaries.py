"""Identifiers that stand nowhere else: each is made once, remembered with its kind and where it was planted."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

from khlang.model.contract import Column
from khlang.model.policy import policy
from khlang.synth.identity import NO_PROVINCE, SPREAD
from khlang.synth.notes import THAI

HIDDEN = frozenset(["direct_person", "direct_local", "staff", "name", "contact", "address", "free_text"])
"""Classes whose values must not leave the door."""
LONG = 9
"""Characters of a value that stands in no text by chance."""
FIRST = 600_000_000
"""Running numbers of our citizen ids begin here: an invented set of persons never gets so far."""
_HEADS = tuple("กขคจชซณตถทธบปผพภยรลวศสหอ")
_TAILS = ("าน", "ิญ", "ูร", "ันต์", "ัย", "ีย์", "ุฒิ", "งษ์", "มล", "รัก", "วัฒน์", "ศิล")
PHONE_BLOCK, PHONES = "0991", 10**6


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who does not exist: what a facility would know of them."""

    pid: str
    cid: str
    name: str
    lname: str
    phone: str
    hn: str

    @property
    def full(self) -> str:
        """Given and family name."""
        return f"{self.name} {self.lname}"


@dataclass(frozen=True, slots=True)
class Mint:
    """Makes identifiers, each unlike any other, and keeps (value -> kind, way) of all of them."""

    dice: random.Random
    made: dict[str, tuple[str, str]] = field(default_factory=dict)
    numbers: list[int] = field(default_factory=lambda: [0, 0])

    def keep(self, kind: str, way: str, value: str) -> str:
        """Remember a value that was made elsewhere; short ones are planted, but can not be searched for."""
        if len(value) >= LONG:
            self.made.setdefault(value, (kind, way))
        return value

    def cid(self, way: str) -> str:
        """A citizen id of the province that does not exist, with a right check digit."""
        self.numbers[0] += 1
        twelve = f"3{NO_PROVINCE}{(FIRST + self.numbers[0]) * SPREAD % 10**9:09d}"
        total = sum(int(digit) * (13 - at) for at, digit in enumerate(twelve))
        return self.keep("cid", way, f"{twelve}{(11 - total % 11) % 10}")

    def phone(self, way: str) -> str:
        """A phone of a block that nobody else is given here."""
        self.numbers[1] = (self.numbers[1] + 387_421) % PHONES
        return self.keep("phone", way, f"{PHONE_BLOCK}{self.numbers[1]:06d}")

    def local(self, way: str, width: int = 13) -> str:
        """A number that a facility gave itself, as wide as the column allows; one character where that is short."""
        mark = f"ZQ{self.dice.randrange(36**8):013d}"
        return self.keep("local", way, mark[:2] + mark[-(min(width, 13) - 2) :]) if width >= LONG else "1"

    def name(self) -> str:
        """A Thai word that is no word."""
        return "".join(self.dice.choice(_HEADS) + self.dice.choice(_TAILS) for _ in range(5))

    def text(self, kind: str, way: str) -> str:
        """An address, a mail address: a long text of its own."""
        number = f"{self.dice.randrange(10**9):09d}"
        made = f"zq{number}@example.org" if kind == "email" else f"99/{number} หมู่ 7 ถนน{self.name()}"
        return self.keep(kind, way, made)

    def person(self, way: str) -> Person:
        """Somebody new."""
        name, lname = self.name(), self.name()
        one = Person(self.local(way), self.cid(way), name, lname, self.phone(way), self.local(way, 12))
        self.keep("name", way, name)
        self.keep("lname", way, lname)
        return one

    def frame(self) -> pl.DataFrame:
        """Everything that was made, as the scan reads it."""
        rows = [(f"{kind}, {way}", value, True) for value, (kind, way) in self.made.items()]
        return pl.DataFrame(rows, ["kind", "value", "scan"], orient="row")


_BY_CLASS: dict[str, Callable[[Mint, str, Column], str]] = {
    "name": lambda mint, way, column: mint.keep("name", way, mint.name()),
    "contact": lambda mint, way, column: mint.phone(way),
    "address": lambda mint, way, column: mint.text("address", way),
    "free_text": lambda mint, way, column: "ไข้ ไอ",
}


def secret(mint: Mint, column: Column, way: str) -> str:
    """A fresh identifier that the column takes."""
    if column.checksum == "cid":
        return mint.cid(way)
    if column.privacy in _BY_CLASS:
        return _BY_CLASS[column.privacy](mint, way, column)
    return mint.local(way, column.width or 13)


def is_hidden(column: Column) -> bool:
    """Whether the lake takes the column's values off at the door, and they are texts."""
    return column.privacy in HIDDEN and column.type == "char" and policy("lake").action(column) != "keep"


def spelled(value: str) -> dict[str, str]:
    """Digits in the spellings of people: plain, dashes, blanks, Thai digits."""
    cuts = (1, 5, 10, 12) if len(value) == 13 else (3, 6)
    parts = [value[a:b] for a, b in zip((0, *cuts), (*cuts, len(value)), strict=True)]
    return {
        "plain": value,
        "dashed": "-".join(parts),
        "spaced": " ".join(parts),
        "thai": value.translate(THAI),
    }
