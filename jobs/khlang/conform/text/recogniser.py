"""What every recogniser has in common: one kind, one trigger, and the places it finds in a plain text."""

from __future__ import annotations

import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import ClassVar

import regex

from khlang.conform.text.spans import Span

until: ContextVar[float] = ContextVar("until", default=float("inf"))
"""When the note at hand must be done (CPU clock of this thread); set by the engine before each note."""
_WALL = 5.0
"""Wall seconds given for one CPU second: a busy machine must not decide which notes are withheld."""


def seconds_left() -> float:
    """CPU seconds left for the note at hand; TimeoutError when there are none."""
    left = until.get() - time.thread_time()
    if left <= 0:
        raise TimeoutError("the note took longer than its limit")
    return min(left, 3600.0)


class Recogniser(ABC):
    """Finds one kind of identifier; discovered by its file in conform/recognizers.

    `kind` is the word put in the identifier's place. `trigger` is a pattern of Rust's regex crate, matched
    without case: every plain text in which `find` finds something contains it, so that clean texts are left
    out by polars. A recogniser with `spares_closed` finds nothing in a text of closed clinical vocabulary.
    """

    kind: ClassVar[str]
    trigger: ClassVar[str]
    spares_closed: ClassVar[bool] = False

    @abstractmethod
    def find(self, text: str) -> Iterable[Span]:
        """Places of this kind in a plain text."""

    def span(self, place: tuple[int, ...], sureness: float = 0.5) -> Span:
        """A place (start, end) of this recogniser's kind."""
        return Span(place[0], place[1], self.kind, sureness)


def matches(pattern: regex.Pattern[str], text: str, start: int = 0) -> Iterator[regex.Match[str]]:
    """Matches of a pattern from a place on; TimeoutError (never a silent stop) when the note's time is over."""
    return pattern.finditer(text, start, timeout=_WALL * seconds_left())


def rule(pattern: str) -> regex.Pattern[str]:
    """A pattern for plain text, without case."""
    return regex.compile(pattern, regex.IGNORECASE | regex.VERSION1)


def where(broken: Exception) -> str:
    """Kind, file and line of a failure; never its message, which may quote a text."""
    last = traceback.extract_tb(broken.__traceback__)[-1]
    return f"{type(broken).__name__} at {Path(last.filename).name}:{last.lineno}"
