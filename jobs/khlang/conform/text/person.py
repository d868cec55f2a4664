"""Where a person's name begins and ends behind a title, a kinship word or a label."""

from __future__ import annotations

from enum import IntEnum

import regex

from khlang.conform.text.words import (
    THAI,
    clinical,
    closed_run,
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


def name_length(run: str, level: Level) -> int:
    """How many letters of a Thai run are a name at its beginning; 0 when it is ordinary text."""
    if listed(run) and (level or run not in follows()):
        return len(run)
    if _continues(run):
        return 0
    ends = (at for at in range(2, len(run)) if is_boundary(run, at) and _continues(run[at:]))
    end = min(next(ends, len(run)), _LONGEST)
    head = run[:end]
    text = {Level.WEAK: ordinary, Level.LIKELY: is_text}.get(level)
    return 0 if text and text(head) and not listed(head) else end


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
    run = THAI_RUN.match(text, between.end())
    if run:
        length = name_length(run[0], Level.LIKELY)
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


def behind(text: str, cue_end: int, level: Level) -> tuple[int, int] | None:
    """The name that begins behind a title or label: given name and surname, as places; None when there is none."""
    if cut_off(text, cue_end):
        return None
    start = _GAP.match(text, cue_end).end()
    if level < Level.SURE and _TITLE.match(text, start):  # the title has its own name behind it
        return None
    run = THAI_RUN.match(text, start)
    if run is None:
        end = _latin_end(text, start)
        return (start, end) if end - start > 1 else None
    length = name_length(run[0], level)
    if length == len(run[0]):
        return start, _surname_end(text, start + length)
    return (start, start + length) if length else _unlikely(text, run)


def _unlikely(text: str, run: regex.Match[str]) -> tuple[int, int] | None:
    """A run that reads like plain words is a name all the same when a surname stands behind it."""
    given = run[0] in given_names()
    if not given and (closed_run(run[0]) or _continues(run[0]) or len(run[0]) > 12):
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
    for word in tokens(run[0]) if run else ():
        if at < start < at + len(word):
            return True
        if at == start:
            rest = word[end - start :]
            return bool(rest) and word in longer and not (len(rest) > 3 and listed(rest))
        at += len(word)
    return False
