"""Where a person's name begins and ends behind a title, a kinship word or a label."""

from __future__ import annotations

from enum import IntEnum
from itertools import accumulate

import regex

from khlang.conform.text.words import (
    THAI,
    clinical,
    closed_run,
    common,
    cut_off,
    dictionary,
    follows,
    given_names,
    is_boundary,
    is_text,
    latin,
    listed,
    ordinary,
    tokens,
)

THAI_RUN = regex.compile(rf"[{THAI}]+")
_GAP = regex.compile(r"[ ]{0,3}(?:[:=.\-\"'“”‘’(][ ]{0,2}){0,2}(?:(?:คือ|ชื่อว่า|ชื่อ)[ :]{0,2})?")
_BETWEEN = regex.compile(r"[ ]{1,4}|[ ]?-[ ]?|\.(?=[ก-ฮเ-ไ])[ ]?")
_INITIAL = regex.compile(r"[ ]{0,2}[ก-ฮ]\.(?![ก-ฮ]\.)")
_NA = regex.compile(rf"[ ]{{1,2}}ณ[ ]{{1,2}}[{THAI}]+")
_LATIN = regex.compile(r"[A-Za-zÀ-ɏ][A-Za-zÀ-ɏ'’\-]*\.?")
_TITLE = regex.compile(
    r"(?:นางสาว|นาย|นาง|คุณ|เด็ก(?:ชาย|หญิง)|น\.?ส\.|ด\.[ชญ]\.|(?:Mrs?|Ms|Miss|Dr)\b|ลุง|ป้า|น้า|พี่|น้อง|ยาย|ปู่|แม่|พ่อ)"
    r"(?![ะ-ฺ็-๎])"
)
"""Another title or kinship word, which has its own name behind it."""
DOTTED = regex.compile(
    r"(?<![.])(?:น\.[ ]?ส\.?|ด\.[ ]?[ชญ]\.?|ม\.?ร\.?ว\.|ม\.[ ]?ล\.|(?<![ก-๎])(?:ดร\.|[ผร]?ศ\.(?:[ ]?ดร\.)?)"
    r"|[นทส]พ\.(?![ตทอ]\.)|[ทส]?พญ\.|ทพญ\.|ภ[กญ]\.|พว\.|กภ\.|ทนพ\."
    r"|(?:ว่าที่[ ]?)?(?:[รพ]\.[ตทอ]\.(?:[ตทอ]\.)?|พล\.?[ ]?[ตทอ]\.(?:[ตทอ]\.)?|[สจ]\.[ ]?[ตทอส]\.(?:[ตทอ]\.)?"
    r"|ด\.[ ]?ต\.|พ\.จ\.[ตทอ]\.|น\.[ตทอ]\.|จ\.อ\.)(?:[ ]?หญิง)?|พลฯ|พลทหาร|ว่าที่ร้อย(?:ตรี|โท|เอก)"
    r"|(?:ร้อย|พัน|จ่าสิบ|สิบ|นาวา|เรือ|พันจ่า)(?:ตำรวจ)?(?:ตรี|โท|เอก)|นาวาอากาศ(?:ตรี|โท|เอก)|ดาบตำรวจ)"
    r"|(?:นส(?!\.[อต]\.)|ด[ชญ])\.|(?<![ก-๎.])(?:นส|ด[ชญ]|พญ|นพ)(?=[ก-ฮเ-ไ ])",
    regex.VERSION1,
)
"""Titles that are abbreviations and ranks; those without dots only where a word begins."""
_AND_OTHER = regex.compile(r"(?:และ|หรือ|กับ)(?=นาย|นาง|คุณ|เด็กชาย|เด็กหญิง|น\.?ส\.|ด\.[ชญ])")
"""Another person is named without a blank between."""
_PLACES = (
    "โรงพยาบาล",
    "สถานี",
    "คลินิก",
    "แผนก",
    "ศูนย์",
    "หน่วย",
    "สำนัก",
    "โรงเรียน",
    "บริษัท",
    "มหาวิทยาลัย",
    "หอผู้ป่วย",
)
"""Words with which a place of work begins, never a name."""
_LONGEST = 40


class Level(IntEnum):
    """How much the word before it says about a name."""

    WEAK = 0
    """A kinship word: the name must not read like ordinary text."""
    LIKELY = 1
    """คุณ, ชื่อ, a profession: clinical text is no name, anything else is."""
    SURE = 2
    """A title that stands before names only."""


def _continues(rest: str) -> bool:
    """Whether what stands behind a possible name is text that goes on: such a word, more words behind it."""
    if not any(rest[:length] in follows() for length in range(1, 13)):
        return False
    cut = tokens(rest)
    ends = {len("".join(cut[:count])) for count in range(1, len(cut) + 1)}
    starts = [end for end in ends if rest[:end] in follows() and end < len(rest)]
    if closed_run(rest):
        return len(rest) > 6
    return bool(starts) and (max(starts) > 4 or all(word in dictionary() for word in cut))


def _reads_as_text(run: str) -> bool:
    """Whether clinical text stands where a name may, or a phrase of four common words and more."""
    return is_text(run) or (len(tokens(run)) > 3 and ordinary(run))


def _end(run: str) -> int:
    """Where a name at a run's beginning ends: before text that goes on, else with the run.

    Of several places a listed name decides (บุญมา before คลอดปกติ, not บุญ), then the first.
    """
    ends = [at for at in range(2, len(run)) if is_boundary(run, at)]
    words = set(accumulate(map(len, tokens(run))))
    told = [at for at in ends if _continues(run[at:]) or (run[at:] in follows() and len(run) > at + 3)]
    told = [at for at in told if at in words] or told
    named = [at for at in told if listed(run[:at])]
    if told:
        return min(named[-1] if named else told[0], _LONGEST)
    closed_ends = (at for at in ends if at in words and len(run) > at + 8 and closed_run(run[at:]))
    return min(next(closed_ends, len(run)), _LONGEST)


def _given_before(run: str) -> int:
    """Letters of the longest listed given name, no common word, that text is glued to; 0 without one."""
    ends = range(min(len(run), 14), 3, -1)
    return next((at for at in ends if is_boundary(run, at) and run[:at] in given_names() - common()), 0)


_NAME_ENDS = ("รักษา", "เจริญ", "มงคล", "ดี", "งาม", "สุข", "มาก", "ทอง")
"""Ends of family names that are words as well."""


def _with_end(run: str, end: int) -> int:
    """A family name that seems to end before such a word has it when text stands behind: it hides more."""
    rest = tokens(run[end:]) if end < len(run) else ()
    return end + len(rest[0]) if len(rest) > 1 and rest[0] in _NAME_ENDS and rest[1] in clinical() else end


def _before_text(run: str, surname: bool) -> int:
    """Letters of a name to which text is glued: up to the first telling clinical word; 0 when all of it is text.

    A family name may be anything that is no clinical text, a given name is listed or strange.
    """
    at = 0
    for word in tokens(run):
        name = run[:at]
        ends_name = surname and word.startswith(_NAME_ENDS)
        if at > 2 and len(word) > 4 and word in clinical() and not ends_name and not closed_run(name):
            told = surname or name in given_names() or any(one not in dictionary() for one in tokens(name))
            return at if told else 0
        at += len(word)
    return 0 if surname else _given_before(run)


def _run(text: str, start: int) -> regex.Match[str] | None:
    """The Thai letters there, up to a title with dots that is glued to them."""
    run = THAI_RUN.match(text, start)
    if run is None:
        return None
    titles = DOTTED.finditer(text, start + 1, min(len(text), run.end() + 8))
    cut = next((t.start() for t in titles if t.start() < run.end() and _named(text, t.end())), None)
    other = _AND_OTHER.search(text, start + 1, run.end())
    cut = other.start() if other and (cut is None or other.start() < cut) else cut
    return THAI_RUN.match(text, start, cut) if cut and is_boundary(run[0], cut - start) else run


def _named(text: str, at: int) -> bool:
    """Whether Thai letters stand there, perhaps behind a blank."""
    return THAI_RUN.match(text, at + 1 if text[at : at + 1] == " " else at) is not None


def _begins_listed(run: str) -> bool:
    """Whether a family name of plain words begins with a listed name that is no clinical word: ใจดีมาก."""
    lengths = range(4, len(run))
    return any(listed(run[:at]) and run[:at] not in clinical() for at in lengths if is_boundary(run, at))


def name_length(run: str, level: Level, surname: bool = False) -> int:
    """How many letters of a Thai run are a name at its beginning; 0 when it is ordinary text."""
    if run in follows() or run.startswith(_PLACES) or (_continues(run) and not listed(run)):
        return 0
    if listed(run):
        return len(run) if level or run not in clinical() else 0
    end = _end(run)
    head = run[:end]
    text = {Level.WEAK: ordinary, Level.LIKELY: is_text if surname else _reads_as_text}.get(level)
    if text and text(head) and not listed(head):
        return _before_text(head, surname) if level else _given_before(head)
    if not level and head in clinical():
        return 0
    return _with_end(run, end) if surname else end


def _surname_end(text: str, end: int, sure: bool = True) -> int:
    """The end of the name with the surname behind it, if one stands there."""
    abbreviated = _INITIAL.match(text, end)
    if abbreviated:
        return abbreviated.end()
    between = _BETWEEN.match(text, end)
    if not between:
        return end
    of = _NA.match(text, end)
    if of:
        return of.end()
    run = _run(text, between.end())
    if run:
        length = name_length(run[0], Level.LIKELY, surname=True)
        if not length and sure and _begins_listed(run[0]):
            length = len(run[0])
        if length and run[0] not in clinical() and (sure or not ordinary(run[0][:length])):
            end = run.start() + length
    elif sure:
        behind_latin = _latin_end(text, between.end())
        end = behind_latin if behind_latin - between.end() > 3 else end
    of = _NA.match(text, end)
    return of.end() if of else end


def _latin_end(text: str, start: int) -> int:
    """The end of a name in Latin letters: capitalised words that are no clinical words."""
    end = at = start
    for _ in range(4):
        word = _LATIN.match(text, at)
        if not word or not word[0][0].isupper() or word[0].strip(".").lower() in latin():
            break
        end = word.end()
        at = end + (
            len(text[end:]) - len(text[end:].lstrip(" ")) if text[end : end + 2].startswith(" ") else 0
        )
    return end


def latin_pair(text: str, start: int) -> tuple[int, int] | None:
    """Two capitalised words or more that are no clinical words, right behind a cue that is no title."""
    at = _GAP.match(text, start).end()
    end = _latin_end(text, at)
    return (at, end) if len(text[at:end].split()) > 1 else None


def behind(text: str, cue_end: int, level: Level) -> tuple[int, int] | None:
    """The name that begins behind a title or label: given name and surname, as places; None when there is none."""
    if cut_off(text, cue_end):
        return None
    start = _GAP.match(text, cue_end).end()
    if _is_title(text, start) or (level < Level.SURE and _TITLE.match(text, start)):
        return None  # the title has its own name behind it
    run = _run(text, start)
    if run is None:
        end = _latin_end(text, start)
        return (start, end) if end - start > 1 else None
    length = name_length(run[0], level)
    if length == len(run[0]):
        return start, _surname_end(text, start + length)
    return (start, start + length) if length else _unlikely(text, run, level)


def _is_title(text: str, start: int) -> bool:
    """Whether a title stands there, and no name that begins like one: นพดล."""
    title, run = DOTTED.match(text, start), THAI_RUN.match(text, start)
    return title is not None and not (run and run.end() > title.end() and listed(run[0]))


def _unlikely(text: str, run: regex.Match[str], level: Level) -> tuple[int, int] | None:
    """A run that reads like plain words is a name all the same when a surname stands behind it."""
    given = run[0] in given_names()
    if run[0] in follows():
        return None
    word = level and len(tokens(run[0])) == 1  # a given name that is a clinical word: คุณหวาน
    if not given and not word and (closed_run(run[0]) or _continues(run[0]) or len(run[0]) > 12):
        return None
    end = _surname_end(text, run.end(), sure=given)
    return (run.start(), end) if end > run.end() else None


def in_word(text: str, start: int, end: int, longer: frozenset[str]) -> bool:
    """Whether the cue at start..end is a part of a longer Thai word: the title of a lawyer is no title.

    Of the words that begin with the cue only those in `longer` count, and not when what makes them longer is a
    listed name: คุณสมบัติ may be a person.
    """
    before = start
    while before and THAI_RUN.match(text[before - 1]):
        before -= 1
    run = THAI_RUN.match(text, before)
    at = before
    cut = tokens(run[0]) if run else ()
    for place, word in enumerate(cut):
        behind_it = cut[place + 1 : place + 2]
        if (at < start and end <= at + len(word)) or (at == start and len(word) > end - start):
            rest = word[end - start :] if at == start else ""
            told = at < start or (word in longer and not (len(rest) > 3 and listed(rest)))
            # A strange word behind it says that the name was cut in the wrong place: หมอก in หมอกฤตภาส.
            return told and not any(_strange(other, text, run) for other in behind_it)
        crosses = start < at < end < at + len(word) and len(word) > 2 and word in common()
        if crosses and text[start:at] in clinical():  # พ่อตามนัด: the father, by appointment
            return not any(_strange(other, text, run) for other in behind_it)
        at += len(word)
        if at >= end:
            return False
    return False


def _strange(word: str, text: str, run: regex.Match[str] | None) -> bool:
    """Whether it is no word, or a short one that hardly anybody uses; what a dot is behind is short for a word."""
    if run and run[0].endswith(word) and text[run.end() : run.end() + 1] == ".":
        return False
    return word not in dictionary() or (len(word) < 5 and word not in common())
