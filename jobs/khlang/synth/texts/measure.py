"""Notes and the places found in them -> recall and precision, with what was missed and what went for nothing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import polars as pl

from khlang.conform.text import scrub
from khlang.conform.text.spans import Span
from khlang.synth.texts.draw import Note
from khlang.synth.texts.people import FACILITY, Facility

NEUTRAL = "~"
"""A kind that begins with it may go or stay: the district behind a house number."""

Found = Sequence[Sequence[Span] | None]
"""Places by note; None: the note was withheld."""


@dataclass(frozen=True, slots=True)
class Share:
    """Hits of all, with Wilson's 95 % interval (Wilson 1927)."""

    hits: int
    of: int

    @property
    def rate(self) -> float:
        """The proportion; nothing of nothing is nothing."""
        return self.hits / self.of if self.of else 0.0

    def interval(self) -> tuple[float, float]:
        """Low and high end."""
        if not self.of:
            return 0.0, 1.0
        z, p, n = 1.959964, self.rate, self.of
        middle, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        scale = 1 + z * z / n
        return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


@dataclass(frozen=True, slots=True)
class Figures:
    """Recall by planted kind, precision by the kind that was put in place, letters and notes that stayed."""

    notes: int
    recall: dict[str, Share]
    precision: dict[str, Share]
    letters: Share
    clean: Share
    """Notes without any identifier that stayed as they were."""
    withheld: int
    missed: tuple[str, ...] = field(repr=False)
    wrong: tuple[str, ...] = field(repr=False)

    def total(self, *kinds: str) -> Share:
        """Recall of all kinds that begin with one of these words."""
        chosen = [share for kind, share in self.recall.items() if kind.startswith(kinds)]
        return Share(sum(one.hits for one in chosen), sum(one.of for one in chosen))

    @property
    def precise(self) -> Share:
        """Precision over all kinds."""
        every = self.precision.values()
        return Share(sum(one.hits for one in every), sum(one.of for one in every))


def ours(notes: Sequence[Note], facility: Facility) -> list[list[Span] | None]:
    """What the lake's own step replaces: the same function that clears a column."""
    texts = pl.Series([note.text for note in notes], dtype=pl.String)
    where = pl.Series([FACILITY] * len(notes), dtype=pl.String)
    who = pl.Series([note.pid for note in notes], dtype=pl.String)
    return scrub.places(texts, where, who, facility.book)


def figures(notes: Sequence[Note], found: Found) -> Figures:
    """Every note against its truth."""
    tally = _Tally()
    for note, places in zip(notes, found, strict=True):
        tally.add(note, places)
    return tally.told(len(notes))


@dataclass(slots=True, frozen=True)
class _Tally:
    """What is added up over notes."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def add(self, note: Note, places: Sequence[Span] | None) -> None:
        """One note; a withheld one hides everything and keeps nothing."""
        spans = [Span(0, len(note.text), "WITHHELD")] if places is None else places
        masked = _letters(note.text, ((span.start, span.end) for span in spans))
        wanted = [one for one in note.planted if not one.kind.startswith(NEUTRAL)]
        for one in wanted:
            hit = _letters(note.text, [(one.start, one.end)]) <= masked
            self.counts.update({("planted", one.kind): 1, ("found", one.kind): int(hit)})
            if not hit:
                self.missed.append(f"{one.kind}: {_shown(note, spans)}")
        planted = _letters(note.text, ((one.start, one.end) for one in wanted))
        for span in spans if places is not None else ():
            right = bool(_letters(note.text, [(span.start, span.end)]) & planted)
            self.counts.update({("put", span.kind): 1, ("right", span.kind): int(right)})
            if not right:
                self.wrong.append(f"{span.kind} {note.text[span.start : span.end]!r}: {_shown(note, spans)}")
        every = _letters(note.text, ((one.start, one.end) for one in note.planted))
        clinical = _letters(note.text, [(0, len(note.text))]) - every
        self.counts.update({("clinical", ""): len(clinical), ("kept", ""): len(clinical - masked)})
        if not wanted:
            self.counts.update({("clean", ""): 1, ("untouched", ""): int(not spans)})
        self.counts[("withheld", "")] += places is None

    def told(self, notes: int) -> Figures:
        """The figures."""
        return Figures(
            notes, self._shares("found", "planted"), self._shares("right", "put"),
            self._share("kept", "clinical"), self._share("untouched", "clean"), self.counts["withheld", ""],
            tuple(self.missed), tuple(self.wrong),
        )  # fmt: skip

    def _shares(self, hits: str, of: str) -> dict[str, Share]:
        kinds = sorted({kind for what, kind in self.counts if what == of})
        return {kind: self._share(hits, of, kind) for kind in kinds}

    def _share(self, hits: str, of: str, kind: str = "") -> Share:
        return Share(self.counts[hits, kind], self.counts[of, kind])


def _letters(text: str, places: Iterable[tuple[int, int]]) -> set[int]:
    """Letters, signs of letters and digits at these places: blanks and marks of punctuation say nothing."""
    return {
        at for start, end in places for at in range(start, end) if text[at].isalnum() or "ั" <= text[at] <= "๎"
    }


def _shown(note: Note, spans: Sequence[Span]) -> str:
    """An invented note with what was taken in brackets."""
    parts, done = [], 0
    for span in sorted(spans):
        parts += [note.text[done : span.start], f"[{span.kind} {note.text[span.start : span.end]}]"]
        done = span.end
    return "".join([*parts, note.text[done:]])
