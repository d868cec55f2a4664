"""Where an erased person's citizen id stands in raw bytes, in any of its spellings: lines, never values."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import polars as pl

from khlang.conform.stream import Read
from khlang.lake.scan.canaries import Canaries
from khlang.lake.scan.report import found_in
from khlang.lake.scan.search import Search
from khlang.stewardship.lines import Shape


@dataclass(frozen=True, slots=True, repr=False)
class Needle:
    """The citizen ids of erased persons, ready to be searched for; without any, nothing is found."""

    search: Search | None

    @classmethod
    def of(cls, cids: Collection[str]) -> Needle:
        """From the ids as digits."""
        if not cids:
            return cls(None)
        told = pl.DataFrame({"kind": "cid", "value": sorted(cids)}).with_columns(scan=pl.lit(True))
        return cls(Search.of(Canaries.of(told)))

    def stands_in(self, text: bytes) -> bool:
        """Whether any of them stands in the bytes."""
        return self.search is not None and bool(self.search.find(text))

    def found_in(self, pieces: Iterator[bytes]) -> bool:
        """Whether any of them stands in a stream, however large."""
        return self.search is not None and next(found_in(self.search, pieces), None) is not None

    def cut_out(self, text: str, instead: str) -> str:
        """The text with each of them replaced."""
        if self.search is None:
            return text
        body = text.encode("utf-8", "surrogateescape")
        for hit in sorted(self.search.find(body), key=lambda hit: -hit.start):
            body = body[: hit.start] + instead.encode() + body[hit.end :]
        return body.decode("utf-8", "replace")

    def lines(self, read: Read, shape: Shape) -> set[int]:
        """Numbers (from 1) of the lines of a member in which one stands."""
        if self.search is None:
            return set()
        places = sorted(found.start for found in found_in(self.search, read()))
        return set(_numbers(places, read, shape)) if places else set()


def _numbers(places: list[int], read: Read, shape: Shape) -> Iterator[int]:
    """Byte offsets in order -> the lines they lie in."""
    waiting = iter([*places, None])
    wanted = next(waiting)
    at, number, odd = 0, 1, b""
    for chunk in read():
        text = odd + chunk
        text, odd = (text, b"") if len(text) % shape.unit == 0 else (text[:-1], text[-1:])
        while wanted is not None and wanted < at + len(text):
            inside = (wanted - at) // shape.unit * shape.unit
            yield number + shape.count(text[:inside])
            wanted = next(waiting)
        number += shape.count(text)
        at += len(text)
