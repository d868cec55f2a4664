"""House numbers, villages, lanes, roads and what of an address stands beside them."""

from __future__ import annotations

from collections.abc import Iterator

import regex

from khlang.conform.text.person import THAI_RUN
from khlang.conform.text.recogniser import Recogniser, matches, rule
from khlang.conform.text.spans import Span
from khlang.conform.text.words import closed_run, follows, is_boundary

_NUMBER = r"[0-9]{1,5}(?:[ ]?/[ ]?[0-9]{1,5}){0,2}(?:-[0-9]{1,4})?"
_HOUSE = rule(
    r"(?:บ้าน[ ]?เลขที่|บ\.?[ ]?เลขที่|เลขที่บ้าน|รหัสประจำบ้าน|(?<=อยู่)[ ]?เลขที่"
    r"|(?<![a-z])(?:address|house[ ]?(?:no|number)?))\.?[ :.]{0,3}"
    rf"{_NUMBER}(?![0-9.])|(?<=อยู่[ :]{{0,3}})[0-9]{{1,5}}/[0-9]{{1,5}}(?![0-9.])"
)
_MOO = rule(r"(?:หมู่(?:ที่|บ้าน)?|(?<![ก-๎])ม\.|(?<![a-z])moo|(?<![a-z])m\.)[ ]{0,2}[0-9]{1,3}(?![0-9./])")
_STREET = rule(r"(?:ถนน|(?<![ก-๎])ถ\.|ซอย|(?<![ก-๎])ซ\.(?![ ]?ม\.?)|ตรอก|(?<![ก-๎])ตรอก|แยก(?=[0-9]))[ ]{0,2}")
_AREA = rule(
    r"(?:ตำบล|แขวง|อำเภอ|เขต|จังหวัด|บ้าน|หมู่บ้าน|ชุมชน|(?<![ก-๎.])ต\.(?![ ]?ค\.)|(?<![ก-๎.])อ\.|(?<![ก-๎.])จ\.)[ ]{0,2}"
)
_LATIN_STREET = rule(
    r"(?<![a-z])[a-z]{2,}(?:[ ][a-z]{2,})?[ ](?:road|rd\.|soi|street|lane)(?![a-z])(?:[ ]?[0-9]{1,3})?"
)
_BEFORE = rule(rf"(?<![0-9/.])(?:เลขที่[ ]?|no\.?[ ]?)?{_NUMBER}[ ]{{0,2}}$")
_LINK = rule(r"[ ,]{0,3}")
_ZIP = rule(r"(?:รหัสไปรษณีย์[ ]?)?[1-9][0-9]{4}(?![0-9])")
_PLACE = rule(r"(?<![0-9])(?:[5-9]|1[0-9]|20)\.[0-9]{4,}[ ]?[, ][ ]?(?:9[7-9]|10[0-5])\.[0-9]{4,}")
_TRAILING = rule(
    r"[ ]?[0-9]{1,3}(?:/[0-9]{1,3})?(?![0-9/.])(?![ ]?(?:วัน|เดือน|ปี|สัปดาห์|ชม|ชั่วโมง|นาที|ครั้ง|คน|เม็ด|hr|day|wk|mg|ml|x))"
)


def _name_end(text: str, start: int) -> int:
    """Where the name of a street or place ends; the start itself when ordinary words stand there."""
    run = THAI_RUN.match(text, start)
    if not run or closed_run(run[0]):
        return start
    for at in range(2, len(run[0])):
        rest = run[0][at:]
        if (
            is_boundary(run[0], at)
            and any(rest.startswith(word) for word in follows() if len(word) > 2)
            and closed_run(rest)
        ):
            return start + at
    return run.end()


def _street_end(text: str, street: regex.Match[str]) -> int | None:
    """The end of a street or lane with its name or number; None when no name follows (a slippery road)."""
    end = _name_end(text, street.end())
    number = _TRAILING.match(text, end)
    end = number.end() if number else end
    return end if end > street.end() else None


class Address(Recogniser):
    """A core (house number, village number, street) with the number before it and the areas behind it.

    A district or province alone, or a place of work, is no address.
    """

    kind = "ADDRESS"
    trigger = (
        r"เลขที่|รหัสประจำบ้าน|อยู่[^\d]{0,20}\d|address|house|หมู่|ม\.|moo|m\.|ถนน|ถ\.|ซอย|ซ\.|ตรอก|แยก\d"
        r"|road|rd\.|soi|street|lane|\d\.\d{4}"
    )

    def find(self, text: str) -> Iterator[Span]:
        """Every core with what belongs to it."""
        for core in [*self._cores(text)]:
            start, end, alone = self._grown(text, *core)
            if alone:
                yield self.span((start, end), 0.65)
        yield from (self.span(place.span()) for place in matches(_PLACE, text))
        yield from (self.span(road.span()) for road in matches(_LATIN_STREET, text))

    @staticmethod
    def _cores(text: str) -> Iterator[tuple[int, int, bool]]:
        """Start, end and whether the part is an address by itself."""
        yield from ((*house.span(), True) for house in matches(_HOUSE, text))
        yield from ((*moo.span(), not moo[0].lower().startswith(("ม.", "m."))) for moo in matches(_MOO, text))
        for street in matches(_STREET, text):
            end = _street_end(text, street)
            if end:
                yield street.start(), end, True

    @staticmethod
    def _grown(text: str, start: int, end: int, alone: bool) -> tuple[int, int, bool]:
        """The part with the house number before it and the parts behind it."""
        number = _BEFORE.search(text, max(0, start - 24), start)
        if number:
            start, alone = number.start(), True
        while True:
            link = _LINK.match(text, end)
            at = link.end() if link else end
            moo, street, area = _MOO.match(text, at), _STREET.match(text, at), _AREA.match(text, at)
            grown = moo.end() if moo else _street_end(text, street) if street else None
            if grown is None and area:
                grown = _name_end(text, area.end()) if _name_end(text, area.end()) > area.end() else None
            if grown is None:
                code = _ZIP.match(text, at)
                return start, code.end() if code and alone else end, alone
            end, alone = grown, True
