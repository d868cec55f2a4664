"""A number of notes and a seed -> the figures of the text step and of plain Presidio on the same notes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from khlang.conform.text.spans import Span
from khlang.conform.text.words import listed
from khlang.synth.texts import shipped
from khlang.synth.texts.declared import TEST, TUNING, templates
from khlang.synth.texts.draw import Note, Planted, notes
from khlang.synth.texts.measure import Figures, Share, figures, ours
from khlang.synth.texts.people import Facility, facility, phone
from khlang.synth.texts.spellings import AROUND, phones, spelled, valid_cid

BATCH = 2000
"""Notes that are cleared at once, as rows of a batch are."""

IDS, OWN, TITLED, PRECISION = 1.0, 1.0, 0.995, 0.95
"""Figures to reach: ids and phones, the patient's own name, names behind a title, precision."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found in the held-out notes, in the tuning notes, and in every spelling of ids and phones."""

    seed: int
    held_out: Figures
    tuned: Figures
    shipped: Figures
    spellings: dict[str, Share]
    templates: dict[str, int]
    listed_names: Share
    """Given names of the held-out notes that the recognisers' own lists hold."""
    left: tuple[str, ...] = field(repr=False)
    """Spelled ids and phones that were not found."""

    @property
    def reached(self) -> dict[str, tuple[Share, float]]:
        """What was asked: the share, and how high it must be."""
        every = self.spellings.values()
        spelled_ids = Share(sum(one.hits for one in every), sum(one.of for one in every))
        told = self.held_out
        return {
            "ids and phones in every spelling": (spelled_ids, IDS),
            "ids and phones in notes": (told.total("cid", "phone"), IDS),
            "the patient's own name": (told.total("name:own"), OWN),
            "names behind a title": (told.total("name:titled"), TITLED),
            "precision": (told.precise, PRECISION),
        }

    @property
    def holds(self) -> bool:
        """Whether every figure is reached."""
        return all(share.rate >= floor for share, floor in self.reached.values())


def prove(count: int, seed: int, per_spelling: int, say: Callable[[str], None] = lambda _: None) -> Proof:
    """Write notes, clear them, compare. Equal arguments give equal proofs, but for what `say` is told."""
    people = facility(seed, TEST)
    held_out = list(notes(people, count, seed))
    told = _cleared(held_out, people)
    say(f"{count:,} held-out notes")
    tuning = list(notes(facility(seed, TUNING), count // 2, seed))
    tuned = _cleared(tuning, facility(seed, TUNING))
    say(f"{count // 2:,} tuning notes")
    plain = figures(held_out, shipped.found([note.text for note in held_out]))
    say("the same notes, by Presidio as it is shipped")
    rates, left = _spelled(per_spelling, seed, people)
    return Proof(
        seed, told, tuned, plain, rates, {half: len(templates(half)) for half in (TUNING, TEST)},
        _listed(people), left,
    )  # fmt: skip


def _cleared(written: Sequence[Note], people: Facility) -> Figures:
    """The figures of the lake's own step, batch by batch."""
    found: list[list[Span] | None] = []
    for start in range(0, len(written), BATCH):
        found += ours(written[start : start + BATCH], people)
    return figures(written, found)


def _listed(people: Facility) -> Share:
    """How many given names of the facility's people stand in the lists of the recognisers."""
    given = people.patients["NAME"].unique()
    return Share(sum(listed(name) for name in given), len(given))


def _spelled(count: int, seed: int, people: Facility) -> tuple[dict[str, Share], tuple[str, ...]]:
    """Every spelling of ids and phones in `count` notes each."""
    forms = [("cid", form) for form in spelled(valid_cid(1))]
    forms += [("phone", form) for form in phones(phone(random.Random(1)))]
    written = [note for form in forms for note in _notes_of(*form, count, seed, people)]
    told = _cleared(written, people)
    return told.recall, told.missed


def _notes_of(what: str, form: str, count: int, seed: int, people: Facility) -> Iterator[Note]:
    """Notes about strangers' ids in one spelling: half of them held-out notes with it at the end, half short ones."""
    dice = random.Random(f"{what} {form} {seed}")
    frames = [*AROUND.values()]
    clean = list(notes(people, 64, seed + 1))
    for number in range(count):
        text = spelled(valid_cid(dice.randrange(10**9)))[form] if what == "cid" else phones(phone(dice))[form]
        if number % 2:
            before = f"{dice.choice(clean).text} {dice.choice(_BEFORE)}"
            behind = dice.choice(_BEHIND)
        else:
            before, behind = (
                dice.choice(frames).split("{}")
                if what == "cid"
                else (dice.choice(_BEFORE), dice.choice(_BEHIND))
            )
        at = len(before)
        yield Note(
            "spelling", "000000", before + text + behind, (Planted(at, at + len(text), f"{what}: {form}"),)
        )


_BEFORE = ("ติดต่อ ", "คือ ", "แจ้งว่า ", "เลข", "(", "no. ", "ผู้ป่วยบอก ", "= ")
_BEHIND = ("", " ค่ะ", " ตามนัด", ") รับยาเดิม", " ปวดท้อง", ", ไข้ 3 วัน", "\n", " BP 120/80")
