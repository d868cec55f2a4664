"""Names behind a kinship word, a role or a label: ป้า..., บุตรของ ..., ผู้ป่วยชื่อ ..., son of ..."""

from __future__ import annotations

from collections.abc import Iterator

from khlang.conform.text.person import THAI_RUN, Level, behind, in_word, latin_pair
from khlang.conform.text.recogniser import Recogniser, matches, rule
from khlang.conform.text.spans import Span
from khlang.conform.text.words import (
    clinical,
    closed_but_tones,
    closed_run,
    common,
    dictionary,
    given_names,
    listed,
    tokens,
)

_KIN = rule(
    r"(?:พ่อ|แม่|บิดา|มารดา|ย่า|ยาย)ของ(?:เด็ก|บุตร|ผู้ป่วย|คนไข้)|คุณ(?:ตา|ยาย|ปู่|ย่า|ลุง|ป้า|น้า|อา|พ่อ|แม่|พี่|น้อง)|ลูก(?:ชาย|สาว|เขย|สะใภ้|เลี้ยง)|หลาน(?:ชาย|สาว)?|พี่(?:ชาย|สาว|เขย|สะใภ้|เลี้ยง)?|น้อง(?:ชาย|สาว|เขย|สะใภ้)?|บุตร(?:ชาย|สาว)?(?:ของ)?|ลุง|ป้า"
    r"|บิดา|มารดา|สามี|ภรรยา|ภริยา|คู่สมรส|คู่ครอง|แฟน|ยาย|ปู่|ทวด|พ่อ(?:ตา|เลี้ยง)?|แม่(?:ยาย|เลี้ยง|เฒ่า)?|ญาติ(?:ผู้ป่วย)?|เพื่อน(?:บ้าน)?"
    r"|ผู้(?:ดูแล|นำส่ง|ปกครอง|แจ้ง|รับผล|พามา)|นายจ้าง|คนดูแล"
)
"""Words that hardly are anything else."""
_DOUBTFUL = rule(r"ตา|อา|น้า|ย่า|ลูก|เขย|สะใภ้|ผู้ป่วย|คนไข้|ผป\.?|(?<![a-z])(?:pt|patient)\.?")
"""Words that are more often something else: an eye, a symptom, a patient who is not named."""
_LABEL = rule(
    r"ตั้งชื่อ(?:ให้)?(?:ลูก|บุตร|ทารก)?(?:ว่า)?|ชื่อ(?:ลูก|บุตร|เด็ก|ทารก)(?:ว่า|คือ)?"
    r"|ชื่อ(?:เล่น|จริง|เดิม|สกุล|[ ]?-[ ]?(?:นาม)?สกุล|บิดา|มารดา)?|นามสกุล|สกุล(?:เดิม)?"
    r"|(?<![a-z])(?:(?:first|last|sur|full|nick)?[ ]?name|son of|daughter of|wife of|husband of|c/o)(?![a-z])"
)
_KIN_LATIN = rule(r"(?<![a-z])(?:father|mother|husband|wife|son|daughter|brother|sister|aunt|uncle)(?![a-z])")

_FOREIGNER = rule(
    r"ต่าง(?:ด้าว|ชาติ)|แรงงาน(?:ข้ามชาติ)?|ชาว(?:เมียนมาร?์?|พม่า|ลาว|กัมพูชา|เขมร|จีน|อังกฤษ)|สัญชาติ[ก-๎]{2,10}"
    r"|(?<![a-z])(?:seeing|regarding|referring|for|of|with|by|from|by:|dear)(?![a-z])"
)
"""Words behind which two capitalised words that are no clinical ones are a person."""


_NEXT = rule(r"ใหม่|เก่า|ก่อน")
"""Which husband or wife."""


class KinName(Recogniser):
    """What stands behind the word is a name unless it reads like ordinary text."""

    kind = "NAME"
    trigger = (
        r"ลูก|หลาน|พี่|น้อง|บุตร|ลุง|ป้า|บิดา|มารดา|สามี|ภรรยา|ภริยา|คู่|แฟน|ยาย|ปู่|ทวด|พ่อ|แม่|ญาติ|เพื่อน|ผู้|จ้าง|คนดูแล|ตา|อา|น้า|ย่า|เขย|สะใภ้|คนไข้|ผป"
        r"|ชื่อ|สกุล|pt|patient|name|father|mother|husband|wife|son|daughter|brother|sister|aunt|uncle|c/o"
        r"|ต่าง|แรงงาน|ชาว|สัญชาติ|(?:seeing|regarding|referring|for|of|with|by|from|dear)[ :]{1,3}[a-z]"
    )
    spares_closed = True

    def find(self, text: str) -> Iterator[Span]:
        """The names behind every such word."""
        for pattern in (_KIN, _LABEL, _KIN_LATIN):
            level = Level.LIKELY if pattern is _LABEL else Level.WEAK
            for word in matches(pattern, text):
                if not in_word(text, word.start(), word.end(), common()):
                    place = behind(text, word.end(), level) or self._nickname(text, word.end())
                    if place and _tells(text[slice(*place)], pattern is _LABEL):
                        yield self.span(place, 0.7)
        for word in matches(_FOREIGNER, text):
            pair = latin_pair(text, word.end())
            if pair:
                yield self.span(pair, 0.6)
        for word in matches(_DOUBTFUL, text):
            place = behind(text, word.end(), Level.WEAK)
            if (
                place
                and not in_word(text, word.start(), word.end(), dictionary())
                and self._certain(text, word.start(), place)
            ):
                yield self.span(place, 0.6)

    @staticmethod
    def _nickname(text: str, start: int) -> tuple[int, int] | None:
        """A given name that is also an ordinary word, glued to the kinship word and alone: ป้าน้อย."""
        run = THAI_RUN.match(text, start)
        named = run and run[0] in given_names() - clinical() and len(run[0]) > 2
        return run.span() if run and named else None

    @staticmethod
    def _certain(text: str, cue_start: int, place: tuple[int, int]) -> bool:
        """Behind a doubtful word: the whole run is no plain text, and a surname or a listed given name follows."""
        start, end = place
        whole = THAI_RUN.match(text, cue_start)
        if whole and closed_run(whole[0]):
            return False
        name = text[start:end]
        strange = any(part not in dictionary() for part in tokens(name))
        return " " in name or (len(name) > 3 and (name in given_names() - common() or strange))


def _tells(name: str, labelled: bool) -> bool:
    """Whether it is more than words of the dictionary: a listed or strange name, or two that are unlike text."""
    runs = THAI_RUN.findall(name)
    if _NEXT.fullmatch(name):
        return False
    if labelled and len(runs) < 2:
        return True
    if not runs or any(listed(run) or any(word not in dictionary() for word in tokens(run)) for run in runs):
        return not (runs and all(closed_but_tones(run) for run in runs))
    text = tokens(runs[0])[0] in clinical() or _words(runs[0])
    return len(runs) > 1 and not text


def _words(run: str) -> bool:
    """Whether it is three words and more that everybody uses."""
    return len(tokens(run)) > 2 and all(word in common() for word in tokens(run))
