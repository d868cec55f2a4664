"""Names behind a title: นาย นาง นางสาว ด.ช. คุณ, ranks, professions, Mr and Mrs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import regex

from khlang.conform.text.person import DOTTED, THAI_RUN, Level, behind, in_word
from khlang.conform.text.recogniser import Recogniser, matches, rule
from khlang.conform.text.spans import Span
from khlang.conform.text.words import clinical, declared, dictionary, listed, tokens, without_tones

_BARE = rule(r"(?P<title>นางสาว|นาย(?:แพทย์)?|นาง)")
"""Titles that are whole words: they may also be the end of another word."""
_LIKELY = rule(
    r"คุณหญิง|ท่านผู้หญิง|คุณ(?:หมอ|พยาบาล|ครู)|คุณ|เด็กชาย|เด็กหญิง|แพทย์หญิง|ทันตแพทย์(?:หญิง)?|เภสัชกร(?:หญิง)?|พยาบาลวิชาชีพ|อสม\.?|กำนัน|ผญบ\.?|ผู้ใหญ่บ้าน|สามเณร|แม่ชี|พระ(?:ครู|อาจารย์|มหา|ภิกษุ)?"
)
"""Words that stand before names, and before clinical text."""
_WEAK = rule(r"พยาบาล|หมอ|แพทย์|ครู|อาจารย์|ผู้ใหญ่|เณร|หลวง(?:พ่อ|ปู่|พี่|ตา)|ท่าน|ผอ\.")
"""Words that may stand before a name, and before much else."""
_LATIN = rule(
    r"(?<![a-z0-9])(?-i:Mr|MR|Mrs|MRS|Ms|Miss|MISS|Master|Dr|DR|Prof|Nurse|Khun|K)(?![A-Za-z])\.?(?<!\bK)"
)
_TITLES = (
    (DOTTED, Level.SURE),
    (_LATIN, Level.LIKELY),
    (_BARE, Level.SURE),
    (_LIKELY, Level.LIKELY),
    (_WEAK, Level.WEAK),
)
_WORDS = (_BARE, _LIKELY, _WEAK)


_STAFF = rule(r"[นทส]พ\.|[ทส]?พญ\.|ภ[กญ]\.|พว\.|กภ\.|ทนพ\.")
_SURNAME = rule(r"[ ]{1,2}(?P<run>[ก-ฺเ-๎]{3,24}(?:ดี|งาม|สุข|เจริญ|มงคล|วงศ์|กุล))(?![ก-ฺเ-๎])")
"""Behind a given name, with a blank at its end: what ends as family names do."""

_OF_A_PLACE = rule(r"(?:รพ\.?|โรงพยาบาล|ร\.พ\.|วัด|โรงเรียน|รร\.?|มหาวิทยาลัย|มูลนิธิ|ค่าย|ถนน|สะพาน)[ ]?$")
"""Places that are named after somebody: the title belongs to the place."""


@cache
def _no_person() -> dict[str, tuple[str, ...]]:
    """Title -> what makes it another word when it is glued to it."""
    return {line.split()[0]: tuple(line.split()[1:]) for line in declared("th_after_title")}


class TitledName(Recogniser):
    """A title is as good as certain; the ordinary words behind คุณ or หมอ are looked at more closely."""

    kind = "NAME"
    trigger = (
        r"นาย|นาง|คุณ|เด็กชาย|เด็กหญิง|แพทย์|เภสัช|พยาบาล|หมอ|ครู|อาจารย์|อสม|ผู้ใหญ่|กำนัน|ผญบ|พระ|เณร|แม่ชี|หลวง|ท่าน|ผอ"
        r"|น ?\.? ?ส|ด ?\.? ?[ชญต]"
        r"|ม\.? ?ร|ม\. ?ล|ดร|ศ\.|[นทส]พ\.|พญ|ภ[กญ]\.|พว\.|กภ\.|[รพสจน]\. ?[ตทอจส]\.|พล|ร้อย|พัน|สิบ|นาวา|เรือ|ดาบ"
        r"|mr|ms|miss|master|dr|prof|nurse|khun"
    )

    def find(self, text: str) -> Iterator[Span]:
        """The names behind every title; the titles stay."""
        for pattern, level in _TITLES:
            for title in matches(pattern, text):
                if _OF_A_PLACE.search(text, max(0, title.start() - 14), title.start()):
                    continue
                longer = frozenset() if level == Level.SURE else dictionary()
                if pattern in _WORDS and (
                    in_word(text, title.start(), title.end(), longer) or _another_word(text, title)
                ):
                    continue
                place = behind(text, title.end(), level)
                if place and _STAFF.match(title[0]):
                    place = (place[0], _staff_end(text, *place))
                if place:
                    yield self.span(place, 0.5 + 0.2 * level)


def _staff_end(text: str, start: int, end: int) -> int:
    """The end of a name of staff: what reads like text behind the given name hides too when it ends as names do.

    นพ.ทดลอง ตรวจสอบดี: of a patient that would be a finding, of a doctor it is hardly one.
    """
    more = _SURNAME.match(text, end) if THAI_RUN.fullmatch(text, start, end) else None
    return more.end() if more and more["run"] not in clinical() else end


def _another_word(text: str, title: regex.Match[str]) -> bool:
    """Whether the letters glued to the title make it another word: คุณภาพ is quality."""
    run = THAI_RUN.match(text, title.end())
    others = _no_person().get(title[0], ())
    if not run or listed(run[0]):
        return False
    bare = without_tones(run[0])
    return any(
        (run[0].startswith(word) and (tokens(run[0])[0] in others or len(word) > 4))
        or (len(word) > 2 and without_tones(word) != word and bare == without_tones(word))
        for word in others
    )
