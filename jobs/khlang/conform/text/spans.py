"""Places of identifiers in a text -> the text with every one replaced by its kind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Span(NamedTuple):
    """Characters start..end hold an identifier of this kind; the surer one names the replacement."""

    start: int
    end: int
    kind: str
    sureness: float = 0.5


def merged(spans: Iterable[Span]) -> list[Span]:
    """Overlapping spans become one that covers them all, named by the surest, then the longest of them."""
    out: list[Span] = []
    for span in sorted(spans):
        last = out[-1] if out else None
        if last is None or span.start >= last.end:
            out.append(span)
            continue
        best = max(last, span, key=lambda s: (s.sureness, s.end - s.start))
        out[-1] = Span(last.start, max(last.end, span.end), best.kind, best.sureness)
    return out


def masked(text: str, spans: Iterable[Span]) -> str:
    """The text with <KIND> in the place of every span; nothing of a span stays."""
    parts: list[str] = []
    done = 0
    for span in merged(spans):
        parts += [text[done : span.start], f"<{span.kind}>"]
        done = span.end
    return "".join([*parts, text[done:]])
