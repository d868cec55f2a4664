"""Rows of text and what must not stand in them -> the places where it does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import polars as pl

from khlang.conform.text.names import Names
from khlang.conform.text.person import THAI_RUN
from khlang.conform.text.spans import Span
from khlang.conform.text.squeeze import places
from khlang.conform.text.terms import facility_couples, facility_terms, own_terms
from khlang.conform.text.words import clinical, dictionary, given_names, is_boundary, latin, tokens

_LONGEST_TERM = 48
_TITLES = (
    r"นางสาว|นาย|นาง|คุณ|ชื่อ|ผู้ป่วย|คนไข้|ผป\.?|pt\.?|น\.?ส\.?|ด\.?[ชญ]\.?|หมอ|พญ\.|นพ\.|mrs?\.?|ms\.?|miss|name"
)
_KIN = r"ลุง|ป้า|น้า|อา|ตา|ยาย|ปู่|ย่า|พี่|น้อง|แม่|พ่อ|บิดา|มารดา|สามี|ภรรยา|บุตร|ลูก|หลาน|ญาติ"
_TITLE = re.compile(rf"(?:{_TITLES})[ :.]{{0,2}}$", re.IGNORECASE)
_CUE = re.compile(rf"(?:{_TITLES}|{_KIN})[ :.]{{0,2}}$", re.IGNORECASE)
_FOLLOWED = re.compile(
    r"มาด้วย|มาตาม|มารับ|มาตรวจ|มาพบ|ตามนัด|รับยา|แพ้|ขอ(?!ง)|บ่น|ยอม|ให้ประวัติ|แจ้งว่า|บอกว่า|เล่าว่า|อายุ ?[0-9]|ปฏิเสธ"
)
"""What people do: a given name that is also a common word is a name before it."""
_COUNTED = re.compile(r"(?<![0-9/\-])[0-9]{1,3}[ ]{0,2}$")


def own_hits(rows: pl.DataFrame, squeezed: pl.DataFrame, names: Names) -> pl.DataFrame:
    """Rows (hospcode, pid, text) -> hospcode, pid, text, term, kind, part that may stand there."""
    patients = rows.select("hospcode", "pid").unique()
    terms = own_terms(patients, names)
    paired = rows.join(terms, on=["hospcode", "pid"]).join(squeezed, on="text")
    return paired.filter(pl.col("letters").str.contains(pl.col("term"), literal=True)).drop("letters")


def facility_hits(rows: pl.DataFrame, names: Names) -> pl.DataFrame:
    """Rows (hospcode, text, plain) -> hospcode, text, term, kind, part: anybody's names and long numbers.

    The cost grows with the texts, not with the facility: what may begin a name is looked up, not searched for.
    """
    if rows.is_empty() or names.people.is_empty():
        return pl.DataFrame(schema=dict.fromkeys(["hospcode", "text", "term", "kind", "part"], pl.String))
    terms = facility_terms(names)
    parts = (
        pl.col("plain")
        .str.to_lowercase()
        .str.replace_all(_BREAK, " $1 ")
        .str.extract_all(r"[\p{L}\p{M}\p{Nd}]+")
    )
    words = rows.select("hospcode", "text", parts.alias("part"))
    words = (
        words.with_columns(pl.col("part").list.join("").alias("letters")).explode("part").drop_nulls("part")
    )
    length = pl.col("part").str.len_chars()
    offset = (length.cum_sum() - length).over("hospcode", "text")
    tails = words.select("hospcode", "text", pl.col("letters").str.slice(offset, _LONGEST_TERM).alias("tail"))
    couples = facility_couples(names)
    begins = pl.concat([terms.select("hospcode", "term"), couples.select("hospcode", term="family")])
    heads = begins.select("hospcode", pl.col("term").str.slice(0, 3).alias("head")).unique()
    tails = tails.with_columns(pl.col("tail").str.slice(0, 3).alias("head")).join(
        heads, on=["hospcode", "head"], how="semi"
    )
    lengths = pl.DataFrame({"length": range(4, _LONGEST_TERM + 1)})
    begun = tails.join(lengths, how="cross").filter(pl.col("length") <= pl.col("tail").str.len_chars())
    begun = begun.select(
        "hospcode", "text", pl.col("tail").str.slice(0, pl.col("length")).alias("term")
    ).unique()
    glued = begun.join(couples, left_on=["hospcode", "term"], right_on=["hospcode", "family"])
    full = glued.select(
        "hospcode", "text", "full", pl.lit("NAME").alias("kind"), pl.lit("full").alias("part")
    )
    told = begun.join(terms, on=["hospcode", "term"])
    return pl.concat([told, full.rename({"full": "term"})]).unique()


_BREAK = (
    r"(นางสาว|นาย|นาง|คุณ|ผู้ป่วย|คนไข้|ชื่อ|ด\.?[ชญ]\.?|น\.?ส\.?"
    r"|ของ|กับ|และ|โดย|ญาติ|บิดา|มารดา|สามี|ภรรยา|บุตร|หลาน|แม่|พ่อ|พี่|น้อง|ยาย|ลุง|ป้า)"
)
"""Words that a name is written to without a blank: it may begin behind them."""


@lru_cache(maxsize=50_000)
def spans(text: str, term: str, kind: str, part: str) -> tuple[Span, ...]:
    """The places in the typed text where the term really stands for the person or number."""
    judge = {"number": _number_stands, "full": _full_name_stands}.get(part, _name_stands)
    found = [(seen, start, end) for seen, start, end in places(text, term) if judge(seen.text, start, end)]
    return tuple(Span(*seen.typed(start, end), kind, 1.0) for seen, start, end in found)


def _number_stands(text: str, start: int, end: int) -> bool:
    """Not a part of a longer number or word."""
    before, behind = text[start - 1 : start], text[end : end + 1]
    lettered = text[start].isascii() and text[start].isalpha() and before.isascii() and before.isalpha()
    return not before.isdigit() and not behind.isdigit() and not lettered


def _edges(text: str, start: int, end: int) -> bool:
    """Whether letters are whole there: no Thai vowel cut off, no Latin word cut through."""
    if text[start].isascii():
        return not (text[start - 1 : start].isascii() and text[start - 1 : start].isalpha()) and not (
            text[end : end + 1].isascii() and text[end : end + 1].isalpha()
        )
    return is_boundary(text, start) and is_boundary(text, end)


def _full_name_stands(text: str, start: int, end: int) -> bool:
    """Given and family name together are nothing else."""
    return _edges(text, start, end)


def _name_stands(text: str, start: int, end: int) -> bool:
    """A given or family name alone: in one piece, no part of another word; a common word needs more."""
    name = text[start:end].lower()
    if " " in name or not _edges(text, start, end):
        return False
    if name.isascii():
        return name not in latin() and len(name) > 2
    left_open = not THAI_RUN.match(text[start - 1 : start])
    alone = left_open and not THAI_RUN.match(text, end)
    common = name in clinical()
    if left_open and not _COUNTED.search(text[:start]) and _FOLLOWED.match(text, end):
        return True
    if alone:
        return not (common and _COUNTED.search(text[:start]))
    cued = _CUE.search(text[:start]) is not None
    given = len(name) > 3 and name in given_names() and not common
    if name in dictionary() and not (
        cued or left_open or given or (not common and _is_token(text, start, end))
    ):
        return False
    titled = _TITLE.search(text[:start]) is not None
    return (titled or not _within_word(text, start, end)) and (not common or cued)


def _is_token(text: str, start: int, end: int) -> bool:
    """Whether the name is a word or words between other words: ฝน in อธิบายฝนแล้ว, not in ฝนตก."""
    cut = list(_cut(text, start))
    starts, ends = {at for at, _ in cut}, {at + len(word) for at, word in cut}
    return end - start > 1 and start in starts and end in ends


def _cut(text: str, start: int) -> Iterator[tuple[int, str]]:
    """The words of the Thai run around a place, each with where it begins."""
    at = start
    while at and THAI_RUN.match(text[at - 1]):
        at -= 1
    run = THAI_RUN.match(text, at)
    for word in tokens(run[0]) if run else ():
        yield at, word
        at += len(word)


def _within_word(text: str, start: int, end: int) -> bool:
    """Whether a longer word of the dictionary covers the name there, or begins inside it and goes on: มีสุขภาพ."""
    for at, word in _cut(text, start):
        covers, goes_on = at <= start and end <= at + len(word), start < at < end < at + len(word)
        if covers or goes_on:
            return word in dictionary() and (goes_on or len(word) > end - start)
    return False
