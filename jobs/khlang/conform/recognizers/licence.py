"""Licence numbers of physicians, dentists, pharmacists and nurses."""

from __future__ import annotations

from collections.abc import Iterator

from khlang.conform.text.recogniser import Recogniser, matches, rule
from khlang.conform.text.spans import Span

_LETTER = rule(r"(?<![ก-๎.])[วทภ]\.[ ]?(?P<number>[0-9]{4,6})(?![0-9])")
_LABELLED = rule(
    r"(?:ใบ(?:ประกอบ|อนุญาต)[ก-๎]*|(?<![a-z])licen[cs]e)"
    r"[ ]?(?:เลขที่|เลข|no\.?)?[ :=.]{0,3}(?:[วทภ]\.?[ ]?)?(?P<number>[0-9]{4,10})(?![0-9])"
)


class Licence(Recogniser):
    """The council's letter with a dot before four to six digits, or what is labelled."""

    kind = "LICENCE"
    trigger = r"[วทภ]\. ?\d{4}|ใบประกอบ|ใบอนุญาต|licen"

    def find(self, text: str) -> Iterator[Span]:
        """Numbers behind the letter or the label."""
        for pattern in (_LETTER, _LABELLED):
            yield from (self.span(found.span("number"), 0.6) for found in matches(pattern, text))
