"""Words of clinical notes and of names: which text is ordinary, which may be somebody.

Clinical words are ours (catalog/words). The dictionary of Thai words (CC0) and the lists of Thai given and
family names (Thai Male and Female Names Corpus by Korkeat Wannapat, CC BY-SA 4.0) are read from the
pythainlp package, not copied.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import polars as pl
from pythainlp.corpus.common import (
    thai_family_names,
    thai_female_names,
    thai_male_names,
    thai_words,
)
from pythainlp.corpus.tnc import unigram_word_freqs
from pythainlp.tokenize import Trie
from pythainlp.tokenize.newmm import segment

THAI = "ก-ฺเ-๎"
"""Thai letters, vowels and marks (no digits, no currency sign), for use inside a character class."""
_FOLLOWS_ON = "ะัาำิีึืฺุู็่้๊๋์ํ๎ๅ"
_LEADS_ON = "เแโใไ"
_OFTEN = 300
"""Times in the Thai National Corpus; rarer words make up names that nobody listed."""


@cache
def declared(name: str) -> tuple[str, ...]:
    """The lines of catalog/words/<name>.txt, without comments."""
    text = (files("khlang.catalog") / "words" / f"{name}.txt").read_text("utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))


def _split(lines: Iterable[str]) -> frozenset[str]:
    """Every word of the lines."""
    return frozenset(word for line in lines for word in line.split())


@cache
def clinical() -> frozenset[str]:
    """Thai words of clinical notes: the closed vocabulary."""
    return _split(declared("th_clinical")) | follows()


@cache
def follows() -> frozenset[str]:
    """Thai words that may stand right behind a name."""
    return _split(declared("th_follows"))


@cache
def latin() -> frozenset[str]:
    """Latin words of clinical notes in lower case, cut at everything that is no letter."""
    return frozenset(
        part for word in _split(declared("en_clinical")) for part in re.split("[^a-z]+", word) if part
    )


@cache
def given_names() -> frozenset[str]:
    """Thai given names."""
    return frozenset(name for name in thai_female_names() | thai_male_names() if len(name) > 1)


@cache
def _listed() -> tuple[str, ...]:
    """Given and family names, sorted."""
    return tuple(sorted(given_names() | thai_family_names()))


def begins_name(word: str) -> bool:
    """Whether a listed name begins with the word and goes on."""
    at = bisect_left(_listed(), word)
    return any(name.startswith(word) and name != word for name in _listed()[at : at + 2])


def listed(name: str) -> bool:
    """Whether the word is a listed given or family name."""
    at = bisect_left(_listed(), name)
    return _listed()[at : at + 1] == (name,)


@cache
def dictionary() -> frozenset[str]:
    """Thai words at large and the clinical ones."""
    return thai_words() | clinical()


@cache
def every_word() -> pl.Series:
    """The dictionary and the Latin words, for a look-up by polars."""
    return pl.Series(sorted(dictionary() | latin())).implode()


@cache
def common() -> frozenset[str]:
    """Words that the Thai National Corpus (CC0 list of pythainlp) has often, and the clinical ones."""
    often = (word for word, count in unigram_word_freqs().items() if count >= _OFTEN)
    return (thai_words() & frozenset(often)) | clinical()


@cache
def _trie() -> Any:
    """The dictionary as pythainlp's tokeniser wants it (half a second, once per process, on first need)."""
    return Trie(dictionary())


@lru_cache(maxsize=20_000)
def tokens(run: str) -> tuple[str, ...]:
    """A run of Thai letters cut into words, whole character clusters at least."""
    return tuple(segment(run, _trie()))


def _branches(words: Iterable[str]) -> str:
    """A pattern of the words, shared beginnings written once."""
    tree: dict[str, Any] = {}
    for word in words:
        node = tree
        for char in word:
            node = node.setdefault(char, {})
        node[""] = {}

    def pattern(node: dict[str, Any]) -> str:
        """The pattern of everything below a node."""
        parts = [char + pattern(below) for char, below in sorted(node.items()) if char]
        if not parts:
            return ""
        return f"(?:{'|'.join(parts)}){'?' if '' in node else ''}"

    return pattern(tree)


@cache
def _greedy() -> re.Pattern[str]:
    """Clinical words one after the other, the longest first, never taken back (so linear)."""
    return re.compile(f"(?>{_branches(clinical())})+")


@lru_cache(maxsize=100_000)
def closed_run(run: str) -> bool:
    """Whether a run of Thai letters is made of clinical words only, however it is cut, and is no listed name."""
    if run in clinical():
        return True
    if listed(run):
        return False
    if _greedy().fullmatch(run):
        return True
    reached = [True] + [False] * len(run)
    for start in range(len(run)):
        if reached[start]:
            for end in range(start + 1, min(len(run), start + 24) + 1):
                reached[end] = reached[end] or run[start:end] in clinical()
    return reached[-1]


_TONES = re.compile("[่้๊๋็์]")


def without_tones(run: str) -> str:
    """Thai letters without the marks above them that a hurry forgets."""
    return _TONES.sub("", run)


@cache
def _greedy_but_tones() -> re.Pattern[str]:
    """Clinical words of three letters and more without their marks, one after the other."""
    bare = {without_tones(word) for word in clinical() if len(word) > 2}
    return re.compile(f"(?>{_branches(bare)})+")


@lru_cache(maxsize=20_000)
def closed_but_tones(run: str) -> bool:
    """Whether a run is made of clinical words but for the marks that a hurry forgets; no listed name is."""
    return not listed(run) and _greedy_but_tones().fullmatch(without_tones(run)) is not None


def closed(texts: pl.Series) -> pl.Series:
    """Which plain texts hold closed vocabulary only: clinical words, units, short numbers, punctuation.

    Such a text can not hold a name; it may still hold an identifier of digits, which the triggers see.
    """
    frame = texts.alias("text").to_frame().with_row_index("at")
    lower = pl.col("text").str.to_lowercase()
    odd = frame.select(lower.str.contains(r"\d{6}|[@_\\]")).to_series()
    runs = frame.select("at", lower.str.extract_all(rf"[{THAI}ๆฯ]+|[a-z]+|\p{{L}}+").alias("run")).explode(
        "run"
    )
    distinct = runs["run"].drop_nulls().unique()
    known = [run in latin() if run.isascii() else closed_run(run) for run in distinct]
    open_runs = distinct.filter(~pl.Series(known, dtype=pl.Boolean))
    opened = runs.filter(pl.col("run").is_in(open_runs.implode()))["at"].unique()
    return ~odd & ~frame["at"].is_in(opened.implode())


def cut_off(text: str, at: int) -> bool:
    """Whether a Thai vowel or mark stands there, torn from its letter."""
    return text[at : at + 1] in tuple(_FOLLOWS_ON)


def is_boundary(run: str, at: int) -> bool:
    """Whether a Thai word may begin or end there: no vowel or mark is cut off its letter."""
    if not 0 < at < len(run):
        return True
    return run[at] not in _FOLLOWS_ON and run[at - 1] not in _LEADS_ON


def ordinary(run: str) -> bool:
    """Whether a run of Thai letters is plain words rather than a name nobody listed.

    All of it are common words, and no listed name is at its beginning; of up to three words, none goes on
    from the first.
    """
    if closed_run(run):
        return True
    cut = tokens(run)
    first = cut[0]
    if len(cut) < 4:
        plain_words = len(first) > 2 and all(word in common() for word in cut)
        return plain_words and not begins_name(first) and not listed(first)
    starts = ("".join(cut[:count]) for count in range(1, len(cut) + 1))
    return all(word in common() for word in cut) and not any(listed(start) for start in starts)


def is_text(run: str) -> bool:
    """Whether a run where a name may stand is none: clinical words, or plain words with a telling one among them."""
    if run in clinical() or closed_run(run):
        return True
    cut = tokens(run)
    telling = any(
        len(word) > 4 and word in clinical() and word not in _KIN and not begins_name(word) for word in cut
    )
    return telling and not listed(run) and all(word in dictionary() for word in cut)


_KIN = frozenset(["บิดา", "มารดา", "สามี", "ภรรยา", "ญาติ", "บุตร", "เพื่อน", "ลูกชาย", "ลูกสาว", "ชุมชน", "ตำบล"])
