"""Text as typed -> text as the recognisers read it, with the way back to the typed positions."""

from __future__ import annotations

import sys
import unicodedata
from dataclasses import dataclass

import polars as pl
import regex

_DIGITS = {code: str(unicodedata.digit(chr(code))) for code in range(128, sys.maxunicode + 1)
           if unicodedata.category(chr(code)) == "Nd"}  # fmt: skip
_DASHES = dict.fromkeys((*range(8208, 8214), 8722, 11834, 11835, 65112, 65123, 65293), "-")
_SPACES = dict.fromkeys((9, 10, 13, 160, 5760, *range(8192, 8203), 8232, 8233, 8239, 8287, 12288), " ")  # fmt: skip
_ONE_TO_ONE = _DIGITS | _DASHES | _SPACES
_COMMON = r"^[\x20-\x7e\u0e01-\u0e4f]*$"
_USUAL = regex.compile(r"[\x20-\x7e\u0e01-\u0e5b]*")
_DOUBLED = ("ํา", "ํ่า", "ํ้า", "ํ๊า", "ํ๋า", "เเ")
"""Sara am typed as nikhahit and sara aa (a tone mark may stand between), sara ae typed as two sara e."""
_SARA_AM = regex.compile("ํ([่-๋]?)า|([่-๋])ํา")


@dataclass(frozen=True, slots=True)
class Plain:
    """`text` to search in; `index[i]` is where its character i was typed (None: the same place)."""

    text: str
    index: tuple[int, ...] | None = None

    def typed(self, start: int, end: int) -> tuple[int, int]:
        """The place in the typed text of the characters start..end of the plain one."""
        if self.index is None:
            return start, end
        return self.index[start], self.index[end - 1] + 1


def _invisible(char: str) -> bool:
    """Zero-width, control and variation characters: nobody sees them, so they must not hide an identifier."""
    return unicodedata.category(char) in {"Cf", "Cc", "Cn", "Co"} or "︀" <= char <= "️" or char == "͏"


def _sara_am(chars: list[str], index: list[int]) -> tuple[list[str], list[int]]:
    """Nikhahit + sara aa -> sara am, sara e twice -> sara ae, keeping the places."""
    out: list[str] = []
    places: list[int] = []
    for char, place in zip(chars, index, strict=True):
        if char == "า" and out and out[-1] == "ํ":
            out[-1] = "ำ"
        elif char == "า" and len(out) > 1 and out[-2] == "ํ" and "่" <= out[-1] <= "๋":
            out[-2], out[-1] = out[-1], "ำ"
        elif char == "เ" and out and out[-1] == "เ":
            out[-1] = "แ"
        else:
            out.append(char)
            places.append(place)
    return out, places


def plain(typed: str) -> Plain:
    """Digits of every script become 0-9, full-width letters plain, dashes and blanks one kind, invisible ones go."""
    if _USUAL.fullmatch(typed) and not any(pair in typed for pair in _DOUBLED):
        return Plain(typed.translate(_DIGITS))
    chars: list[str] = []
    index: list[int] = []
    for place, char in enumerate(typed):
        simple = _ONE_TO_ONE.get(ord(char))
        if simple is None and _invisible(char):
            continue
        kept = simple or (
            char if "ก" <= char <= "๛" else unicodedata.normalize("NFKC", char).translate(_ONE_TO_ONE)
        )
        chars += kept
        index += [place] * len(kept)
    chars, index = _sara_am(chars, index)
    return Plain("".join(chars), tuple(index))


def plain_series(texts: pl.Series) -> pl.Series:
    """The same for a column of distinct texts; only odd characters cost a call per text."""
    odd = ~texts.str.contains(_COMMON) | texts.str.contains_any(list(_DOUBLED))
    if not odd.any():
        return texts
    changed = pl.Series([plain(text).text for text in texts.filter(odd)], dtype=pl.String)
    return texts.scatter(odd.arg_true(), changed)
