"""Number plates of cars and motorcycles."""

from __future__ import annotations

from collections.abc import Iterator

from khlang.conform.text.recogniser import Recogniser, matches, rule
from khlang.conform.text.spans import Span

_LABELLED = rule(
    r"(?:ทะเบียน(?:รถ)?(?:ยนต์|จักรยานยนต์|พยาบาล|ตู้|กระบะ|เก๋ง|บรรทุก|มอเตอร์ไซค์)?"
    r"|ป้าย(?:ทะเบียน|แดง)?|หมายเลขทะเบียน|(?<![a-z])(?:licen[cs]e[ ])?plate)"
    r"[ ]?(?:เลขที่|เลข|no\.?)?[ :=.]{0,3}"
    r"(?P<plate>[0-9]?[ ]?[ก-ฮ]{1,3}[ \-]{0,2}[0-9]{1,4}|[0-9]{2,3}[ ]?-[ ]?[0-9]{4})(?![0-9])"
)
_FORM = rule(r"(?<![0-9])[1-9][ก-ฮ]{2}[ \-]{0,2}[0-9]{3,4}(?![0-9])(?!\s*(?:mg|ml|มก|มล))")
_VEHICLE = rule(
    r"(?:รถ|เก๋ง|กระบะ|มอเตอร์ไซ[คด]์?|จักรยานยนต์|จยย\.?|รถยนต์|รถตู้"
    r"|(?<![a-z])(?:driver|vehicle|car|motorcycle|truck|pickup)(?![a-z])(?:[ ]{1,2}of)?[ ]{0,2})"
    r"[ก-๎ ]{0,20}?(?:[ ]|(?<=[ก-๎]))(?P<plate>(?![พค]ศ)[1-9]?[ก-ฮ]{2,3}[ \-]{0,2}[0-9]{3,4})(?![0-9])"
)
_UNIT = rule(r"[1-9](?:มก|มล|กก|ซม|ซซ|มม|ชม)[ ]?[0-9]{3}(?![0-9])|[1-9](?:มก|มล|กก|ซซ)")


class Plate(Recogniser):
    """Behind ทะเบียน any plate; elsewhere only the forms that no dose or time has."""

    kind = "PLATE"
    trigger = r"ทะเบียน|ป้าย|plate|[1-9][ก-ฮ]{2}[ \-]{0,2}\d{3}|[ก-ฮ]{2}[ \-]{0,2}\d{2}"

    def find(self, text: str) -> Iterator[Span]:
        """Labelled plates, then by form."""
        for pattern in (_LABELLED, _VEHICLE):
            yield from (self.span(found.span("plate"), 0.7) for found in matches(pattern, text))
        for found in matches(_FORM, text):
            if not _UNIT.match(found[0]):
                yield self.span(found.span(), 0.6)
