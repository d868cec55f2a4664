"""Bytes -> where known values stand in them, in any of their spellings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import ahocorasick_rs

from khlang.lake.scan.canaries import Canaries
from khlang.lake.scan.digits import Automaton, Numbers, plain_digits
from khlang.lake.scan.spellings import View, utf16, views

WIDEST = 4
"""A value's bytes in its widest spelling (%E0%B8%81 for three bytes), and some."""

CUT = 9
PACKED = frozenset(["base64", "hex"])
WIDE = re.compile(rb"(?:[ -~]\0){6}|(?:\0[ -~]){6}|(?:[\x01-\x5b]\x0e){6}|(?:\x0e[\x01-\x5b]){6}")
"""Six units of UTF-16 side by side: nothing shorter is looked for there."""


@dataclass(frozen=True, slots=True)
class Found:
    """One place: bytes [start, end), the value's index among the canaries, how it was spelled."""

    start: int
    end: int
    index: int
    spelling: str


@dataclass(frozen=True, slots=True)
class Search:
    """Known values, ready to be searched for: numbers by their digits, others by Aho-Corasick."""

    canaries: Canaries
    kinds: dict[int, str]
    numbers: Numbers
    cut: Numbers
    automaton: Automaton | None
    patterns: tuple[tuple[int, str], ...]
    reach: int

    @classmethod
    def of(cls, canaries: Canaries) -> Search:
        """Prepare the search; values that differ only by separators or case are one."""
        known: dict[str, int] = {}
        words: dict[bytes, tuple[int, str]] = {}
        kinds: dict[int, set[str]] = {}
        for index, (kind, value) in enumerate(zip(canaries.kinds, canaries.values, strict=True)):
            digits, spelled = plain_digits(value), dict(_words(value))
            if digits is not None:
                first = known.setdefault(digits, index)
            else:
                first = min(words.setdefault(text, (index, name))[0] for name, text in spelled.items())
            kinds.setdefault(first, set()).add(kind)
        cut = {short: index for digits, index in known.items() if (short := _cut(digits))}
        automaton = ahocorasick_rs.BytesAhoCorasick(list(words)) if words else None
        reach = 1024 + WIDEST * max(map(len, words), default=0)
        named = {index: "+".join(sorted(found)) for index, found in kinds.items()}
        return cls(
            canaries, named, Numbers.of(known), Numbers.of(cut), automaton, tuple(words.values()), reach
        )

    def find(self, content: bytes) -> list[Found]:
        """Every place of every value, in the bytes as they are and in each view of them."""
        found = [Found(*one) for one in self._within(content)]
        for view in views(content):
            for start, end, index, spelling in self._within(view.content):
                first, last = view.place(start), view.place(end - 1) + 1
                if view.spelling != "escaped" or last - first > end - start:
                    found.append(Found(first, last, index, f"{view.spelling}, {spelling}"))
            if view.spelling in PACKED and WIDE.search(view.content):
                found += self._wide(view)
        return found

    def _wide(self, view: View) -> Iterator[Found]:
        """UTF-16 that was packed as base64 or hexadecimal digits (what Java and Windows hand to such encoders)."""
        for inner in utf16(view.content):
            for start, end, index, spelling in self._within(inner.content):
                first, last = view.place(inner.place(start)), view.place(inner.place(end - 1)) + 1
                yield Found(first, last, index, f"{view.spelling}, {inner.spelling}, {spelling}")

    def find_numerals(self, content: bytes) -> list[Found]:
        """Numbers in a column of numbers, where leading zeros are lost."""
        found = [Found(*one, "number") for one in self.numbers.find(content)]
        return found + [Found(*one, "number without zeros") for one in self.cut.find(content)]

    def _within(self, content: bytes) -> Iterator[tuple[int, int, int, str]]:
        for start, end, index in self.numbers.find(content):
            yield start, end, index, _spelled(content[start:end])
        if self.automaton is not None:
            for pattern, start, end in self.automaton.find_matches_as_indexes(
                content.lower(), overlapping=True
            ):
                yield start, end, *self.patterns[pattern]


def _cut(digits: str) -> str | None:
    """The number as a numeric column keeps it, when it loses zeros and is still long enough to mean someone."""
    short = digits.lstrip("0")
    return short if CUT <= len(short) < len(digits) else None


def _words(value: str) -> Iterator[tuple[str, bytes]]:
    """A value's bytes, in lower case, in each encoding that is searched in the bytes as they are."""
    lower = value.lower()
    yield "utf-8", lower.encode()
    if not lower.isascii():
        try:
            yield "cp874", lower.encode("cp874")
        except UnicodeEncodeError:
            return


def _spelled(match: bytes) -> str:
    """How the digits of a match are written."""
    script = "utf-8" if match.isascii() else ("cp874" if max(match) >= 0xF0 else "utf-8")
    digits = "" if any(0x30 <= byte <= 0x39 for byte in match) else " thai digits"
    apart = " separated" if any(byte in b" -.()\xc2\xe2" for byte in match) else ""
    return f"{script}{digits}{apart}"
