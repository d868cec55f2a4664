"""Hostile zips: bounded in memory and time, never half accepted."""

from __future__ import annotations

import io
import random
import resource
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from khlang.conform import unpack
from khlang.settings import Settings

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


BOMBS = {
    "flat": "z.writestr('PERSON.txt', b'0' * (1 << 28))",
    "many": "[z.writestr(f'{n}.txt', b'0' * (15 << 20)) for n in range(20)]",
    "directory": "[z.writestr(f'{n}.txt', b'') for n in range(20000)]",
    "nested": "i = io.BytesIO(); y = zipfile.ZipFile(i, 'w', 8); y.writestr('a', b'0' * (64 << 20)); y.close();"
    " [z.writestr(f'{n}.zip', i.getvalue() * 9) for n in range(20)]",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_in_five_seconds_and_64_mebibytes(bomb: str, tmp_path: Path) -> None:
    path = tmp_path / NAME
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as z:
        exec(BOMBS[bomb], {"z": z, "io": io, "zipfile": zipfile})
    program = (
        "import resource, sys, time\n"
        "from khlang.conform import unpack\n"
        "from khlang.settings import Settings\n"
        "limits = Settings(); unpack.file_of('PERSON.txt')\n"
        "before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()\n"
        f"code = unpack.verify(open(sys.argv[1], 'rb'), {NAME!r}, limits).code\n"
        "grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before\n"
        "print(code, grown // 1024, time.process_time() - start)"
    )
    run = [sys.executable, "-c", program, str(path)]
    done = subprocess.run(run, capture_output=True, text=True, check=True, timeout=120)
    code, grown, seconds = done.stdout.split()
    print(f"{bomb}: {code}, {grown} MiB, {seconds} s")
    assert code in ("zip.bomb", "None") and (code == "zip.bomb" or bomb == "nested")
    assert int(grown) <= 64 and float(seconds) < 5


def test_a_large_honest_member_is_read_in_bounded_memory() -> None:
    body = io.BytesIO()
    line = random.Random(1).randbytes(1 << 16).hex().encode()
    with (
        zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made,
        made.open("SERVICE.txt", "w") as out,
    ):
        for _ in range(256):
            out.write(line)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    found = unpack.verify(body, NAME, LIMITS)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    print(f"{found.entries[0].bytes >> 20} MiB read, {grown} MiB grown, {time.process_time() - start:.1f} s")
    assert found.code is None and found.entries[0].bytes == 256 * (1 << 17)
    assert grown <= 64
