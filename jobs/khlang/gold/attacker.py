"""Shown counts -> the bounds that anybody can work out for the hidden ones, knowing every rule and every sum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

MANY = 1 << 60
"""Stands for "no upper bound"."""


class Count(NamedTuple):
    """One unknown: how many of what, where, when."""

    what: str
    place: tuple[str, str]
    period: str


class Sum(NamedTuple):
    """What everyone knows: the parts add up to the total."""

    total: Count
    parts: tuple[Count, ...]


Span = tuple[int, int]
SumsOf = Mapping[Count, Sequence[Sum]]


class Bounds:
    """An interval for every count of a group, narrowed by the sums until nothing changes."""

    def __init__(self, group: Iterable[Count], shown: Iterable[tuple[Count, Span]], sums_of: SumsOf) -> None:
        """Start from what is shown; everything else may be anything from 0."""
        self.low = dict.fromkeys(group, 0)
        self.high = dict.fromkeys(self.low, MANY)
        self._sums_of = sums_of
        for count, (low, high) in shown:
            self.low[count], self.high[count] = max(self.low[count], low), min(self.high[count], high)
        self._narrow()

    def _narrow(self) -> None:
        """Follow the sums wherever an interval shrinks."""
        waiting = dict.fromkeys(one for count in self.low for one in self._sums_of.get(count, ()))
        while waiting:
            one = next(iter(waiting))
            del waiting[one]
            for count in self._apply(one):
                waiting.update(dict.fromkeys(other for other in self._sums_of[count] if other != one))

    def _apply(self, one: Sum) -> list[Count]:
        """Narrow the members of one sum; returns those that changed."""
        changed = self._set(one.total, self.total_span(one))
        for part in one.parts:
            changed += self._set(part, self.part_span(one, part))
        return changed

    def _set(self, count: Count, span: Span) -> list[Count]:
        """Keep the tighter bounds; an interval never becomes empty (rounded figures may contradict)."""
        before = self.low[count], self.high[count]
        self.low[count] = max(self.low[count], min(span[0], self.high[count]))
        self.high[count] = min(self.high[count], max(span[1], self.low[count]))
        return [] if before == (self.low[count], self.high[count]) else [count]

    def total_span(self, one: Sum) -> Span:
        """Bounds of a total by its parts."""
        return sum(self.low[p] for p in one.parts), min(MANY, sum(self.high[p] for p in one.parts))

    def part_span(self, one: Sum, part: Count) -> Span:
        """Bounds of a part by the total and the other parts."""
        others_low = sum(self.low[p] for p in one.parts) - self.low[part]
        others_high = sum(self.high[p] for p in one.parts) - self.high[part]
        return max(0, self.low[one.total] - others_high), max(0, self.high[one.total] - others_low)

    def span_by(self, one: Sum, count: Count) -> Span:
        """Bounds of a member of a sum by the others."""
        return self.total_span(one) if count == one.total else self.part_span(one, count)
