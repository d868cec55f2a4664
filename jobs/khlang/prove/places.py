"""Hits of a scan -> where they lie for people: zone, table and column, or a folder of the home; never a value."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from khlang.lake.scan.report import Hit


@dataclass(frozen=True, slots=True)
class Found:
    """All hits of one kind at one place: how often, of how many values at least, one keyed mark."""

    place: str
    kind: str
    count: int
    values: int
    mark: str


def place_of(where: str, root: Path) -> str:
    """`bronze.person.didstd`, `bronze.person _delta_log`, `logs/landing.log`, `stores/lake, column didstd`."""
    bare, _, column = where.partition("#")
    if where.startswith("s3://"):
        bucket, _, key = bare.removeprefix("s3://").partition("/")
        table, _, rest = key.partition("/")
        told = " _delta_log" if rest.startswith("_delta_log") else ""
        return f"{bucket}.{table}{told}" + (f".{column}" if column else "")
    bare = bare.partition("!")[0]
    if Path(bare).is_relative_to(root):
        parts = Path(bare).relative_to(root).parts
        bare = "/".join(parts[: 2 if parts[0] != "logs" else None])
    return bare + (f", column {column}" if column else "")


def grouped(hits: Iterable[Hit], root: Path) -> list[Found]:
    """One line for each place and kind."""
    lines: dict[tuple[str, str], list[Hit]] = defaultdict(list)
    for hit in hits:
        for kind in hit.kind.split("+"):
            lines[place_of(hit.where, root), kind].append(hit)
    return [
        Found(
            place, kind, sum(hit.count for hit in some), max(hit.values for hit in some), some[0].mark
        )
        for (place, kind), some in sorted(lines.items())
    ]  # fmt: skip
