"""Honest zips to break: stored and deflated, in folders, with comments, extra fields, descriptors and zip64."""

from __future__ import annotations

import io
import random
import zipfile
from dataclasses import dataclass
from functools import cache

from khlang.conform.unpack import verify
from khlang.settings import Settings

LIMITS = Settings()  # type: ignore[call-arg]
NAME = "F43_99001_20261101083000.zip"
KINDS = 60


@dataclass(frozen=True, slots=True)
class Honest:
    """A zip that is accepted: its bytes and its content."""

    body: bytes
    content: str


class _OneWay(io.RawIOBase):
    """A stream that can not seek: sizes and CRCs then follow each member in a descriptor."""

    def __init__(self) -> None:
        self.body = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, piece: bytes) -> int:  # type: ignore[override]
        self.body += piece
        return len(piece)


def _member(dice: random.Random) -> bytes:
    lines = ["HOSPCODE|PID|DATE_DIAG|CHRONIC|TYPEDISCH|D_UPDATE"]
    lines += [
        f"99001|{dice.randrange(10**6)}|20200131|E119|03|20260801120000" for _ in range(dice.randrange(6))
    ]
    return "\r\n".join(lines).encode()


def zipped(dice: random.Random, seekable: bool = True) -> bytes:
    """An honest zip."""
    out = io.BytesIO() if seekable else _OneWay()
    folder = dice.choice(["", "", "F43_99001_20261101083000/", "แฟ้ม/"])
    names = dice.sample(
        ["CHRONIC.txt", "chronic_99001_20261101083000.txt", "OFFICE.txt", "x/note.pdf"], dice.randint(1, 3)
    )
    with zipfile.ZipFile(out, "w") as made:  # type: ignore[arg-type]
        if folder and dice.random() < 0.5:
            made.mkdir(folder) if seekable else made.writestr(folder, b"")
        for name in names:
            item = zipfile.ZipInfo(folder + name, (2026, 11, 1, 8, 30, 0))
            item.compress_type = dice.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
            item.comment = dice.choice([b"", b"", b"made by hand"])
            item.extra = dice.choice([b"", b"", b"\x55\x54\x05\x00\x03\x00\x00\x00\x00"])
            with made.open(item, "w", force_zip64=dice.random() < 0.2) as stream:
                stream.write(_member(dice) if name[0] in "Cc" else dice.randbytes(dice.randrange(200)))
        made.comment = dice.choice([b"", b"", b"43 files"])
    return out.getvalue() if isinstance(out, io.BytesIO) else bytes(out.body)


@cache
def honest(number: int) -> Honest:
    """One of KINDS honest zips."""
    dice = random.Random(number)
    body = zipped(dice, seekable=number % 3 != 0)
    verdict = verify(io.BytesIO(body), NAME, LIMITS)
    assert verdict.code is None and verdict.content is not None, verdict.code
    return Honest(body, verdict.content)
