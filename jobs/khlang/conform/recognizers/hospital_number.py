"""Hospital, stay, visit and X-ray numbers that the text names as such: HN, AN, VN, XN."""

from __future__ import annotations

from collections.abc import Iterator

import regex

from khlang.conform.text.recogniser import Recogniser, matches, rule
from khlang.conform.text.spans import Span

_NUMBER = r"(?P<number>[a-z]{0,3}[ ]?[0-9]+(?:[ ]?[\-/.][ ]?[0-9]+){0,4}(?:[ ][0-9]{2,}){0,3})"
_OF = r"[ ]?(?:ที่|เลขที่|no|number|เดิม|ใหม่|เก่า|ผู้ป่วย|คนไข้)?\.?[ ]?[:=#.\-]*[ ]?"
_HN = rule(
    r"(?:(?<![a-z])h\.?[ ]?n\.?|เอชเอ็น"
    r"|(?:เลข(?:ที่)?|หมายเลข)[ ]?(?:ประจำตัว)?(?:ผู้ป่วย|คนไข้|เวชระเบียน|โรงพยาบาล|บัตรโรงพยาบาล|รพ\.?)|เวชระเบียน)"
    + _OF + _NUMBER
)  # fmt: skip
_OTHER = rule(r"(?<![a-z])(?:a\.?n|v\.?n|x\.?n|l\.?n|adm|visit|seq|pid)\.?" + _OF + _NUMBER)

_DATE = rule(r"[0-9]{1,2}[\-/.][0-9]{1,2}[\-/.](?:[0-9]{2}){1,2}|(?:19|20|24|25)[0-9]{2}-?[0-9]{2}-?[0-9]{2}")
"""A visit or an admission has a date more often than a number."""


class HospitalNumber(Recogniser):
    """Digits behind HN, however few; behind AN, VN and the like at least five, or they are a measurement."""

    kind = "HN"
    trigger = (
        r"h ?\.? ?n|เอชเอ็น|เวชระเบียน|เลข.{0,12}(?:ผู้ป่วย|คนไข้|โรงพยาบาล|รพ)"
        r"|(?:a\.?n|v\.?n|x\.?n|l\.?n|adm|visit|seq|pid)[^\d]{0,20}\d(?:[ \-/.]{0,3}\d){4}"
    )

    def find(self, text: str) -> Iterator[Span]:
        """Numbers behind their labels."""
        for found in matches(_HN, text):
            yield self.span(found.span("number"), 0.85)
        for found in matches(_OTHER, text):
            if sum(char.isdigit() for char in found["number"]) >= 5 and not _dated(found):
                yield self.span(found.span("number"), 0.75)


def _dated(found: regex.Match[str]) -> bool:
    """Whether the number behind visit or admission is a date."""
    return found[0].lower().startswith(("visit", "adm")) and _DATE.match(found["number"]) is not None
