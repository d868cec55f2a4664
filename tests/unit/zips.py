"""Zips drawn inline: honest ones, and ones whose bytes or headers lie."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping

NAME = "F43_99001_20261101083000.zip"
PERSON = b"HOSPCODE|PID|NAME\r\n99001|000001|\xe0\xb8\xaa\r\n"


def zipped(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of members in the order given."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", method) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return body.getvalue()


def with_entry(item: zipfile.ZipInfo, content: bytes = b"x") -> bytes:
    """A zip of one entry whose directory says what `item` says."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as made:
        made.writestr(item, content)
    return body.getvalue()


def renamed(body: bytes, old: bytes, new: bytes) -> bytes:
    """A zip whose member names are other bytes of the same length, in directory and headers."""
    assert len(old) == len(new) and body.count(old) >= 2
    return body.replace(old, new)


def claiming(body: bytes, size: int) -> bytes:
    """The same zip with another inflated size in the directory of its first member."""
    at = body.index(b"PK\x01\x02")
    return body[: at + 24] + struct.pack("<I", size) + body[at + 28 :]


def flagged(body: bytes, bits: int) -> bytes:
    """The same zip with flag bits set in header and directory of its first member."""
    at, header = body.index(b"PK\x01\x02"), body.index(b"PK\x03\x04")
    changed = bytearray(body)
    for place in (header + 6, at + 8):
        struct.pack_into("<H", changed, place, struct.unpack_from("<H", changed, place)[0] | bits)
    return bytes(changed)


def overlapping(body: bytes) -> bytes:
    """The same zip whose last member is said to begin one byte behind the first."""
    at = body.rindex(b"PK\x01\x02")
    return body[: at + 42] + struct.pack("<I", 1) + body[at + 46 :]
