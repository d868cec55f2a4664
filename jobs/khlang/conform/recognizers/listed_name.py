"""Names that stand without any word before them: a listed given name, alone or with a surname behind."""

from __future__ import annotations

from collections.abc import Iterator

from khlang.conform.text.person import THAI_RUN, Level, behind
from khlang.conform.text.recogniser import Recogniser, matches
from khlang.conform.text.spans import Span
from khlang.conform.text.words import (
    closed_run,
    dictionary,
    given_names,
    is_boundary,
    listed,
    ordinary,
    tokens,
)

_TITLES = frozenset(["นาย", "นาง", "นางสาว", "คุณ", "เด็กชาย", "เด็กหญิง"])
"""The lists have them as names; the name stands behind them."""


class ListedName(Recogniser):
    """Thai given names come from a list; what is also a common word needs a surname behind it."""

    kind = "NAME"
    trigger = r"[ก-๎]{3}"
    spares_closed = True

    def find(self, text: str) -> Iterator[Span]:
        """Runs of Thai letters that are, or end in, a listed name."""
        for run in matches(THAI_RUN, text):
            if len(run[0]) < 3 or closed_run(run[0]):
                continue
            for at in (0, *range(3, len(run[0]) - 2)):
                name = run[0][at:]
                begins = self._may_begin(run[0], at) and name not in _TITLES
                if not begins or not (name in given_names() or (at == 0 and listed(name))):
                    continue
                end = self._end(text, run.start() + at, name)
                if end:
                    yield self.span((run.start() + at, end), 0.55)
                    break

    @staticmethod
    def _may_begin(run: str, at: int) -> bool:
        """Whether a name may begin there: at the run's beginning or behind clinical words."""
        return at == 0 or (is_boundary(run, at) and closed_run(run[:at]))

    @staticmethod
    def _end(text: str, start: int, name: str) -> int | None:
        """Where the name ends: with its surname, or alone when it is no word of the dictionary."""
        end = start + len(name)
        place = behind(text, start, Level.SURE) if name in given_names() and not closed_run(name) else None
        surname = text[end : place[1]].strip() if place and place[0] == start else ""
        if surname and (name not in dictionary() or _telling(surname)):
            return end + len(text[end:]) - len(text[end:].lstrip()) + len(surname)
        if name in dictionary() or ordinary(name) or len(name) < 4:
            return None
        return end if name in given_names() or _strange(name) else None


def _strange(name: str) -> bool:
    """Whether the name is no chain of words of the dictionary."""
    return any(word not in dictionary() for word in tokens(name))


def _telling(surname: str) -> bool:
    """Whether what stands behind a given name that is also a word can only be a surname."""
    return (
        len(surname) > 3
        and not surname[0].isascii()
        and surname not in dictionary()
        and (listed(surname) or _strange(surname))
    )
