"""A member far larger than memory should hold: the check of it, and its way through the door and bronze."""

from __future__ import annotations

import json
import random
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.lake import BenchLake
from bench.measure import Cost, cost
from khlang.settings import PROJECT

NAME = "F43_99001_20261101083000.zip"
HEADER = b"HOSPCODE|PID|DATE_DIAG|CHRONIC|TYPEDISCH|D_UPDATE\r\n"
BLOCK = 1 << 20
REGISTER = """hospcode,hospcode9,name,level,hostype,province,health_region,ampur,tambon
99001,EA0099001,โรงพยาบาลตัวอย่าง,F2,07,50,1,02,01
"""
Say = Callable[[str], None]


def short_rows(size: int) -> Iterator[bytes]:
    """About `size` bytes of a register: a person and a disease in a line, all of them clean, none twice."""
    dice, person, made = random.Random(1), 0, 0
    while made < size:
        lines = []
        for number in range(person, person + 20_000):
            day = f"{dice.randrange(2010, 2026)}{dice.randrange(1, 13):02d}{dice.randrange(1, 29):02d}"
            lines.append(
                f"99001|{number:09d}|{day}|E11{dice.randrange(10)}|0{dice.randrange(1, 4)}|20260801120000"
            )
        person += 20_000
        text = ("\r\n".join(lines) + "\r\n").encode()
        made += len(text)
        yield text


def wide_rows(size: int) -> Iterator[bytes]:
    """About `size` bytes of rows of which one value is far too long."""
    dice, person, made = random.Random(2), 0, 0
    while made < size:
        person += 1
        junk = dice.randbytes(BLOCK // 2).hex()
        text = f"99001|{person:09d}|20200131|{junk}|03|20260801120000\r\n".encode()
        made += len(text)
        yield text


def one_line(size: int) -> Iterator[bytes]:
    """A good row, a line of `size` bytes without an end, another good row."""
    dice = random.Random(3)
    yield b"99001|1|20200131|E119|03|20260801120000\r\n"
    for _ in range(size // BLOCK):
        yield dice.randbytes(BLOCK // 2).hex().encode()
    yield b"\r\n99001|2|20200131|E119|03|20260801120000\r\n"


KINDS = {"short rows": short_rows, "wide rows": wide_rows, "one line": one_line}


def made(folder: Path, kind: str, size: int) -> Path:
    """A zip with one CHRONIC member of that kind; written as a stream."""
    folder.mkdir(parents=True)
    path = folder / NAME
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as whole,
        whole.open("CHRONIC.txt", "w", force_zip64=True) as out,
    ):
        out.write(HEADER)
        for text in KINDS[kind](size):
            out.write(text)
    return path


def checked(own: BenchLake, path: Path) -> dict[str, Any]:
    """`khlang check --json` of a zip: seconds, memory, what the receipt counts."""
    spent = cost([sys.executable, "-m", "khlang", "check", "--json", str(path)], own.environment, PROJECT)
    (member,) = json.loads(spent.output.splitlines()[-1])["members"]
    counts = {name: member[name] for name in ("delivered", "accepted", "refused")}
    return {**_figures("check", spent), **counts}


def loaded(own: BenchLake, path: Path) -> list[dict[str, Any]]:
    """The same zip through the door and into bronze."""
    delivered = own.command("deliver", "--json", str(path))
    job, _ = own.job("bronze")
    return [_figures("deliver", delivered), _figures("bronze", job)]


def _figures(what: str, spent: Cost) -> dict[str, Any]:
    return {"step": what, "seconds": round(spent.seconds, 1), "python_mib": round(spent.python_mib)}


def large(own: BenchLake, folder: Path, sizes: dict[str, int], say: Say) -> list[dict[str, Any]]:
    """Each kind of member of so many bytes; a row for each step. `python_mib`: the largest Python process."""
    register = folder / "facilities.csv"
    register.write_text(REGISTER, "utf-8")
    own.command("facilities", "load", str(register))
    rows: list[dict[str, Any]] = []
    for kind, size in sizes.items():
        path = made(folder / kind.replace(" ", "-"), kind, size)
        about = {"kind": kind, "member_mib": size >> 20, "zip_mib": path.stat().st_size >> 20}
        for figures in (checked(own, path), *loaded(own, path)):
            rows.append({**about, "delivered": "", "accepted": "", "refused": "", **figures})
            say(f"  {kind}, {size >> 20} MiB: {figures}")
        path.unlink()
    return rows
