"""Bytes of a member -> UTF-8 lines with their numbers, its encoding decided for the whole file."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_BLANK = re.compile(rb"[^\s]")


@dataclass(frozen=True, slots=True)
class Lines:
    """A member's text: UTF-8 bytes without carriage returns, and where each line stands.

    `starts` and `ends` are byte offsets of lines (end exclusive, without the line feed); line 1 is index 0.
    `bad` marks lines that the file's encoding cannot decode or that hold control characters;
    `blank` marks lines without any visible character. `repaired` says that the file was not plain UTF-8.
    """

    body: bytes
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    bad: NDArray[np.bool_]
    blank: NDArray[np.bool_]
    repaired: bool


def _utf8_by_line(body: bytes) -> tuple[bytes, list[int]]:
    """UTF-8 with the failing lines emptied; returns the body and the indexes of those lines."""
    kept, failing = [], []
    for index, line in enumerate(body.split(b"\n")):
        try:
            line.decode("utf-8")
            kept.append(line)
        except UnicodeDecodeError:
            kept.append(b"?")
            failing.append(index)
    return b"\n".join(kept), failing


def _plain(body: bytes) -> tuple[bytes, bool, list[int]]:
    """Any encoding of the standard's senders -> UTF-8 (exact rules, 4): BOM, UTF-8, cp874, UTF-8 by line."""
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = body.decode("utf-16", errors="replace")
        lines, failing = text.split("\n"), []
        for index, line in enumerate(lines):
            if "\ufffd" in line:
                lines[index] = "?"
                failing.append(index)
        return "\n".join(lines).encode("utf-8"), True, failing
    marked = body.startswith(b"\xef\xbb\xbf")
    if marked:
        body = body[3:]
    if body.isascii():
        return body, marked, []
    try:
        body.decode("utf-8")
        return body, marked, []
    except UnicodeDecodeError:
        pass
    if not marked:
        try:
            return body.decode("cp874").encode("utf-8"), True, []
        except UnicodeDecodeError:
            pass
    kept, failing = _utf8_by_line(body)
    return kept, marked, failing


def _spans(body: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Start and end offset of every line; a line feed at the very end opens no further line."""
    feeds = np.flatnonzero(np.frombuffer(body, np.uint8) == 10)
    starts = np.concatenate([[0], feeds + 1])
    ends = np.concatenate([feeds, [len(body)]])
    if starts[-1] == len(body):
        starts, ends = starts[:-1], ends[:-1]
    return starts.astype(np.int64), ends.astype(np.int64)


def decode(body: bytes) -> Lines:
    """A member's bytes -> its lines. Never fails: what cannot be read is marked bad, line by line.

    Carriage returns at line ends go; a file that has only carriage returns is read by them.
    """
    text, repaired, failing = _plain(body)
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n") if b"\n" in text else text.replace(b"\r", b"\n")
        text = text[:-1] if text.endswith(b"\r") else text
    starts, ends = _spans(text)
    bad = np.zeros(len(starts), np.bool_)
    bad[failing] = True
    for hit in _CONTROL.finditer(text):
        bad[np.searchsorted(starts, hit.start(), side="right") - 1] = True
    blank = ends == starts
    for index in np.flatnonzero((ends - starts < 12) & ~blank):
        blank[index] = _BLANK.search(text, starts[index], ends[index]) is None
    return Lines(text, starts, ends, bad, blank & ~bad, repaired)
