"""Bytes -> places where the digits of a known number stand: plain, Thai, full width, dashed, spaced.

Rules, so that a number is not found by chance:
- Digits are ASCII, Thai (UTF-8 or cp874) or full width. One to five bytes of blanks, dashes, dots, brackets or
  zero-width characters may stand between two of them; digits with nothing between form a group.
- A match stands apart: no digit touches it. (A digit of cp874 may touch others: in a binary file every 25th byte
  is one by chance.)
- A number of fewer than SPACED digits is found in several groups only when they are joined by dashes, and not
  behind a digit and a dot: there it is a fraction (of a second, mostly).
- A group of several times SPACED digits or more may also be several numbers of one length, side by side.
- Groups joined by one single dot are a decimal number, not an identifier.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import ahocorasick_rs
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]
Flags = NDArray[np.bool_]

SPACED, LONGEST = 10, 18
GAP = 5
SILENT, SEPARATOR, BREAK = 0, 1, 255
DASHES = frozenset(["-", *map(chr, range(0x2010, 0x2016)), "\u2212"])
SEPARATORS = frozenset([" ", ".", "(", ")", "\u00a0", "\u200b", "\u200c", "\u200d", "\ufeff"]) | DASHES


def _class_of_bytes() -> Bytes:
    table = np.full(256, BREAK, np.uint8)
    table[0x30:0x3A] = range(10)
    table[0xF0:0xFA] = range(10)
    return table


_DIGIT_LEADS = (b"\xe0\xb9", b"\xef\xbc")
_CLASS = _class_of_bytes()
_OPENS_GAP = np.zeros(256, bool)
_OPENS_GAP[[mark.encode()[0] for mark in SEPARATORS] + [lead[0] for lead in _DIGIT_LEADS]] = True
_POWERS = np.array([1 << 8 * step for step in range(GAP)], np.uint64)


def plain_digits(value: str) -> str | None:
    """The ASCII digits of a value made of digits and separators only (a leading + apart); else None."""
    kept = [mark for mark in value.removeprefix("+") if mark not in SEPARATORS]
    if not kept or not all(mark.isdecimal() for mark in kept) or len(kept) > LONGEST:
        return None
    return "".join(str(int(mark)) for mark in kept)


class Automaton(Protocol):
    """Aho-Corasick over bytes."""

    def find_matches_as_indexes(self, haystack: bytes, overlapping: bool) -> list[tuple[int, int, int]]:
        """(pattern, start, end) of every match."""


_UNUSUAL_DASH = re.compile(rb"\xe2(?:\x80[\x90-\x95]|\x88\x92)")
_ENDS = bytes(range(0x30, 0x3A)), bytes(range(0xF0, 0xFA)), bytes(range(0x90, 0x9A))
_ASCII = bytes.maketrans(b"".join(_ENDS), _ENDS[0] * 3)
_ANY_DIGIT = bytes.maketrans(_ENDS[0], b"0" * 10)
_BETWEEN = bytes({byte for mark in SEPARATORS for byte in mark.encode()} | set(b"".join(_DIGIT_LEADS)))
_LOOSE = bytes(set(_BETWEEN) - set(_ENDS[2]))
"""Bytes of separators and of digits' first halves; dashes that end like a Thai digit are replaced before."""


def squeezed(content: bytes) -> bytes:
    """Bytes in which the digits of any identifier stand together in ASCII; others may too."""
    if b"\xe2" in content:
        content = _UNUSUAL_DASH.sub(b"-", content)
    return content.translate(_ASCII, _LOOSE)


@dataclass(frozen=True, slots=True)
class Numbers:
    """Known numbers by length: sorted values and their indices; `sieve` tells quickly where none can be."""

    tables: dict[int, tuple[NDArray[np.uint64], Places]]
    sieve: Automaton | None

    @classmethod
    def of(cls, known: Mapping[str, int]) -> Numbers:
        """Numbers as digit strings (leading zeros count) with their indices."""
        tables = {}
        for length in sorted({len(digits) for digits in known}):
            here = sorted((int(digits), index) for digits, index in known.items() if len(digits) == length)
            values, indices = zip(*here, strict=True)
            tables[length] = (np.array(values, np.uint64), np.array(indices, np.int64))
        sieve = ahocorasick_rs.BytesAhoCorasick([digits.encode() for digits in known]) if known else None
        return cls(tables, sieve)

    def may_stand_in(self, content: bytes) -> bool:
        """False where no known number can be: cheap, and true for few that hold none."""
        if self.sieve is None:
            return False
        tight = squeezed(content)
        long_enough = b"0" * min(self.tables) in tight.translate(_ANY_DIGIT)
        return long_enough and bool(self.sieve.find_matches_as_indexes(tight, overlapping=False))

    def find(self, text: bytes) -> Iterator[tuple[int, int, int]]:
        """(start, end, index) of every known number in bytes."""
        if not self.may_stand_in(text):
            return
        content = np.frombuffer(text, np.uint8)
        run = _Run.of(content, min(self.tables))
        for length, (values, indices) in self.tables.items():
            starts = run.candidates(length)
            if not starts.size:
                continue
            spelled = run.numbers(starts, length)
            at = np.minimum(np.searchsorted(values, spelled), len(values) - 1)
            for hit in np.flatnonzero(values[at] == spelled):
                first, last = int(run.places[starts[hit]]), int(run.places[starts[hit] + length - 1])
                first -= _lead(content, first)
                if is_identifier(text[first : last + 1], length, text[max(first - 2, 0) : first]):
                    yield first, last + 1, int(indices[at[hit]])


def _lead(content: Bytes, place: int) -> int:
    """Bytes before the last byte of a digit's character."""
    return 2 if bytes(content[max(place - 2, 0) : place]) in _DIGIT_LEADS and content[place] < 0xF0 else 0


def is_identifier(spelled: bytes, length: int, before: bytes) -> bool:
    """Whether the separators inside and before a match are those of an identifier (rules of this module)."""
    text = spelled.decode("utf-8", errors="ignore")
    inside = [mark for mark in text if mark in SEPARATORS]
    if length < SPACED:
        fraction = before[:1].isdigit() and before[1:] == b"."
        return not fraction and all(mark in DASHES for mark in inside)
    return inside != ["."]


@dataclass(frozen=True, slots=True)
class _Run:
    """Digits of a buffer in order: value, place, and the chain and the group (of one script) each belongs to."""

    digits: NDArray[np.uint64]
    places: Places
    chain: Places
    group: Places

    @classmethod
    def of(cls, content: Bytes, shortest: int) -> _Run:
        """All digits that stand in chains of at least `shortest`."""
        values, places = _digits(content)
        joined = np.diff(places) == 1
        linked = joined.copy()
        _bridge(content, places, joined, linked)
        opens = np.concatenate([[0], np.flatnonzero(~linked) + 1])
        lengths = np.diff(np.append(opens, len(places)))
        long = np.repeat(lengths >= shortest, lengths)
        chain = np.repeat(np.arange(len(opens)), lengths)[long]
        together = joined & (np.diff(_script(content, places)) == 0)
        group = np.concatenate([[0], np.cumsum(~together)])[: len(places)][long]
        return cls(values[long].astype(np.uint64), places[long], chain, group)

    def candidates(self, length: int) -> Places:
        """Indices where a number of that length may start."""
        count = len(self.places) - length + 1
        if count <= 0:
            return np.zeros(0, np.int64)
        opens = np.concatenate([[True], self.group[1:] != self.group[:-1]])
        closes = np.concatenate([opens[1:], [True]])
        found = opens[:count] & closes[length - 1 :] & (self.chain[:count] == self.chain[length - 1 :])
        if length >= SPACED:
            found |= self._side_by_side(opens, length)[:count]
        return np.flatnonzero(found)

    def _side_by_side(self, opens: Flags, length: int) -> Flags:
        """Starts within a group that is several numbers of that length: a column of Arrow has nothing between them."""
        firsts = np.flatnonzero(opens)
        sizes = np.diff(np.append(firsts, len(opens)))
        several = np.repeat((sizes > length) & (sizes % length == 0), sizes)
        inside = np.arange(len(opens)) - np.repeat(firsts, sizes)
        marks: Flags = several & (inside % length == 0)
        return marks

    def numbers(self, starts: Places, length: int) -> NDArray[np.uint64]:
        """The numbers that start there."""
        value = np.zeros(len(starts), np.uint64)
        for step in range(length):
            value = value * np.uint64(10) + self.digits[starts + step]
        return value


def _digits(content: Bytes) -> tuple[Bytes, Places]:
    """Values and places (last byte) of all digits, in order."""
    classes = _CLASS[content]
    for at in _wide_digits(content):
        classes[at] = content[at] - 0x90
    places = np.flatnonzero(classes <= 9)
    return classes[places], places


def _script(content: Bytes, places: Places) -> Places:
    """Of each digit: whether it is of cp874."""
    return (content[places] >= 0xF0).astype(np.int64)


def _wide_digits(content: Bytes) -> Iterator[Places]:
    """Places of the last bytes of Thai and full-width digits."""
    for lead in _DIGIT_LEADS:
        at = np.flatnonzero(content[:-2] == lead[0])
        at = at[content[at + 1] == lead[1]] + 2
        last = content[at]
        yield at[(last >= 0x90) & (last <= 0x99)]


def _bridge(content: Bytes, places: Places, joined: Flags, linked: Flags) -> None:
    """Mark neighbours that touch although bytes of their own characters, or separators, stand between."""
    distance = np.diff(places)
    near = np.flatnonzero((distance > 1) & (distance <= GAP + 1))
    near = near[_OPENS_GAP[content[places[near] + 1]]]
    steps = np.arange(1, GAP + 1)
    between = content[np.minimum(places[near, None] + steps, len(content) - 1)]
    between[steps >= distance[near, None]] = 0
    keys, inverse = np.unique(between.astype(np.uint64) @ _POWERS, return_inverse=True)
    kinds = np.array([_gap(int(key).to_bytes(GAP, "little").rstrip(b"\0")) for key in keys], np.uint8)[
        inverse
    ]
    linked[near] = kinds != BREAK
    joined[near] = kinds == SILENT


@lru_cache(1 << 14)
def _gap(between: bytes) -> int:
    """What stands between two digits: SILENT (bytes of the second one's character), SEPARATOR or BREAK."""
    for lead in _DIGIT_LEADS:
        between = between.removesuffix(lead)
    if not between:
        return SILENT
    try:
        return SEPARATOR if set(between.decode()) <= SEPARATORS else BREAK
    except UnicodeDecodeError:
        return BREAK
