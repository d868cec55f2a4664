"""Wire text -> the zips of one cluster: one per facility and month, a member per file with rows."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from khlang.model.contract import contracts
from khlang.synth.registers import Tables
from khlang.synth.world import World

ENDS = ("\n", "\r\n")


@dataclass(frozen=True, slots=True)
class Member:
    """One text file of a zip: its place in the cluster, its name, header and lines (no line ends)."""

    f: int
    month: int
    file: str
    name: str
    header: str
    lines: list[str]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One zip: `path` under inbox/ and the members' bytes by name, in the standard's order."""

    path: str
    hospcode: str
    month: int
    sent: datetime
    members: dict[str, bytes]


def sent_at(world: World, f: int, month: int) -> datetime:
    """When a facility sends a month: in the first days of the next one, each at its own hour."""
    rng = world.plan.draws("sent", world.facilities["hospcode"][f], month)
    first = world.plan.month_start(month + 1)
    away = timedelta(days=int(rng.integers(0, 6)), seconds=int(rng.integers(8 * 3600, 18 * 3600)))
    return datetime(first.year, first.month, first.day) + away


def path_of(hospcode: str, sent: datetime) -> str:
    """<day of arrival>/F43_<hospcode>_<time>.zip."""
    return f"{sent:%Y%m%d}/F43_{hospcode}_{sent:%Y%m%d%H%M%S}.zip"


def member_name(world: World, f: int, file: str, sent: datetime) -> str:
    """Member names in the four habits of exporters: capitals, small letters, in a folder, with time behind."""
    hospcode = world.facilities["hospcode"][f]
    habit = int(world.plan.draws("habit", hospcode).integers(0, 6))
    stamp = f"{sent:%Y%m%d%H%M%S}"
    odd = {1: f"{file.lower()}.txt", 2: f"{file}.TXT", 3: f"F43_{hospcode}_{stamp}/{file}.txt", 4: f"{file.lower()}_{hospcode}_{stamp}.txt"}
    return odd.get(habit, f"{file}.txt")


def joined(frame: pl.DataFrame, columns: list[str]) -> pl.Series:
    """Rows as wire lines without their ends."""
    return frame.select(pl.concat_str(columns, separator="|")).to_series()


def deliveries(world: World, tables: Tables) -> Iterator[Delivery]:
    """Every zip of the cluster, month by month of each facility."""
    parts: dict[tuple[int, int], list[tuple[str, str, list[str]]]] = {}
    for file, contract in contracts().items():
        columns = [column.name for column in contract.current]
        frame = tables[file].sort("f", "month", maintain_order=True)
        lines = joined(frame, columns)
        bounds = frame.select("f", "month").with_row_index("row").group_by("f", "month", maintain_order=True).agg(
            start=pl.col("row").first(), size=pl.len()
        )  # fmt: skip
        for f, month, start, size in bounds.iter_rows():
            parts.setdefault((f, month), []).append((file, "|".join(columns), lines.slice(start, size).to_list()))
    for (f, month), members in sorted(parts.items()):
        yield _delivery(world, f, month, members)


def _delivery(world: World, f: int, month: int, members: list[tuple[str, str, list[str]]]) -> Delivery:
    """The zip of one facility and month."""
    hospcode, sent = world.facilities["hospcode"][f], sent_at(world, f, month)
    end = ENDS[int(hospcode) % 2]
    texts = {
        member_name(world, f, file, sent): end.join([header, *lines, ""]).encode() for file, header, lines in members
    }
    return Delivery(path_of(hospcode, sent), hospcode, month, sent, texts)


def packed(members: dict[str, bytes], stamp: datetime, level: int = 6) -> bytes:
    """Members -> the bytes of a zip, the same bytes for the same members and time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, stamp.timetuple()[:6])
            entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
            archive.writestr(entry, content)
    return buffer.getvalue()


def stored(out: Path, delivery: Delivery) -> Path:
    """Write a delivery under OUT/inbox."""
    path = out / "inbox" / delivery.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed(delivery.members, delivery.sent))
    return path
