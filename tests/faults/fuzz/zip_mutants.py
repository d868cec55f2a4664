"""Ways to break an honest zip: bytes, cuts, lies in its headers, tricks in its names, bombs."""

from __future__ import annotations

import io
import random
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

from path_tricks import TRICKS

from .honest import KINDS, NAME, Honest, honest, zipped

LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
INTERESTING = (
    0,
    1,
    2,
    7,
    22,
    30,
    46,
    255,
    256,
    0x7FFF,
    0x8000,
    0xFFFE,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
)
FIELDS = {  # header -> (offset, size) of every number in it
    LOCAL: [(4, 2), (6, 2), (8, 2), (10, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2)],
    CENTRAL: [(4, 2), (6, 2), (8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2),
    (34, 2), (36, 2),
              (38, 4), (42, 4)],
    END: [(4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2)],
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ZipCase:
    """A zip to judge. `codes`: it must be refused by one of these; else, if accepted,
    `contents` are allowed.

    No `contents`: any. `name` is the zip's.
    """

    body: bytes
    contents: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()
    name: str = NAME


Mutator = Callable[[random.Random, Honest], ZipCase]


def _kept(body: bytes | bytearray, *whole: Honest) -> ZipCase:
    return ZipCase(bytes(body), frozenset(one.content for one in whole))


def _refused(body: bytes, *codes: str) -> ZipCase:
    return ZipCase(body, codes=frozenset(codes))


def _places(body: bytes, mark: bytes) -> list[int]:
    return [at for at in range(len(body)) if body.startswith(mark, at)]


def flip(dice: random.Random, whole: Honest) -> ZipCase:
    """Some bytes are others."""
    body = bytearray(whole.body)
    directory = max(0, whole.body.rfind(CENTRAL) - 60)
    for _ in range(dice.choice([1, 1, 1, 2, 4, 9])):
        at = dice.randrange(dice.choice([0, directory]), len(body))
        body[at] ^= dice.choice([1 << dice.randrange(8), dice.randrange(1, 256)])
    return _kept(body, whole)


def cut(dice: random.Random, whole: Honest) -> ZipCase:
    """Bytes are missing at an end or in the middle."""
    first, last = sorted(dice.randrange(len(whole.body) + 1) for _ in range(2))
    part = dice.choice([slice(0, last), slice(first, None), slice(first, last)])
    kept = whole.body[part] if dice.random() < 0.6 else whole.body[:first] + whole.body[last:]
    return _kept(kept, whole)


def splice(dice: random.Random, whole: Honest) -> ZipCase:
    """A piece of another zip, or of itself, stands in it or around it."""
    other = honest(dice.randrange(KINDS))
    first, last = sorted(dice.randrange(len(other.body) + 1) for _ in range(2))
    at = dice.choice([0, len(whole.body), dice.randrange(len(whole.body))])
    piece = other.body[first:last] if dice.random() < 0.7 else other.body
    over = len(piece) if dice.random() < 0.3 else 0
    return _kept(whole.body[:at] + piece + whole.body[at + over :], whole, other)


def lie(dice: random.Random, whole: Honest) -> ZipCase:
    """Numbers in headers lie: sizes, CRCs, offsets, counts, methods, flags, lengths."""
    body = bytearray(whole.body)
    for _ in range(dice.choice([1, 1, 2, 3])):
        mark = dice.choice([LOCAL, CENTRAL, CENTRAL, END])
        at = dice.choice(_places(whole.body, mark) or [0])
        offset, size = dice.choice(FIELDS[mark])
        if at + offset + size > len(body):
            continue
        form = "<H" if size == 2 else "<I"
        before = struct.unpack_from(form, body, at + offset)[0]
        value = dice.choice([*INTERESTING, before + 1, before - 1, before * 2, dice.randrange(1 << 32)])
        struct.pack_into(form, body, at + offset, value % (1 << (8 * size)))
    return _kept(body, whole)


def zip64(dice: random.Random, whole: Honest) -> ZipCase:
    """An end record of zip64, true or not, before the end."""
    at = whole.body.rfind(END)
    count, size, start = (
        struct.unpack_from(form, whole.body, at + o)[0] for form, o in (("<H", 10), ("<I", 12), ("<I", 16))
    )
    told = [count, count, size, start]
    for place in range(4):
        if dice.random() < 0.3:
            told[place] = dice.choice([*INTERESTING, 1 << 40, (1 << 64) - 1])
    where = dice.choice([at, at, at, 0, 1 << 62])
    end64 = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, *told)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, where, dice.choice([1, 1, 0, 2]))
    body = bytearray(whole.body[:at] + end64 + locator + whole.body[at:])
    if dice.random() < 0.6:
        struct.pack_into("<HHII", body, at + 76 + 8, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    return _kept(body, whole)


def extra(dice: random.Random, whole: Honest) -> ZipCase:
    """An entry of the directory has an extra field more, of a known kind or none."""
    at = dice.choice(_places(whole.body, CENTRAL))
    name, had = struct.unpack_from("<HH", whole.body, at + 28)
    kind = dice.choice([0x0001, 0x0001, 0x7075, 0x5455, 0x9901, dice.randrange(1 << 16)])
    text = dice.randbytes(dice.choice([0, 1, 4, 8, 16, 24, 28, 60]))
    field = struct.pack("<HH", kind, dice.choice([len(text), len(text), len(text) + 9, 0])) + text
    place = at + 46 + name + had
    body = bytearray(whole.body[:place] + field + whole.body[place:])
    struct.pack_into("<H", body, at + 30, had + len(field))
    end = body.rfind(END)
    struct.pack_into("<I", body, end + 12, struct.unpack_from("<I", body, end + 12)[0] + len(field))
    return _kept(body, whole)


def comment(dice: random.Random, whole: Honest) -> ZipCase:
    """A comment behind the end, which may look like an end, or be a whole zip."""
    other, at = honest(dice.randrange(KINDS)), whole.body.rfind(END)
    text = dice.choice([END, END + bytes(18), dice.randbytes(30), other.body, whole.body[-22:], bytes(300)])
    told = dice.choice([len(text), len(text), 0, 0xFFFF])
    body = bytearray(whole.body[: at + 22] + text)
    struct.pack_into("<H", body, at + 20, told)
    return _kept(body, whole, other)


def duplicate(dice: random.Random, whole: Honest) -> ZipCase:
    """Two members have one name, or names that are one on many systems."""
    first, second = dice.choice(
        [
            ("CHRONIC.txt", "chronic.TXT"),
            ("é.txt", "e\u0301.txt"),
            ("A.txt", "a.txt"),
            ("x/ß.txt", "x/ss.txt"),
        ]
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name in (first, second):
            made.writestr(name, dice.randbytes(5))
    return _refused(out.getvalue(), "zip.path")


def overlap(dice: random.Random, whole: Honest) -> ZipCase:
    """Several entries of the directory name the same bytes."""
    at, end = whole.body.find(CENTRAL, whole.body.rfind(LOCAL)), whole.body.rfind(END)
    if whole.body.count(CENTRAL) != 1 or end < 0:
        return lie(dice, whole)
    count = dice.choice([2, 3, 50, 300])
    entries = whole.body[at:end] * count
    tail = bytearray(whole.body[end:])
    struct.pack_into("<HHI", tail, 8, count, count, len(entries))
    return _refused(whole.body[:at] + entries + bytes(tail), "zip.bomb", "zip.path", "zip.unreadable")


def trick(dice: random.Random, whole: Honest) -> ZipCase:
    """A name that could leave its folder."""
    return _refused(TRICKS[dice.choice(sorted(TRICKS))], "zip.path")


def nested(dice: random.Random, whole: Honest) -> ZipCase:
    """Zips in zips: nobody opens the inner ones."""
    body = whole.body
    for _ in range(dice.randint(1, 4)):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", dice.choice([0, 8])) as made:
            for number in range(dice.randint(1, 3)):
                made.writestr(f"{number}.zip", body)
        body = out.getvalue()
    return ZipCase(body)


def bomb(dice: random.Random, whole: Honest) -> ZipCase:
    """A few kilobytes that inflate to megabytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        if dice.random() < 0.5:
            made.writestr("CHRONIC.txt", bytes(17 << 20))
        else:
            for number in range(201):
                made.writestr(f"{number}.txt", b"")
    return _refused(out.getvalue(), "zip.bomb")


def rename(dice: random.Random, whole: Honest) -> ZipCase:
    """The zip's own name is none of the standard."""
    wrong = ["F43_99001_20261301083000.zip", "f43_99001_20261101083000.zip",
             "X_F43_99001_20261101083000.zip",
             "F43_9900๑_20261101083000.zip", "F43_99001_25691101083000.zip",
             "F43_99001_20261101083000.zip\n",
             "../F43_99001_20261101083000.zip", "", "F43_99001_20261101.zip",
             "F43_99001_20261101083000.ZIP"]  # fmt: skip
    return ZipCase(whole.body, codes=frozenset(["zip.name"]), name=dice.choice(wrong))


def noise(dice: random.Random, whole: Honest) -> ZipCase:
    """Bytes that only look like a zip here and there."""
    marks = [LOCAL, CENTRAL, END, b"PK\x06\x06", b"PK\x06\x07", b"PK\x07\x08"]
    body = b"".join(
        dice.choice([*marks, dice.randbytes(dice.randrange(40)), bytes(20)])
        for _ in range(dice.randrange(12))
    )
    return ZipCase(body)


def fresh(dice: random.Random, whole: Honest) -> ZipCase:
    """An honest zip of its own, which must be accepted."""
    return ZipCase(zipped(dice, dice.random() < 0.7), codes=frozenset([""]))


MUTATORS: dict[Mutator, int] = {
    flip: 24, cut: 8, splice: 10, lie: 24, zip64: 7, extra: 7, comment: 6, duplicate: 2, overlap: 3,
    trick: 3,
    nested: 2, bomb: 1, rename: 1, noise: 3, fresh: 2,
}  # fmt: skip
"""Mutator -> how often it is drawn."""


def zip_case(dice: random.Random) -> tuple[str, ZipCase]:
    """One case: the mutator's name, and what it made."""
    mutator = dice.choices(list(MUTATORS), list(MUTATORS.values()))[0]
    return mutator.__name__, mutator(dice, honest(dice.randrange(KINDS)))
