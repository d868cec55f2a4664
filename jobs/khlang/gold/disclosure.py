"""Exact counts -> which rows must be hidden, so that no small count can be read or solved from the others."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

MANY = 1 << 60
"""Stands for "no upper bound"."""


class Count(NamedTuple):
    """One unknown of the attacker: how many of what, where, when."""

    what: str
    place: tuple[str, str]
    period: str


class Sum(NamedTuple):
    """What everyone knows: the parts add up to the total."""

    total: Count
    parts: tuple[Count, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """Counts from 1 to `limit` are hidden; what is shown is rounded to multiples of `base`."""

    limit: int = 7
    base: int = 5

    def rounded(self, value: int) -> int:
        """The nearest multiple of the base; half goes up."""
        return (2 * value + self.base) // (2 * self.base) * self.base

    def span(self, value: int) -> tuple[int, int]:
        """What a reader learns of a shown count: bounds by its rounding, and that it is not small."""
        if value == 0:
            return 0, 0
        shown = self.rounded(value)
        low, high = shown - self.base // 2, shown + (self.base - 1) // 2
        return max(low, self.limit + 1), high


@dataclass(frozen=True, slots=True)
class Cell:
    """One row that would be published: a count alone, or a part and its whole with the rest between them."""

    key: Hashable
    counts: tuple[Count, ...]
    rest: Count | None = None

    @property
    def all(self) -> tuple[Count, ...]:
        """Every count that the row tells of."""
        return self.counts if self.rest is None else (*self.counts, self.rest)


@dataclass(slots=True)
class Bounds:
    """What an attacker knows of every count, as an interval; narrowed by the sums until nothing changes."""

    low: dict[Count, int]
    high: dict[Count, int]
    sums: Mapping[Count, Sequence[Sum]]

    def narrow(self, start: Iterable[Sum]) -> None:
        """Follow the sums from `start` wherever an interval shrinks."""
        waiting = dict.fromkeys(start)
        while waiting:
            one = next(iter(waiting))
            del waiting[one]
            for count in self._apply(one):
                waiting.update(dict.fromkeys(other for other in self.sums.get(count, ()) if other != one))

    def _apply(self, one: Sum) -> list[Count]:
        """Narrow the members of one sum; returns those that changed."""
        changed = self._set(one.total, *self.total_span(one))
        for part in one.parts:
            changed += self._set(part, *self.part_span(one, part))
        return changed

    def _set(self, count: Count, low: int, high: int) -> list[Count]:
        """Keep the tighter bounds; an interval never becomes empty (rounding may contradict itself)."""
        before = self.low[count], self.high[count]
        self.low[count] = max(self.low[count], min(low, self.high[count]))
        self.high[count] = min(self.high[count], max(high, self.low[count]))
        return [] if before == (self.low[count], self.high[count]) else [count]

    def total_span(self, one: Sum) -> tuple[int, int]:
        """Bounds of a total by its parts."""
        return sum(self.low[p] for p in one.parts), min(MANY, sum(self.high[p] for p in one.parts))

    def part_span(self, one: Sum, part: Count) -> tuple[int, int]:
        """Bounds of a part by the total and the other parts."""
        others_high = sum(self.high[p] for p in one.parts) - self.high[part]
        others_low = sum(self.low[p] for p in one.parts) - self.low[part]
        return max(0, self.low[one.total] - others_high), max(0, self.high[one.total] - others_low)


@dataclass(slots=True)
class Table:
    """Everything that would be published together: cells, the true counts, the sums everyone knows."""

    cells: Sequence[Cell]
    values: Mapping[Count, int]
    sums: Sequence[Sum]
    rule: Rule = field(default_factory=Rule)
    hidden: set[Hashable] = field(default_factory=set)
    _sums_of: dict[Count, list[Sum]] = field(default_factory=dict)
    _cells_of: dict[Count, list[Cell]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Index sums and cells by the counts they hold."""
        for one in self.sums:
            for count in (one.total, *one.parts):
                self._sums_of.setdefault(count, []).append(one)
        for cell in self.cells:
            for count in cell.all:
                self._cells_of.setdefault(count, []).append(cell)

    def sensitive(self, cell: Cell) -> list[Count]:
        """Counts of a cell that nobody may learn: 1 to the limit, and an empty part or rest (a whole class)."""
        small = [c for c in cell.all if 1 <= self.values[c] <= self.rule.limit]
        if cell.rest is None:
            return small
        return small + [c for c in (cell.counts[0], cell.rest) if self.values[c] == 0]

    def bounds(self, group: Iterable[Count] | None = None) -> Bounds:
        """What the shown cells tell an attacker who knows every rule, of a group of counts or of all."""
        chosen = set(self.values if group is None else group)
        low, high = dict.fromkeys(chosen, 0), dict.fromkeys(chosen, MANY)
        for cell in {id(cell): cell for count in chosen for cell in self._cells_of.get(count, ())}.values():
            if cell.key not in self.hidden:
                for count, (lowest, highest) in self._shown(cell):
                    low[count], high[count] = max(low[count], lowest), min(high[count], highest)
        made = Bounds(low, high, self._sums_of)
        made.narrow(one for count in chosen for one in self._sums_of.get(count, ()))
        return made

    def _shown(self, cell: Cell) -> Iterator[tuple[Count, tuple[int, int]]]:
        """Intervals that a shown cell gives: its counts, and the rest between them."""
        spans = [self.rule.span(self.values[count]) for count in cell.counts]
        yield from zip(cell.counts, spans, strict=True)
        if cell.rest is not None:
            (low, high), (other_low, other_high) = sorted(spans)
            yield cell.rest, (max(self.rule.limit + 1, other_low - high), max(other_high - low, 0))

    def protect(self) -> set[Hashable]:
        """Hide what is small, then one more cell after another until nothing small can be solved."""
        small = {cell.key: self.sensitive(cell) for cell in self.cells}
        self.hidden |= {key for key, counts in small.items() if counts}
        guarded = {count for counts in small.values() for count in counts}
        for group in self._groups(guarded):
            self._protect_group(sorted(guarded & group), group)
        return self.hidden

    def _protect_group(self, guarded: list[Count], group: set[Count]) -> None:
        """Hide cells of one group of counts that hang together until all its guarded counts are safe."""
        while True:
            known = self.bounds(group)
            unsafe = next((count for count in guarded if known.high[count] <= self.rule.limit), None)
            if unsafe is None:
                return
            more = self._loosen(unsafe, "high", known, set())
            self.hidden |= more or {key for count in group for key in self._showing(count)}

    def _groups(self, guarded: set[Count]) -> Iterator[set[Count]]:
        """Sets of counts linked by sums or cells, those with something to guard."""
        left = set(guarded)
        while left:
            group: set[Count] = set()
            waiting = [next(iter(left))]
            while waiting:
                count = waiting.pop()
                if count in group:
                    continue
                group.add(count)
                for one in self._sums_of.get(count, ()):
                    waiting += [one.total, *one.parts]
                for cell in self._cells_of.get(count, ()):
                    waiting += cell.all
            left -= group
            yield group

    def _showing(self, count: Count) -> set[Hashable]:
        """Keys of the shown cells that tell of a count."""
        return {cell.key for cell in self._cells_of.get(count, ()) if cell.key not in self.hidden}

    def _loosen(self, count: Count, side: str, known: Bounds, seen: set[tuple[Count, str]]) -> set[Hashable]:
        """Cells to hide next, so that the count's bound on one side moves away; empty: no way found."""
        if (count, side) in seen:
            return set()
        seen.add((count, side))
        shown = self._showing(count)
        if shown:
            return shown
        for one in self._sums_of.get(count, ()):
            for other, other_side in self._reasons(one, count, side, known):
                found = self._loosen(other, other_side, known, seen)
                if found:
                    return found
        return set()

    def _reasons(self, one: Sum, count: Count, side: str, known: Bounds) -> list[tuple[Count, str]]:
        """Which bounds of a sum's other members make the bound of a count; the cheapest to hide first."""
        span = known.total_span(one) if count == one.total else known.part_span(one, count)
        bound = known.high[count] if side == "high" else known.low[count]
        if span[1 if side == "high" else 0] != bound:
            return []
        others = sorted((p for p in one.parts if p != count), key=lambda p: (self.values[p], p))
        if count == one.total:
            bounded = [p for p in others if (known.high[p] < MANY if side == "high" else known.low[p] > 0)]
            return [(p, side) for p in bounded]
        if side == "high":
            return [*((p, "low") for p in others if known.low[p] > 0), (one.total, "high")]
        return [*((p, "high") for p in others if known.high[p] < MANY), (one.total, "low")]
