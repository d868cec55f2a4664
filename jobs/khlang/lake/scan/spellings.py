"""Bytes -> the texts hidden in them by UTF-16, base64, hexadecimal and escapes, with the place of each byte.

UTF-8 and cp874 need no view: they are searched in the bytes as they are.
"""

from __future__ import annotations

import re
import string
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]
Flags = NDArray[np.bool_]
Decode = Callable[[Bytes], Bytes]
Place = Callable[[int], int]

STOP = 0x1E
"""Stands between pieces that were apart: no identifier runs across it."""
UNKNOWN = 255
UTF16_UNITS, BASE64_RUN, HEX_RUN = 6, 10, 12


@dataclass(frozen=True, slots=True)
class View:
    """A text within bytes; `place` tells where the byte at an index comes from."""

    spelling: str
    content: bytes
    place: Place


def views(content: bytes) -> Iterator[View]:
    """Every hidden text of a buffer."""
    for make in MAKERS:
        yield from make(content)


def _runs(valid: Flags, shortest: int) -> Places:
    """Indices of all that stands in runs of at least `shortest`; -1 closes each run."""
    flags = _run_starts(valid, shortest)
    if not flags.any():
        return np.zeros(0, np.int64)
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    starts, lengths = edges[::2], edges[1::2] - edges[::2] + shortest
    closing = np.cumsum(lengths)
    picked: Places = np.arange(closing[-1]) + np.repeat(starts - (closing - lengths), lengths)
    picked[closing - 1] = -1
    return picked


def _run_starts(valid: Flags, shortest: int) -> Flags:
    """Where that many flags in a row begin, by doubling."""
    starts, length = valid, 1
    while length < shortest and starts.size:
        step = min(length, shortest - length)
        starts, length = starts[:-step] & starts[step:], length + step
    return starts


def utf16(content: bytes) -> Iterator[View]:
    """ASCII and Thai of UTF-16, both byte orders, both alignments."""
    for start in (0, 1):
        units = np.frombuffer(content, "<u2", max(len(content) - start, 0) // 2, start if content else 0)
        yield from _utf16_view("utf-16le", units, start)
        yield from _utf16_view("utf-16be", units.byteswap(), start)


def _utf16_view(name: str, units: NDArray[np.uint16], start: int) -> Iterator[View]:
    latin, thai = units - np.uint16(0x20) < 0x5F, units - np.uint16(0x0E01) < 0x5B
    picked = _runs(latin | thai, UTF16_UNITS)
    if not picked.size:
        return
    kept = np.where(picked < 0, np.uint16(STOP), units[picked])

    def _place(index: int) -> int:
        ends = np.cumsum(np.where(kept < 0x80, 1, 3))
        return int(picked[np.searchsorted(ends, index, "right")]) * 2 + start

    yield View(name, kept.astype("<u2").tobytes().decode("utf-16-le").encode(), _place)


def _values(alphabets: tuple[str, ...]) -> bytes:
    table = bytearray([UNKNOWN]) * 256
    for alphabet in alphabets:
        for value, mark in enumerate(alphabet):
            table[ord(mark)] = value
    return bytes(table)


_LETTERS = string.ascii_uppercase + string.ascii_lowercase + string.digits
_BASE64 = _values((_LETTERS + "+/", _LETTERS + "-_"))
_HEX = _values(("0123456789abcdef", "0123456789ABCDEF"))
_LINE_ENDS = b"\r\n"


def base64_text(content: bytes) -> Iterator[View]:
    """What base64 (both alphabets, with or without line ends inside) decodes to, at each of four alignments."""
    values = content.translate(_BASE64, _LINE_ENDS)

    def _origin(index: int) -> int:
        if len(values) == len(content):
            return index
        raw = np.frombuffer(content, np.uint8)
        return int(np.flatnonzero((raw != _LINE_ENDS[0]) & (raw != _LINE_ENDS[1]))[index])

    yield from _decoded("base64", values, BASE64_RUN, (4, 3), _triples, _origin)


def hex_text(content: bytes) -> Iterator[View]:
    """What hexadecimal digits decode to, at both alignments."""
    yield from _decoded("hex", content.translate(_HEX), HEX_RUN, (2, 1), _pairs, int)


def _decoded(
    name: str, values: bytes, shortest: int, ratio: tuple[int, int], decode: Decode, origin: Place
) -> Iterator[View]:
    """Views of values in runs: `ratio` says how many of them become how many bytes."""
    taken, _ = ratio
    raw = np.frombuffer(values, np.uint8)
    picked = _runs(raw != UNKNOWN, shortest)
    if not picked.size:
        return
    picked = np.append(picked, np.full(taken, -1))  # the last bytes count though their group is not full
    kept = np.where(picked < 0, np.uint8(UNKNOWN), raw[picked])
    for start in range(taken):
        whole = start + (len(kept) - start) // taken * taken
        decoded = decode(kept[start:whole].reshape(-1, taken))
        yield View(name, decoded.tobytes(), _place_of(picked, start, ratio, origin))


def _place_of(picked: Places, start: int, ratio: tuple[int, int], origin: Place) -> Place:
    taken, given = ratio

    def _place(index: int) -> int:
        at = start + index // given * taken
        value = picked[at] if picked[at] >= 0 else picked[at + 1]
        return origin(int(value))

    return _place


def _triples(quads: Bytes) -> Bytes:
    """Four values of six bits -> three bytes; a byte with a missing half is STOP."""
    first, second, third, fourth = (np.ascontiguousarray(quads[:, at]) for at in range(4))
    triples = np.empty((len(quads), 3), np.uint8)
    for at, (left, high, right, low) in enumerate(
        ((first, 2, second, 4), (second, 4, third, 2), (third, 6, fourth, 0))
    ):
        byte = (left << high) | (right >> low)
        byte[(left | right) == UNKNOWN] = STOP
        triples[:, at] = byte
    return triples.reshape(-1)


def _pairs(pairs: Bytes) -> Bytes:
    """Two values of four bits -> one byte; STOP where one is missing."""
    known = (pairs != UNKNOWN).all(axis=1)
    return np.where(known, (pairs[:, 0] << 4) | (pairs[:, 1] & 15), STOP).astype(np.uint8)


_ESCAPE = re.compile(
    rb"\\+u([0-9a-fA-F]{4})|\\+x([0-9a-fA-F]{2})|%([0-9a-fA-F]{2})|=([0-9A-F]{2})"
    rb"|&#0{0,4}([0-9]{2,5});|&#[xX]0{0,4}([0-9a-fA-F]{2,5});"
)
_HINT = [
    re.compile(hint)
    for hint in (
        rb"\\u00|\\u0[eE]",
        rb"\\x\w\w\\+x",
        rb"%[eE]0%[bB][89]",
        rb"%[24]0",
        rb"%3\d%3",
        rb"=E0=B[89]",
        rb"=3\d=3",
        rb"&#\d\d",
        rb"&#[xX]",
    )
]
"""An escape that could be part of a value: searched first, as replacing costs more."""


def _meant(
    code: bytes, slashed: bytes, percent: bytes, quoted: bytes, decimal: bytes, entity: bytes
) -> bytes:
    """What one escape stands for: a character by its number, or one byte."""
    if code or entity:
        return chr(int(code or entity, 16)).encode("utf-8", "replace")
    if decimal:
        return chr(int(decimal)).encode("utf-8", "replace")
    return bytes([int(slashed or percent or quoted, 16)])


def escaped(content: bytes) -> Iterator[View]:
    r"""The text with \uXXXX, \xXX, %XX, =XX and &#NNNN; replaced by what they stand for."""
    if not any(hint.search(content) for hint in _HINT):
        return
    pieces: list[bytes] = []
    ends: list[int] = []
    places: list[int] = []
    last = length = 0
    for found in _ESCAPE.finditer(content):
        meant = _meant(*found.groups())
        for piece, begins in ((content[last : found.start()], last), (meant, found.start())):
            length += len(piece)
            pieces.append(piece)
            ends.append(length)
            places.append(begins)
        last = found.end()
    text = b"".join([*pieces, content[last:]])

    def _place(index: int) -> int:
        piece = bisect_right(ends, index)
        if piece == len(ends):
            return last + index - length
        before = ends[piece - 1] if piece else 0
        return places[piece] + (index - before if piece % 2 == 0 else 0)

    if pieces:
        yield View("escaped", text, _place)


Maker = Callable[[bytes], Iterator[View]]
MAKERS: tuple[Maker, ...] = (utf16, base64_text, hex_text, escaped)
