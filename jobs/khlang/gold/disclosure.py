"""Exact counts -> which rows must be hidden, so that no small count can be read or solved from the others."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from khlang.gold.attacker import MANY, Bounds, Count, Span, Sum

Reason = tuple[Count, str]
"""A count and the side of its interval ("low", "high") that must move away."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Counts from 1 to `limit` are hidden; what is shown is rounded to multiples of `base`."""

    limit: int = 7
    base: int = 5

    def rounded(self, value: int) -> int:
        """The nearest multiple of the base; half goes up."""
        return (2 * value + self.base) // (2 * self.base) * self.base


@dataclass(frozen=True, slots=True)
class Cell:
    """One row that would be published: a count alone, or a part and its whole with the rest between them."""

    key: Hashable
    counts: tuple[Count, ...]
    rest: Count | None = None

    @property
    def tells(self) -> tuple[Count, ...]:
        """Every count that the row tells of."""
        return self.counts if self.rest is None else (*self.counts, self.rest)


class Table:
    """Everything that is published together: cells, the true counts, the sums everyone knows."""

    def __init__(
        self, cells: Sequence[Cell], values: Mapping[Count, int], sums: Sequence[Sum], rule: Rule
    ) -> None:
        """Index sums and cells by the counts they hold; `hidden` holds keys of cells, at first none."""
        self.cells, self.values, self.sums, self.rule = cells, values, sums, rule
        self.hidden: set[Hashable] = set()
        self._sums_of: dict[Count, list[Sum]] = {}
        self._cells_of: dict[Count, list[Cell]] = {}
        for one in sums:
            for count in (one.total, *one.parts):
                self._sums_of.setdefault(count, []).append(one)
        for cell in cells:
            for count in cell.tells:
                self._cells_of.setdefault(count, []).append(cell)

    def protect(self) -> set[Hashable]:
        """Hide what is small, then one cell after another until nothing small can be solved; the keys."""
        small = {cell.key: self.sensitive(cell) for cell in self.cells}
        self.hidden |= {key for key, counts in small.items() if counts}
        guarded = {count for counts in small.values() for count in counts}
        for group in self._groups(guarded):
            self._protect_group(sorted(guarded & group), group)
        return self.hidden

    def sensitive(self, cell: Cell) -> list[Count]:
        """Counts of a cell that nobody may learn: 1 to the limit, and an empty part or rest (a whole class)."""
        small = [count for count in cell.tells if 1 <= self.values[count] <= self.rule.limit]
        if cell.rest is None:
            return small
        return small + [count for count in (cell.counts[0], cell.rest) if self.values[count] == 0]

    def bounds(self, group: Iterable[Count]) -> Bounds:
        """What the shown cells tell an attacker of a group of counts."""
        chosen = set(group)
        cells = {id(cell): cell for count in chosen for cell in self._cells_of.get(count, ())}.values()
        shown = [told for cell in cells if cell.key not in self.hidden for told in self.shown(cell)]
        return Bounds(chosen, shown, self._sums_of)

    def shown(self, cell: Cell) -> Iterator[tuple[Count, Span]]:
        """What a shown cell gives away, taken as exact: rounding comes on top and is not relied on."""
        yield from ((count, (self.values[count], self.values[count])) for count in cell.tells)

    def _protect_group(self, guarded: list[Count], group: set[Count]) -> None:
        """Hide cells of counts that hang together until all guarded ones are safe; at worst all of them."""
        while True:
            known = self.bounds(group)
            unsafe = next((count for count in guarded if known.high[count] <= self.rule.limit), None)
            if unsafe is None:
                return
            more = self._loosen((unsafe, "high"), known, set())
            self.hidden |= more or {key for count in group for key in self._showing(count)}

    def _groups(self, guarded: set[Count]) -> Iterator[set[Count]]:
        """Sets of counts linked by sums or cells, those with something to guard."""
        left = set(guarded)
        while left:
            group: set[Count] = set()
            waiting = [min(left)]
            while waiting:
                count = waiting.pop()
                if count not in group:
                    group.add(count)
                    waiting += [c for one in self._sums_of.get(count, ()) for c in (one.total, *one.parts)]
                    waiting += [c for cell in self._cells_of.get(count, ()) for c in cell.tells]
            left -= group
            yield group

    def _showing(self, count: Count) -> set[Hashable]:
        """Keys of the shown cells that tell of a count."""
        return {cell.key for cell in self._cells_of.get(count, ()) if cell.key not in self.hidden}

    def _loosen(self, wanted: Reason, known: Bounds, seen: set[Reason]) -> set[Hashable]:
        """Cells to hide next, so that a bound moves away; empty: no way found."""
        if wanted in seen:
            return set()
        seen.add(wanted)
        shown = self._showing(wanted[0])
        if shown:
            return shown
        # Its own parts first: a neighbour's part is cheaper to hide than a total above both.
        for one in sorted(self._sums_of.get(wanted[0], ()), key=lambda one: one.total != wanted[0]):
            for reason in self._reasons(one, wanted, known):
                found = self._loosen(reason, known, seen)
                if found:
                    return found
        return set()

    def _reasons(self, one: Sum, wanted: Reason, known: Bounds) -> list[Reason]:
        """Which bounds of a sum's other members make a bound; the cheapest to hide first, the total last."""
        count, side = wanted
        low, high = known.span_by(one, count)
        if (side, known.high[count]) != ("high", high) and (side, known.low[count]) != ("low", low):
            return []
        others = sorted((part for part in one.parts if part != count), key=lambda c: (self.values[c], c))
        if count == one.total:
            return [(part, side) for part in others if _bounded(part, side, known)]
        other_side = "low" if side == "high" else "high"
        return [*((p, other_side) for p in others if _bounded(p, other_side, known)), (one.total, side)]


def _bounded(count: Count, side: str, known: Bounds) -> bool:
    """Whether a count is bounded on a side at all."""
    return known.low[count] > 0 if side == "low" else known.high[count] < MANY
