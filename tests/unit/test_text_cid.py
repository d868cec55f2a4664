"""A citizen id is found in forty spellings, wherever it stands; a product's number is not one."""

from __future__ import annotations

import unicodedata

import pytest

from khlang.synth.texts.spellings import AROUND, spelled, valid_cid
from text_cases import scrubbed

NOTES = 5


def _digits(text: str) -> str:
    """Every digit of any script, as 0-9."""
    return "".join(str(unicodedata.digit(char)) for char in text if unicodedata.category(char) == "Nd")


def _left(texts: list[str], cids: list[str]) -> list[str]:
    """Texts in which the id can still be read off the digits."""
    done = scrubbed(texts)
    pairs = zip(texts, done.text, cids, strict=True)
    return [f"{typed!r} -> {out!r}" for typed, out, cid in pairs if cid[1:12] in _digits(out or "")]


def test_there_are_forty_spellings() -> None:
    assert len(set(spelled(valid_cid(1)).values())) >= 40


@pytest.mark.parametrize("form", spelled(valid_cid(1)))
def test_the_spelling_is_found_wherever_it_stands(form: str) -> None:
    cids = [valid_cid(seed) for seed in range(NOTES) for _ in AROUND]
    texts = [around.format(spelled(valid_cid(at))[form]) for at in range(NOTES) for around in AROUND.values()]
    assert _left(texts, cids) == []


@pytest.mark.long
@pytest.mark.parametrize("form", spelled(valid_cid(1)))
def test_the_spelling_is_found_in_a_thousand_notes(form: str) -> None:
    frames = list(AROUND.values())
    cids = [valid_cid(seed) for seed in range(1000)]
    texts = [frames[at % len(frames)].format(spelled(cid)[form]) for at, cid in enumerate(cids)]
    assert _left(texts, cids) == []


@pytest.mark.parametrize(
    "form", ["plain", "dashed", "spaced", "thai digits", "full width", "en dash", "slashed"]
)
def test_a_wrong_check_digit_does_not_save_the_classic_forms(form: str) -> None:
    wrong = [cid[:12] + str((int(cid[12]) + 1) % 10) for cid in map(valid_cid, range(20))]
    assert _left([f"เลข {spelled(cid)[form]} ไข้" for cid in wrong], wrong) == []


def test_a_number_of_a_product_stays_unless_it_could_be_an_id() -> None:
    texts = ["Lot 1234567890123 วัคซีน", "S/N: 9999999999998", f"Lot {valid_cid(3)}"]
    assert scrubbed(texts).text.to_list() == [*texts[:2], "Lot <CID>"]


def test_an_id_glued_to_a_phone_goes_with_it() -> None:
    assert _left([f"{valid_cid(5)}0812345678"], [valid_cid(5)]) == []
