"""Templates and a facility's people -> notes, each with the places of everything that must go."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from khlang.synth.texts.declared import PLACEHOLDER, Template, templates
from khlang.synth.texts.identifiers import IDENTIFIERS, Speaker
from khlang.synth.texts.people import Facility
from khlang.synth.texts.spellings import THAI

TYPOS, GLUED, WIDENED, THAI_DIGITS, BROKEN = 0.08, 0.10, 0.05, 0.05, 0.04
"""Shares of notes with a slip of the keys, blanks left out, blanks doubled, Thai digits, lines for blanks."""


@dataclass(frozen=True, slots=True)
class Planted:
    """An identifier and its place."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True, slots=True)
class Note:
    """An invented note about one patient of the facility."""

    care: str
    pid: str
    text: str
    planted: tuple[Planted, ...]


def notes(facility: Facility, count: int, seed: int, only: Sequence[Template] = ()) -> Iterator[Note]:
    """`count` notes, every template as often as the others; equal seeds give equal notes."""
    chosen = only or templates(facility.half)
    dice = random.Random(f"notes {facility.half} {seed}")
    for number in range(count):
        row = dice.randrange(facility.patients.height)
        yield write(chosen[number % len(chosen)], Speaker(dice, facility, row))


def write(template: Template, speaker: Speaker) -> Note:
    """One note; what a hurried hand does to it is done to the words between the identifiers only."""
    dice = speaker.dice
    hand = _Hand(*(dice.random() < share for share in (TYPOS, GLUED, WIDENED, THAI_DIGITS, BROKEN)))
    pieces: list[tuple[str, str | None]] = []
    done = 0
    for found in PLACEHOLDER.finditer(template.text):
        pieces.append((hand.written(template.text[done : found.start()], dice), None))
        parts = speaker.parts(found[1], found[2])
        kept = [
            (hand.written(text, dice) if found[1] not in IDENTIFIERS else text, kind) for text, kind in parts
        ]
        pieces += kept
        done = found.end()
    pieces.append((hand.written(template.text[done:], dice), None))
    return _joined(template.care, str(speaker.facility.patients["PID"][speaker.row]), pieces)


def _joined(care: str, pid: str, pieces: list[tuple[str, str | None]]) -> Note:
    """The pieces as one text with its places."""
    planted, at = [], 0
    whole = "".join(text for text, _ in pieces)
    for text, kind in pieces:
        if kind is not None:
            at_end = at + len(text)
            glued = kind.startswith("name:titled") and "ก" <= whole[at_end : at_end + 1] <= "๎"
            planted.append(Planted(at, at_end, f"{kind}, words glued to it" if glued else kind))
        at += len(text)
    return Note(care, pid, whole, tuple(planted))


@dataclass(frozen=True, slots=True)
class _Hand:
    """What a hand in a hurry does to a note."""

    typo: bool
    glues: bool
    widens: bool
    thai_digits: bool
    breaks: bool

    def written(self, text: str, dice: random.Random) -> str:
        """The words between two identifiers as they were typed."""
        if self.typo and len(text) > 8:
            text = _slipped(text, dice)
        if self.glues:  # Latin words and numbers need their blanks, Thai words do without
            text = "".join("" if _thai_on_both_sides(text, at) else char for at, char in enumerate(text))
        if self.widens:
            text = text.replace(" ", "  ")
        if self.thai_digits:
            text = text.translate(THAI)
        return text.replace(" ", "\n", 1) if self.breaks else text


def _thai_on_both_sides(text: str, at: int) -> bool:
    """Whether a blank stands there between Thai words, or at an end of the piece beside one."""
    if text[at] != " ":
        return False
    return all(not side or "ก" <= side <= "๎" for side in (text[at - 1 : at], text[at + 1 : at + 2]))


def _slipped(text: str, dice: random.Random) -> str:
    """A tone mark or vowel sign forgotten, a letter doubled, or two letters in the wrong order."""
    marks = [at for at, char in enumerate(text) if "็" <= char <= "์"]
    if marks and dice.random() < 0.6:
        at = dice.choice(marks)
        return text[:at] + text[at + 1 :]
    at = dice.randrange(1, len(text) - 2)
    if not (text[at].isalpha() and text[at + 1].isalpha()):
        return text
    return (
        text[:at] + text[at] * 2 + text[at + 1 :]
        if dice.random() < 0.5
        else text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    )
