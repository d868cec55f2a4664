"""A placeholder -> an invented identifier in one of its spellings, cut into what must go and what may stay."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from khlang.synth.texts.declared import lists
from khlang.synth.texts.people import HOUSE, Facility, given, phone, somebody
from khlang.synth.texts.spellings import phones, spelled, valid_cid

Part = tuple[str, str | None]
"""Text, and the kind of the identifier that it is (None: it may stay)."""

_LETTERS = "กขคงจชญฎฐณดตถทธนบปผพฟภมยรลวศสอฮ"


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who a note is about, and the dice that write it."""

    dice: random.Random
    facility: Facility
    row: int

    @property
    def half(self) -> str:
        """The set whose lists are used."""
        return self.facility.half

    def parts(self, what: str, kind: str | None) -> list[Part]:
        """The text of a placeholder; a word of catalog/texts/fills_<set>.toml when it is no identifier."""
        if what in _WRITERS:
            return _WRITERS[what](self, kind)
        return [(self.dice.choice(lists("fills", self.half)[what]), None)]


def _column(whose: Speaker, column: str, mate: bool = False) -> str:
    """A value of the patient's PERSON row, or of somebody in the same house."""
    row = whose.row
    if mate:
        first = row - row % HOUSE
        row = whose.dice.choice([other for other in range(first, first + HOUSE) if other != row])
    return str(whose.facility.patients[column][row])


def _known(kind: str, mate: bool, alone: bool) -> Callable[[Speaker, str | None], list[Part]]:
    """A name that PERSON told."""

    def write(whose: Speaker, _: str | None) -> list[Part]:
        """Given name, or given and family name of the same person."""
        if alone:
            return [(_column(whose, "NAME", mate), kind)]
        at = whose.dice.getrandbits(30)
        twin = Speaker(random.Random(at), whose.facility, whose.row)
        name = _column(twin, "NAME", mate)
        twin = Speaker(random.Random(at), whose.facility, whose.row)
        return [(f"{name} {_column(twin, 'LNAME', mate)}", kind)]

    return write


def _staff(whose: Speaker, _: str | None) -> list[Part]:
    return [(whose.dice.choice(whose.facility.staff).whole, "name:staff")]


def _titled(titles: str, kind: str) -> Callable[[Speaker, str | None], list[Part]]:
    """A title and a stranger's name behind it; one in four without a family name."""

    def write(whose: Speaker, _: str | None) -> list[Part]:
        """The title may stay."""
        title = whose.dice.choice(lists("names", whose.half)[titles])
        one = somebody(whose.dice, whose.half)
        alone = whose.dice.random() < 0.25
        return [(title, None), (one.name if alone else one.whole, kind)]

    return write


def _full(whose: Speaker, kind: str | None) -> list[Part]:
    return [(somebody(whose.dice, whose.half).whole, f"name:{kind or 'bare'}")]


def _given(whose: Speaker, kind: str | None) -> list[Part]:
    return [(given(whose.dice, whose.half), f"name:{kind or 'bare'}")]


def _latin(whose: Speaker, kind: str | None) -> list[Part]:
    names = lists("names", whose.half)
    parts = [whose.dice.choice(names["latin_given"]), whose.dice.choice(names["latin_family"])]
    return [(" ".join(parts), f"name:{kind or 'latin'}")]


def _cid(whose: Speaker, _: str | None) -> list[Part]:
    value = valid_cid(whose.dice.randrange(10**9)) if whose.dice.random() < 0.7 else _column(whose, "CID")
    return [(whose.dice.choice([*spelled(value).values()]), "cid")]


def _phone(whose: Speaker, _: str | None) -> list[Part]:
    value = phone(whose.dice) if whose.dice.random() < 0.7 else _column(whose, "MOBILE")
    return [(whose.dice.choice([*phones(value).values()]), "phone")]


def _hn(whose: Speaker, kind: str | None) -> list[Part]:
    """`own`: the patient's own number, which needs no label."""
    if kind == "own":
        return [(_column(whose, "HN"), "hn")]
    number = whose.dice.randrange(10**4, 10**8)
    forms = (f"{number}", f"{number}/{whose.dice.randrange(50, 70)}", f"{whose.dice.randrange(50, 70)}-{number}",
             _column(whose, "HN"))  # fmt: skip
    return [(whose.dice.choice(forms), "hn")]


def _an(whose: Speaker, _: str | None) -> list[Part]:
    year, number = whose.dice.randrange(60, 70), whose.dice.randrange(10**3, 10**6)
    return [(whose.dice.choice((f"{year}{number:06}", f"{number:05}/{year}", f"{year}-{number:05}")), "an")]


def _passport(whose: Speaker, _: str | None) -> list[Part]:
    letters = "".join(whose.dice.choice("ABCEKMPTZ") for _ in range(whose.dice.choice((1, 2))))
    return [(f"{letters}{whose.dice.randrange(10**6, 10**7)}", "passport")]


def _plate(whose: Speaker, _: str | None) -> list[Part]:
    a, b = (whose.dice.choice(_LETTERS) for _ in range(2))
    number = whose.dice.randrange(1, 10000)
    lead = whose.dice.choice(("", str(whose.dice.randrange(1, 10))))
    return [(f"{lead}{a}{b}{whose.dice.choice((' ', '-', ''))}{number}", "plate")]


def _email(whose: Speaker, _: str | None) -> list[Part]:
    number = whose.dice.randrange(1000)
    forms = (f"invented{number}@example.com", f"fake.person{number}@mail.example.org", f"sample_{number} @example.net",
             f"nobody{number}@example.ac.th")  # fmt: skip
    return [(whose.dice.choice(forms), "email")]


def _line(whose: Speaker, _: str | None) -> list[Part]:
    number = whose.dice.randrange(10, 9999)
    return [
        (
            whose.dice.choice((f"fake.{number}", f"@sample{number}", f"nobody_{number}", f"demo{number}")),
            "line",
        )
    ]


def _bank(whose: Speaker, _: str | None) -> list[Part]:
    value = f"{whose.dice.randrange(10**9, 10**10)}"
    return [(whose.dice.choice((value, f"{value[:3]}-{value[3]}-{value[4:9]}-{value[9]}")), "bank")]


def _address(whose: Speaker, _: str | None) -> list[Part]:
    """House number, village number, lane and road must go; the words before them may stay."""
    fills, dice = lists("fills", whose.half), whose.dice
    house = f"{dice.randrange(1, 400)}" + (f"/{dice.randrange(1, 60)}" if dice.random() < 0.5 else "")
    moo, road = str(dice.randrange(1, 16)), dice.choice(fills["road"])
    area: list[Part] = (
        [(" ต.", None), (dice.choice(fills["tambon"]), "~district")] if dice.random() < 0.5 else []
    )
    street: list[Part] = (
        [(" ถ.", None), (road, "address")] if dice.random() < 0.5 else [(" ซอย", None), (road, "address")]
    )
    village: list[Part] = (
        [(" หมู่ ", None), (moo, "address")] if dice.random() < 0.5 else [(" ม.", None), (moo, "address")]
    )
    tail = dice.choice((village, street, village + street))
    return [(house, "address"), *tail, *area]


_WRITERS: dict[str, Callable[[Speaker, str | None], list[Part]]] = {
    "own": _known("name:own", False, False), "own1": _known("name:own", False, True),
    "house": _known("name:household", True, False), "house1": _known("name:household", True, True),
    "staff": _staff, "mr": _titled("titles", "name:titled"), "dr": _titled("professions", "name:titled staff"),
    "full": _full, "given": _given, "latin": _latin, "cid": _cid, "phone": _phone, "hn": _hn, "an": _an,
    "passport": _passport, "plate": _plate, "email": _email, "line": _line, "bank": _bank, "address": _address,
}  # fmt: skip
IDENTIFIERS = frozenset(_WRITERS)
"""Placeholders that put an identifier into a note."""
