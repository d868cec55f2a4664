"""Hostile zips: bounded in memory and time, never half accepted."""

from __future__ import annotations

import io
import os
import random
import struct
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from khlang.conform import unpack
from khlang.lake.ledger import Ledger
from khlang.settings import PROJECT, Settings
from landing_lake import lake
from path_tricks import TRICKS
from zips import PERSON, claiming, overlapping, zipped

__all__ = ["lake"]
LIMITS = Settings()
NAME = "F43_99001_20261101083000.zip"
CORRUPTIONS = 1000


def _honest() -> bytes:
    """A zip with a folder, several members, deflated and stored."""
    dice = random.Random(7)
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("F43_99001_20261101083000/", b"")
        for file in ("PERSON", "HOME", "SERVICE", "DRUG_OPD"):
            lines = [f"99001|{dice.randrange(10**6):06d}|{dice.random()}" for _ in range(40)]
            made.writestr(f"F43_99001_20261101083000/{file}.txt", "\r\n".join(lines))
        made.writestr("readme.txt", dice.randbytes(200), zipfile.ZIP_STORED)
    return body.getvalue()


def test_every_single_byte_corruption_is_refused_or_changes_no_content() -> None:
    honest = _honest()
    whole = unpack.verify(io.BytesIO(honest), NAME, LIMITS)
    assert whole.content is not None
    dice = random.Random(20261101)
    refused = 0
    # Every byte of the directory, where one flip can hide members, and places drawn at random before it.
    directory = honest.index(b"PK\x01\x02")
    places = [*range(directory, len(honest)), *(dice.randrange(directory) for _ in range(CORRUPTIONS))]
    for place in places:
        changed = bytearray(honest)
        changed[place] ^= dice.randrange(1, 256)
        found = unpack.verify(io.BytesIO(bytes(changed)), NAME, LIMITS)
        refused += found.code is not None
        if found.code is None:
            assert found.content == whole.content, f"byte {place} changed the content and was accepted"
            assert {e.file for e in found.entries} == {e.file for e in whole.entries}
    print(f"{refused} of {len(places)} corruptions refused, the others changed nothing")
    assert len(places) >= CORRUPTIONS and refused > len(places) // 2


def test_every_cut_of_a_zip_is_refused() -> None:
    honest = _honest()
    codes = {unpack.verify(io.BytesIO(honest[:cut]), NAME, LIMITS).code for cut in range(0, len(honest), 97)}
    assert codes == {"zip.unreadable"}


MEMORY_MIB, SECONDS = 64, 5.0


def _flat() -> bytes:
    return zipped({"PERSON.txt": b"0" * (1 << 28)})


def _many() -> bytes:
    return zipped({f"{number}.txt": b"0" * (15 << 20) for number in range(20)})


def _directory() -> bytes:
    return zipped({f"{number}.txt": b"" for number in range(20_000)})


def _members() -> bytes:
    return zipped({f"{number}.txt": b"x" for number in range(LIMITS.max_members + 1)})


def _nested() -> bytes:
    """Twenty members of nine zips each, which hold 64 MiB each."""
    inner = zipped({"a": b"0" * (64 << 20)}) * 9
    return zipped({f"{number}.zip": inner for number in range(20)})


def _kernel() -> bytes:
    """A hundred entries of the directory, all of one megabyte of zeros."""
    body = zipped({"PERSON.txt": bytes(1 << 20)})
    at, end = body.index(b"PK\x01\x02"), body.rindex(b"PK\x05\x06")
    entries = b"".join(body[at:end].replace(b"PERSON", b"P%05d" % number) for number in range(100))
    tail = bytearray(body[end:])
    struct.pack_into("<HHI", tail, 8, 100, 100, len(entries))
    return body[:at] + entries + bytes(tail)


BOMBS: dict[str, Callable[[], bytes]] = {
    "flat": _flat, "many": _many, "directory": _directory, "members": _members, "kernel": _kernel,
    "overlapping": lambda: overlapping(zipped({"A.txt": b"x" * 50, "B.txt": b"y" * 50}, zipfile.ZIP_STORED)),
}  # fmt: skip
LIES = {
    f"size {claimed}": claiming(zipped({"PERSON.txt": PERSON}), claimed)
    for claimed in (0, 1, len(PERSON) - 1, len(PERSON) + 1, 1 << 20, (1 << 31) - 1, 0xFFFFFFFE)
} | {
    f"size {claimed} of a bomb": claiming(zipped({"PERSON.txt": bytes(1 << 20)}), claimed)
    for claimed in (0, 1)
}
"""Sizes in the directory that are not the members'."""


def _hostile() -> dict[str, tuple[bytes, str]]:
    """Name -> bytes and the one code that must answer; a nested bomb is a member that nobody opens."""
    zips = {f"trick: {name}": (body, "zip.path") for name, body in TRICKS.items()}
    zips |= {f"lie: {name}": (body, "zip.unreadable") for name, body in LIES.items()}
    zips |= {f"bomb: {name}": (make(), "zip.bomb") for name, make in BOMBS.items()}
    return zips | {"bomb: nested": (_nested(), "")}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, str]:
    """Files on disk, each named like a delivery of its own, and the code that must answer."""
    folder, files = tmp_path_factory.mktemp("hostile"), {}
    for number, (kind, (body, code)) in enumerate(_hostile().items()):
        path = (
            folder
            / f"{number:03}"
            / f"F43_99001_20261101{number // 3600:02}{number // 60 % 60:02}{number % 60:02}.zip"
        )
        path.parent.mkdir()
        path.write_bytes(body)
        files[path] = f"{code}/{kind}"
    assert sum(kind.startswith("zip.path/") for kind in files.values()) >= 40
    return files


def _highest() -> int:
    """MiB that this program had at most; the kernel's other figure counts the program before it, too."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) // 1024


PROGRAM = """
import sys, time
from pathlib import Path
from khlang.settings import Settings
settings = Settings()
{prepare}
def grown(): return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) // 1024
take(Path(sys.argv[1]))
before = grown()
for name in sys.argv[2:]:
    begun = time.process_time()
    code = take(Path(name))
    print(code or "-", time.process_time() - begun, grown() - before)
"""
WAYS = {
    "verify": "from khlang.conform.unpack import verify\n"
    "def take(path): return verify(path.open('rb'), path.name, settings).code",
    "check": "from khlang.conform.dry import check\n"
    "def take(path): return check(path.open('rb'), path.name, settings).code",
    "door": "from khlang.landing.deliver import deliver\ndef take(path): return deliver(settings, path).code",
}
"""How a zip is looked at -> a function that gives the code."""


def _measured(way: str, files: dict[Path, str], warm: Path, environment: dict[str, str]) -> None:
    """Every file in a process of its own kind, after an honest one: code, seconds and memory are as they must be."""
    warm.write_bytes(_honest())
    run = [sys.executable, "-c", PROGRAM.format(prepare=WAYS[way]), str(warm), *map(str, files)]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [line.split() for line in done.stdout.splitlines()]
    slowest, most = max(float(line[1]) for line in lines), max(int(line[2]) for line in lines)
    print(f"{way}: {len(lines)} hostile zips, slowest {slowest:.2f} s, {most} MiB grown")
    found = {
        f"{code.replace('-', '')}/{kind.partition('/')[2]}"
        for (code, *_), kind in zip(lines, files.values(), strict=True)
    }
    assert found == set(files.values())
    assert most <= MEMORY_MIB and slowest < SECONDS


@pytest.mark.parametrize("way", ["verify", "check"])
def test_tricks_lies_and_bombs_get_their_code_in_five_seconds_and_64_mebibytes(
    way: str, hostile: dict[Path, str], tmp_path: Path
) -> None:
    _measured(way, hostile, tmp_path / NAME, dict(os.environ) | {"PYTHONPATH": str(PROJECT / "jobs")})


@pytest.mark.stack
def test_the_door_refuses_them_too_and_its_memory_is_bounded(
    lake: Settings, hostile: dict[Path, str], tmp_path: Path
) -> None:
    own = {f"KHLANG_{name.upper()}": str(value) for name, value in lake.model_dump().items()}
    _measured(
        "door", hostile, tmp_path / NAME, dict(os.environ) | own | {"PYTHONPATH": str(PROJECT / "jobs")}
    )
    with Ledger.open(lake) as ledger:
        states = Counter(delivery.state for delivery in ledger.deliveries())
    assert states == {"rejected": len(hostile) - 1, "checked": 2}


def test_a_large_honest_member_is_read_in_bounded_memory() -> None:
    body = io.BytesIO()
    line = random.Random(1).randbytes(1 << 16).hex().encode()
    with (
        zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made,
        made.open("SERVICE.txt", "w") as out,
    ):
        for _ in range(256):
            out.write(line)
    Path("/proc/self/clear_refs").write_text("5")  # the highest mark begins anew
    before, start = _highest(), time.process_time()
    found = unpack.verify(body, NAME, LIMITS)
    grown = _highest() - before
    print(f"{found.entries[0].bytes >> 20} MiB read, {grown} MiB grown, {time.process_time() - start:.1f} s")
    assert found.code is None and found.entries[0].bytes == 256 * (1 << 17)
    assert grown <= 64
