"""A member's bytes with some lines changed: every other line keeps its bytes, its number and its line end."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from khlang.conform.decode import ERASED, LONGEST_LINE
from khlang.conform.stream import Survey

Cells = Mapping[int, str]
"""Field of a line (from 0) -> what stands there instead."""

Edit = Cells | None
"""Some fields of a line, or (None) the whole line, of which only the mark of an erased row is left."""

_MARKS16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


@dataclass(frozen=True, slots=True)
class Shape:
    """How lines stand in a member's bytes: line end, bytes of a character, encoding, byte-order mark."""

    end: bytes
    unit: int
    encoding: str
    mark: bytes

    @classmethod
    def of(cls, survey: Survey, head: bytes) -> Shape:
        """From a member's survey and its first bytes."""
        feed = "\r" if survey.only_returns else "\n"
        if survey.encoding == "utf-16":
            encoding = _MARKS16[head[:2]]
            return cls(feed.encode(encoding), 2, encoding, head[:2])
        mark = codecs.BOM_UTF8 if survey.marked else b""
        encoding = "cp874" if survey.encoding == "cp874" else "utf-8"
        return cls(feed.encode(), 1, encoding, mark)

    def split(self, text: bytes) -> list[bytes]:
        """Lines without their ends; what comes behind the last end stands last."""
        if self.unit == 1:
            return text.split(self.end)
        units = np.frombuffer(text, np.uint16, len(text) // 2)
        cuts = np.flatnonzero(units == np.frombuffer(self.end, np.uint16)[0]) * 2
        starts = [0, *(int(cut) + 2 for cut in cuts)]
        return [text[start:stop] for start, stop in zip(starts, [*map(int, cuts), len(text)], strict=True)]

    def count(self, text: bytes) -> int:
        """Line ends in a text that begins with a whole character."""
        return text.count(self.end) if self.unit == 1 else len(self.split(text)) - 1

    def changed(self, line: bytes, edit: Edit, fields: int) -> bytes:
        """One line with its edit; a mark before it and a carriage return behind it stay."""
        back = "\r".encode(self.encoding)
        tail = back if self.end != back and line.endswith(back) else b""
        head = self.mark if self.mark and line.startswith(self.mark) else b""
        if edit is None:
            text = ERASED.decode() + "|" * (fields - 1)
        else:
            told = line[len(head) : len(line) - len(tail)].decode(self.encoding, "surrogateescape").split("|")
            text = "|".join(edit.get(place, field) for place, field in enumerate(told))
        return head + text.encode(self.encoding, "surrogateescape") + tail


def edited(
    chunks: Iterable[bytes], shape: Shape, edits: Mapping[int, Edit], fields: int = 1
) -> Iterator[bytes]:
    """A member in chunks -> the same with its edits (line from 1); an erased line gets `fields` fields.

    Memory: a chunk and the longest line; of a line that no row can be, what is past its bounds is passed through.
    """
    held, number, passing = b"", 1, False
    for chunk in chunks:
        *whole, held = shape.split(held + chunk)
        if whole:
            if passing:
                whole[0], passing = (whole[0] if number not in edits else b""), False
                yield whole.pop(0) + shape.end
                number += 1
            yield from _lines(whole, number, shape, edits, fields)
            number += len(whole)
        if len(held) > LONGEST_LINE + 64:
            kept = len(held) // 2 * 2
            if not passing:
                yield held[:kept] if number not in edits else shape.changed(b"", None, fields)
            elif number not in edits:
                yield held[:kept]
            held, passing = held[kept:], True
    if passing:
        yield b"" if number in edits else held
    elif held:
        yield shape.changed(held, edits[number], fields) if number in edits else held


def _lines(
    lines: list[bytes], first: int, shape: Shape, edits: Mapping[int, Edit], fields: int
) -> Iterator[bytes]:
    """Whole lines with their edits, as one text."""
    if not lines:
        return
    for number in range(first, first + len(lines)) if len(lines) < len(edits) else list(edits):
        if number in edits and first <= number < first + len(lines):
            lines[number - first] = shape.changed(lines[number - first], edits[number], fields)
    yield shape.end.join(lines) + shape.end
