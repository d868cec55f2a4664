"""E-mail addresses, also with blanks or words in the place of the marks. Needs no list of domains and no network."""

from __future__ import annotations

from collections.abc import Iterator

from khlang.conform.text.recogniser import Recogniser, matches, rule
from khlang.conform.text.spans import Span

_LOCAL = r"(?<![a-z0-9._%+\-])[a-z0-9][a-z0-9._%+\-]*"
_MARKED = rule(rf"{_LOCAL}[ ]?@[ ]?[a-z0-9\-]+(?:[ ]?\.[ ]?[a-z0-9\-]+)*(?:\.[a-zก-๎]{{2,}})*")
_WORDED = rule(
    rf"{_LOCAL}[ ]?(?:\(at\)|\[at\]|\{{at\}}|[ ]at[ ]|แอด)[ ]?[a-z0-9\-]+"
    r"(?:[ ]?(?:\(dot\)|\[dot\]|[ ]dot[ ]|ดอท|\.)[ ]?[a-z0-9\-]+)+"
)


class Email(Recogniser):
    """Anything like somebody@somewhere: no check of the domain, which would only let new ones pass."""

    kind = "EMAIL"
    trigger = r"[a-z0-9._%+\-] ?@ ?[a-z0-9\-]|\(at\)|\[at\]|\{at\}| at [a-z0-9 ]|แอด"

    def find(self, text: str) -> Iterator[Span]:
        """Addresses with the mark, then with words in its place."""
        for pattern in (_MARKED, _WORDED):
            yield from (self.span(found.span(), 0.95) for found in matches(pattern, text))
