"""Citizen ids and other 13-digit personal numbers, in every spelling."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import regex

from khlang.conform.text.recogniser import Recogniser, matches, rule
from khlang.conform.text.spans import Span

_CHAIN = rule(r"[0-9]+(?:[ \-._/,:;|()\[\]]{1,3}[0-9]+)*")
_LABEL = rule(
    r"(?:บัตร(?:ประจำตัว|ประชาชน|ปชช)?(?:ประชาชน)?|ป[ช]{1,2}[ชข]?\.?|ประชาชน|ประจำตัว|เลข(?:ที่)?(?:บัตร)?"
    r"|(?<![a-z])(?:c?id|nid|national[ ]?id|citizen))"
    r"[^0-9]{0,12}$"
)
_ID_CARD = rule(
    r"(?:บัตรประชาชน|บัตรประจำตัว|บัตร|ปชช\.?|(?<![a-z])cid|citizen[ ]?id|national[ ]?id)[^0-9a-zก-๎]{0,6}$"
)
_PRODUCT = rule(
    r"(?:lot|batch|l/n|s/n|serial|barcode|bar[ ]code|gtin|ean|ref|รุ่น(?:ที่|ผลิต)?|ล็อต|ล๊อต|ล็อท|ลอต|ครั้งที่ผลิต|เลขที่ผลิต|บาร์โค้ด)"
    r"(?:[ ]?(?:no|number|เลขที่|ที่))?[ .:#=]{0,4}$"
)
_CLASSIC = (1, 4, 5, 2, 1)


def valid(digits: str) -> bool:
    """Whether 13 digits end in the right check digit."""
    total = sum(int(digit) * (13 - place) for place, digit in enumerate(digits[:12]))
    return (11 - total % 11) % 10 == int(digits[12])


def _moment(digits: str) -> bool:
    """Whether 14 digits are a time as the standard writes it."""
    year, month, day, hour = int(digits[:4]), int(digits[4:6]), int(digits[6:8]), int(digits[8:10])
    return (1900 <= year < 2100 or 2400 <= year < 2700) and 1 <= month <= 12 and 1 <= day <= 31 and hour < 24


class Cid(Recogniser):
    """Groups of digits that make 13; a check digit is asked for only where the form alone does not tell.

    A bare number behind the word lot (or batch, serial ...) with a wrong check digit is a product's.
    """

    kind = "CID"
    trigger = (
        r"\d(?:[^\p{L}\d]{0,3}\d){12}|(?:บัตร|ปชช|cid|citizen|national)[^\d]{0,20}\d(?:[^\p{L}\d]{0,3}\d){5}"
    )

    def find(self, text: str) -> Iterator[Span]:
        """Windows of digit groups that are an id."""
        for chain in matches(_CHAIN, text):
            groups = [
                (g.start(), g.end())
                for g in regex.finditer("[0-9]+", text, pos=chain.start(), endpos=chain.end())
            ]
            yield from self._in_chain(text, groups)

    def _in_chain(self, text: str, groups: list[tuple[int, int]]) -> Iterator[Span]:
        """Ids among the neighbouring digit groups, from the left, never overlapping."""
        at = 0
        while at < len(groups):
            last = self._window(text, groups, at)
            if last is None:
                at += 1
                continue
            yield self.span((groups[at][0], groups[last][1]), 1.0)
            at = last + 1

    def _window(self, text: str, groups: list[tuple[int, int]], first: int) -> int | None:
        """The last group of an id that begins with this group, or None."""
        size = 0
        for last in range(first, min(first + 13, len(groups))):
            size += groups[last][1] - groups[last][0]
            if size >= 13:
                found = self._is_id(text, groups[first : last + 1], size)
                return last if found else self._labelled(text, groups, first)
        return self._labelled(text, groups, first)

    @staticmethod
    def _labelled(text: str, groups: list[tuple[int, int]], first: int) -> int | None:
        """Digits that the text itself calls an id card's number, even if they are not 13."""
        if not _ID_CARD.search(text, max(0, groups[first][0] - 30), groups[first][0]):
            return None
        size = 0
        for last in range(first, len(groups)):
            size += groups[last][1] - groups[last][0]
            if size >= 6 and (size >= 12 or last == len(groups) - 1):
                return last
        return None

    @staticmethod
    def _is_id(text: str, window: list[tuple[int, int]], size: int) -> bool:
        """Whether these groups of at least 13 digits are a personal number."""
        digits = "".join(text[start:end] for start, end in window)
        before = text[max(0, window[0][0] - 30) : window[0][0]]
        product = bool(_PRODUCT.search(before))
        if len(window) == 1:
            return _bare(digits, product)
        if size != 13:
            return False
        sizes = tuple(end - start for start, end in window)
        if sizes == _CLASSIC or _LABEL.search(before):
            return True
        between = {text[a[1] : b[0]].strip() for a, b in pairwise(window)}
        plain_form = len(between) == 1 and not between & {"/", ",", ":", ";", "|"}
        return valid(digits) and plain_form and (len(window) <= 5 or len(window) == 13)


def _bare(digits: str, product: bool) -> bool:
    """Whether a run of 13 digits or more, without any mark inside, is or holds a personal number."""
    if len(digits) == 13:
        return not product or valid(digits)
    if product or (len(digits) == 14 and _moment(digits)):
        return False
    return valid(digits[:13]) or valid(digits[-13:])
