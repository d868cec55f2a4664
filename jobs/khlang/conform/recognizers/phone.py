"""Telephone numbers: Thai mobile and landline numbers, with +66, with an extension, and what is labelled as one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import regex

from khlang.conform.text.recogniser import Recogniser, matches, rule
from khlang.conform.text.spans import Span

_GAP = r"[ \-.()]{0,3}"
_TAIL = rule(r"(?:[ ]?[\-,/][ ]?[0-9]{1,2}(?![0-9/.\-]))?(?:[ ]?(?:ต่อ|ext\.?|กด)[ ]?[0-9]{1,5})?")
_ABROAD = (
    rule(
        rf"(?<![0-9])(?:(?:\+|00)[ ]?66|66(?=[ \-]?[689])){_GAP}(?:\(?0\)?)?{_GAP}[2-9](?:{_GAP}[0-9]){{7,8}}(?![0-9])"
    ),
    rule(rf"(?<![0-9])\+(?!66)[1-9][0-9]{{0,2}}(?:{_GAP}[0-9]){{7,12}}(?![0-9])"),
    rule(r"(?<![0-9])0(?:[ \-.][0-9]){9}(?![0-9])"),
)
_LABELLED = rule(
    r"(?:โทร(?:ศัพท์|สาร)?|โทรฯ|เบอร์(?:โทร)?|มือถือ|ติดต่อ|(?<![a-z])(?:tel|telephone|mobile|phone|call|fax|whats?app))"
    r"[ .:=#\-]*(?:ที่|เลขที่|กลับ|ได้|เบอร์|no\.?)?[ .:=#\-]*(?P<number>\(?[+0-9](?:[ \-.()]{0,2}[0-9]){6,13})(?![0-9])"
)
_CHAIN = rule(r"\(?[0-9]+(?:[ \-.()]{1,3}[0-9]+)*")
_DATE = rule(r"(?:0?[1-9]|[12][0-9]|3[01])[\-. ](?:0?[1-9]|1[0-2])[\-. ](?:25|20|19)?[0-9]{2}(?![0-9])")
_BLANK_FORMS = {(3, 3, 4), (3, 7), (2, 4, 4), (2, 3, 4), (3, 6), (3, 3, 3), (2, 7), (2, 8), (4, 6), (4, 3, 3),
                (3, 4, 3), (4, 5), (1, 4, 4), (1, 4, 5)}  # fmt: skip


class Phone(Recogniser):
    """The form tells a phone number; behind a label like โทร fewer digits will do."""

    kind = "PHONE"
    trigger = (
        r"(?:0|66)[ \-.()]{0,3}\d(?:[ \-.()]{0,3}\d){7}|\+\d(?:[ \-.()]{0,3}\d){7}"
        r"|(?:โทร|เบอร์|มือถือ|ติดต่อ|tel|mobile|phone|call|fax|app)[^\d]{0,20}\d(?:[ \-.()]{0,3}\d){6}"
    )

    def find(self, text: str) -> Iterator[Span]:
        """Numbers by form, then by label."""
        for pattern in _ABROAD:
            yield from (self._with_tail(text, *found.span()) for found in matches(pattern, text))
        for chain in matches(_CHAIN, text):
            groups = [g.span() for g in regex.finditer("[0-9]+", text, pos=chain.start(), endpos=chain.end())]
            for first in range(len(groups)):
                last = _national(text, groups[first:])
                if last is not None:
                    yield self._with_tail(text, groups[first][0], groups[first + last][1])
        for found in matches(_LABELLED, text):
            yield self._with_tail(text, *found.span("number"))

    def _with_tail(self, text: str, start: int, end: int) -> Span:
        """The number with an extension or a second last digit behind it."""
        tail = _TAIL.match(text, end)
        return self.span((start, tail.end() if tail else end), 0.8)


def _national(text: str, groups: list[tuple[int, int]]) -> int | None:
    """The last group of a number in the national form that begins with the first group, or None."""
    size, found = 0, None
    for last, (start, end) in enumerate(groups):
        size += end - start
        if size in (9, 10) and _is_number(text, groups[: last + 1]):
            found = last
        if size >= 10:
            break
    return found


def _is_number(text: str, groups: list[tuple[int, int]]) -> bool:
    """Whether the groups, 9 or 10 digits, are written as a Thai number is: no date, no row of measurements."""
    digits = "".join(text[start:end] for start, end in groups)
    if digits[0] != "0" or digits[1] < "2" or (len(digits) == 9 and digits[1] in "689" and len(groups) > 2):
        return False
    if _DATE.match(text, groups[0][0]):
        return False
    marks = {text[a[1] : b[0]].strip(" ()") for a, b in pairwise(groups)}
    sizes = tuple(end - start for start, end in groups)
    blanks_only = marks == {""}
    mixed = "." in "".join(marks) and len(marks) > 1
    return not mixed and (not blanks_only or sizes in _BLANK_FORMS)
