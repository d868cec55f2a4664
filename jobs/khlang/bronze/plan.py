"""Members of a batch -> bundles of about equal bytes, each zip opened in as few bundles as possible."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Source:
    """One member that is to be read: where its zip lies in landing, and its place in the zip."""

    receipt: str
    position: int
    file: str
    hospcode: str
    sent_at: str
    arrival: int
    size: int
    landing_key: str


def bundles(sources: Iterable[Source], most_bytes: int, cores: int) -> list[list[Source]]:
    """Pack members in the order facility, zip, position; a bundle closes at `most_bytes`.

    Their number is a multiple of `cores`, so that no core waits for another one's last bundle.
    """
    ordered = sorted(sources, key=lambda s: (s.hospcode, s.arrival, s.position))
    total = sum(source.size for source in ordered)
    rounds = max(1, -(-total // (most_bytes * cores)))
    limit = max(1, -(-total // (rounds * cores)))
    packed: list[list[Source]] = []
    filled = limit
    for source in ordered:
        if filled >= limit:
            packed.append([])
            filled = 0
        packed[-1].append(source)
        filled += source.size
    return packed


def task(batch: str, attempt: str, number: int, bundle: Sequence[Source], key_version: int) -> dict[str, Any]:
    """A bundle as a Spark task: places and the key's version, nothing of a patient."""
    members = [
        [s.receipt, s.position, s.file, s.hospcode, s.sent_at, s.arrival, s.landing_key, s.size]
        for s in bundle
    ]
    return {
        "batch": batch,
        "attempt": attempt,
        "number": number,
        "members": members,
        "key_version": key_version,
    }
