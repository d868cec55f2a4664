"""Passport numbers and the numbers of foreigners' papers."""

from __future__ import annotations

from collections.abc import Iterator

from khlang.conform.text.recogniser import Recogniser, matches, rule
from khlang.conform.text.spans import Span

_LABELLED = rule(
    r"(?:หนังสือเดินทาง|พาสปอร์ต|พาสปอต|พาสสปอร์ต|ใบอนุญาตทำงาน|(?<![a-z])(?:passport|pp|work[ ]?permit|border[ ]?pass))"
    r"[ ]?(?:เลขที่|เลข|no|number)?\.?[ ]?[:=#.\-]*[ ]?"
    r"(?P<number>[a-z]{0,3}[ \-]?[0-9](?:[ \-]?[0-9]|[a-z]){4,11})(?![a-z0-9])"
)
_FORM = rule(r"(?<![a-z0-9\-])(?-i:[A-Z]{1,2})[0-9]{6,8}(?![a-z0-9])")
_PRODUCT = rule(r"(?:lot|batch|s/n|serial|ref|exp|รุ่น|ล็อต)[ .:#=no]{0,5}$")


class Passport(Recogniser):
    """Labelled numbers, and one or two capitals with six to eight digits unless they are a product's."""

    kind = "PASSPORT"
    trigger = r"หนังสือเดินทาง|พาส|ใบอนุญาต|passport|pp|permit|pass|[a-z]\d{6}"

    def find(self, text: str) -> Iterator[Span]:
        """Behind a label, then by form."""
        for found in matches(_LABELLED, text):
            yield self.span(found.span("number"), 0.9)
        for found in matches(_FORM, text):
            if not _PRODUCT.search(text, max(0, found.start() - 12), found.start()):
                yield self.span(found.span(), 0.6)
