"""Bytes of members -> UTF-8 lines with their numbers, the encoding decided for each whole file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CONTROLS = bytes(n for n in (*range(32), 127) if n not in (9, 10))
_CONTROL = re.compile(b"[" + re.escape(_CONTROLS) + b"]")
_REPLACED = "\ufffd".encode()
_ORDINARY = bytes(n for n in range(256) if n not in _CONTROLS)
SHORT = 12
"""A line of fewer bytes without any visible character is a blank one."""

ERASED = b"<ERASED>"
"""A line of an erased person in the copy that landing keeps; separators may follow it."""

LONGEST_LINE = 4 << 20
"""Bytes (of UTF-8) of the longest line that is read: no row of the standard has a thousandth of them."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A member's text as UTF-8 without carriage returns at line ends.

    `repaired` says that the file was not plain UTF-8; `failing` names the lines (from 0) that could not be
    decoded: `?` stands for each of them.
    """

    text: bytes
    repaired: bool
    failing: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of several texts: bytes, where each line stands, which text it is of, its number there from 0.

    `starts` and `ends` are byte offsets (end exclusive, without the line feed). `bad` marks lines that
    could not be decoded or that hold control characters, `blank` those without any visible character.
    """

    body: bytes
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    owner: NDArray[np.int32]
    number: NDArray[np.int32]
    bad: NDArray[np.bool_]
    blank: NDArray[np.bool_]


def utf8_by_line(body: bytes) -> tuple[bytes, tuple[int, ...]]:
    """UTF-8 with the failing lines emptied; returns the body and the indexes of those lines.

    A line that is too long is not judged: in a large member nobody sees its end.
    """
    kept, failing = [], []
    for index, line in enumerate(body.split(b"\n")):
        if len(line) > LONGEST_LINE:
            kept.append(line)
            continue
        try:
            line.decode("utf-8")
            kept.append(line)
        except UnicodeDecodeError:
            kept.append(b"?")
            failing.append(index)
    return b"\n".join(kept), tuple(failing)


def unreadable_lines(text: bytes) -> tuple[bytes, tuple[int, ...]]:
    """Text that came from UTF-16, with the lines emptied that could not be decoded, and their indexes."""
    if _REPLACED not in text:
        return text, ()
    lines = text.split(b"\n")
    failing = tuple(i for i, line in enumerate(lines) if _REPLACED in line and len(line) <= LONGEST_LINE)
    for index in failing:
        lines[index] = b"?"
    return b"\n".join(lines), failing


def line_ends(text: bytes) -> bytes:
    """Text whose lines end with a line feed alone; one that has only carriage returns is read by them."""
    if b"\r" not in text:
        return text
    text = text.replace(b"\r\n", b"\n") if b"\n" in text else text.replace(b"\r", b"\n")
    return text[:-1] if text.endswith(b"\r") else text


def plain(body: bytes) -> Plain:
    """A member's bytes -> its text (exact rules, 4): BOM, UTF-8, cp874, UTF-8 line by line.

    Never fails: what can not be read is named, line by line. Carriage returns at line ends go.
    """
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text, failing = unreadable_lines(line_ends(body.decode("utf-16", errors="replace").encode("utf-8")))
        return Plain(text, True, failing)
    marked = body.startswith(b"\xef\xbb\xbf")
    if marked:
        body = body[3:]
    if body.isascii():
        return Plain(line_ends(body), marked, ())
    try:
        body.decode("utf-8")
        return Plain(line_ends(body), marked, ())
    except UnicodeDecodeError:
        pass
    if not marked:
        try:
            return Plain(line_ends(body.decode("cp874").encode("utf-8")), True, ())
        except UnicodeDecodeError:
            pass
    kept, failing = utf8_by_line(line_ends(body))
    return Plain(kept, marked, failing)


def is_blank(line: bytes) -> bool:
    """Whether a line has no visible character; one with control characters is bad, not blank."""
    return not line or (len(line) < SHORT and not line.strip(b" \t"))


def lines(texts: Sequence[bytes]) -> Lines:
    """Texts -> their lines, all at once; a line feed at the very end of a text opens no further line."""
    texts = [text[:-1] if text.endswith(b"\n") else text for text in texts]
    body = b"\n".join(texts)
    firsts = np.cumsum([0, *(len(text) + 1 for text in texts[:-1])], dtype=np.int64)
    feeds = np.flatnonzero(np.frombuffer(body, np.uint8) == 10)
    starts, ends = np.concatenate([[0], feeds + 1]), np.concatenate([feeds, [len(body)]])
    first_line = np.searchsorted(starts, firsts)
    counts = np.diff(first_line, append=len(starts))
    owner = np.repeat(np.arange(len(texts), dtype=np.int32), counts)
    number = (np.arange(len(starts)) - np.repeat(first_line, counts)).astype(np.int32)
    bad = np.zeros(len(starts), np.bool_)
    if body.translate(None, _ORDINARY):
        hits = [hit.start() for hit in _CONTROL.finditer(body)]
        bad[np.searchsorted(starts, hits, side="right") - 1] = True
    blank = ends == starts
    for index in np.flatnonzero((ends - starts < SHORT) & ~blank & ~bad):
        blank[index] = is_blank(body[starts[index] : ends[index]])
    return Lines(body, starts.astype(np.int64), ends.astype(np.int64), owner, number, bad, blank)


def erased_lines(body: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> list[int]:
    """Numbers of the lines that stand for a row of an erased person."""
    at, found = body.find(ERASED), []
    while at >= 0:
        line = int(np.searchsorted(starts, at, side="right")) - 1
        if starts[line] == at and not body[at + len(ERASED) : ends[line]].strip(b"|"):
            found.append(line)
        at = body.find(ERASED, int(ends[line]))
    return found
