"""Sources of bytes -> a count per place, kind and spelling; a value itself is never kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from khlang.lake.scan.search import Found, Search

OWN = 1 << 20
"""Bytes searched at once; each window also sees `Search.reach` bytes before and behind its own."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a byte of a source comes from: a column, its offset there, how often its value stands there."""

    where: str
    offset: int
    times: int


@dataclass(frozen=True, slots=True)
class Source:
    """Bytes that belong together: where they stand, in pieces; `origin` when they come from several places."""

    where: str
    pieces: Iterable[bytes]
    origin: Callable[[int], Origin] | None = None
    numerals: bool = False

    def at(self, offset: int) -> Origin:
        """Where a byte comes from."""
        return self.origin(offset) if self.origin else Origin(self.where, offset, 1)


@dataclass(frozen=True, slots=True)
class Hit:
    """A kind of value in one spelling at one place: how often, how many values, the first one's offset and mark."""

    where: str
    kind: str
    spelling: str
    count: int
    values: int
    offset: int
    mark: str


class _Count:
    def __init__(self, offset: int, mark: str) -> None:
        self.count, self.values = 0, set[int]()
        self.offset, self.mark = offset, mark


@dataclass(frozen=True, slots=True)
class Report:
    """What a scan has seen so far; `watch` hears how many bytes that are."""

    search: Search
    watch: Callable[[int], None] = lambda searched: None
    counts: dict[tuple[str, str, str], _Count] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    undecoded: dict[str, str] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=lambda: {"bytes": 0, "sources": 0})
    told: dict[str, str] = field(default_factory=dict)

    def take(self, source: Source) -> None:
        """Search one source to its end."""
        self.totals["sources"] += 1
        for found in found_in(self.search, self._measured(source.pieces), source.numerals):
            origin = source.at(found.start)
            place = (self.shown(origin.where), self.search.kinds[found.index], found.spelling)
            if place not in self.counts:
                self.counts[place] = _Count(origin.offset, self.search.canaries.mark(found.index))
            self.counts[place].count += origin.times
            self.counts[place].values.add(found.index)

    def name(self, where: str, name: str) -> None:
        """Search a name (of a file, an object, a table): names leak too."""
        self.take(Source(f"{where} (its name)", [name.encode("utf-8", "surrogateescape")]))

    def could_not_read(self, where: str, error: Exception) -> None:
        """Bytes that nobody searched: the scan has not seen everything."""
        self.unread[self.shown(where)] = type(error).__name__

    def could_not_decode(self, where: str, error: Exception) -> None:
        """A member that could not be opened: its raw bytes were searched."""
        self.undecoded[self.shown(where)] = type(error).__name__

    def hits(self) -> list[Hit]:
        """All hits, by place."""
        return [
            Hit(*place, count.count, len(count.values), count.offset, count.mark)
            for place, count in sorted(self.counts.items())
        ]

    def shown(self, where: str) -> str:
        """A place without the values that its own name may hold."""
        if where not in self.told:
            content = where.encode("utf-8", "surrogateescape")
            for found in sorted(self.search.find(content), key=lambda found: -found.start):
                content = content[: found.start] + b"***" + content[found.end :]
            self.told[where] = content.decode("utf-8", "replace")
        return self.told[where]

    def _measured(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.totals["bytes"] += len(piece)
            self.watch(self.totals["bytes"])
            yield piece


def found_in(search: Search, pieces: Iterable[bytes], numerals: bool = False) -> Iterator[Found]:
    """Places in a stream, offsets counted from its start; a value across two pieces is found, and once."""
    find = search.find_numerals if numerals else search.find
    window, offset, own, reach = bytearray(), 0, 0, search.reach
    for piece in pieces:
        window += piece
        while len(window) >= own + OWN + reach:
            yield from _owned(find(bytes(window[: own + OWN + reach])), own, own + OWN, offset)
            cut = own + OWN - reach
            del window[:cut]
            offset, own = offset + cut, reach
    yield from _owned(find(bytes(window)), own, len(window), offset)


def _owned(found: Iterable[Found], first: int, last: int, offset: int) -> Iterator[Found]:
    for one in found:
        if first <= one.start < last:
            yield Found(one.start + offset, one.end + offset, one.index, one.spelling)
