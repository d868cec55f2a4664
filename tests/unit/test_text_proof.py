"""The proof of the text step: a seeded slice of it with floors, and the arithmetic that its figures rest on."""

from __future__ import annotations

import pytest

from khlang.conform.recognizers.titled_name import TitledName
from khlang.conform.text.spans import Span
from khlang.synth.texts import shipped
from khlang.synth.texts.declared import TEST, TUNING, templates
from khlang.synth.texts.draw import Note, Planted, notes
from khlang.synth.texts.measure import Share, figures, ours
from khlang.synth.texts.people import facility
from khlang.synth.texts.proof import Proof, prove
from khlang.synth.texts.report import html, markdown


@pytest.fixture(scope="module")
def small() -> Proof:
    """A slice of `khlang prove text`."""
    return prove(306, 31, 1)


@pytest.mark.long
def test_a_larger_slice_keeps_the_floors_too() -> None:
    large = prove(6120, 32, 40)
    assert large.left == ()
    assert large.held_out.total("name:own").rate == 1, large.held_out.missed[:20]
    assert large.held_out.total("name:titled").rate >= 0.98, large.held_out.missed[:20]
    assert large.tuned.total("name:titled").rate >= 0.99, large.tuned.missed[:20]
    assert large.held_out.precise.rate >= 0.95, large.held_out.wrong[:20]


def test_no_id_phone_or_own_name_is_left_in_the_slice(small: Proof) -> None:
    assert len(small.spellings) >= 60 and min(share.of for share in small.spellings.values()) == 1
    assert small.left == ()
    assert small.held_out.total("cid", "phone").rate == 1
    assert small.held_out.total("name:own").rate == 1, small.held_out.missed[:20]


def test_names_behind_titles_and_clinical_words_keep_their_floors(small: Proof) -> None:
    assert small.held_out.total("name:titled").of > 60
    assert small.held_out.total("name:titled").rate >= 0.95, small.held_out.missed[:20]
    assert small.tuned.total("name:titled").rate >= 0.98, small.tuned.missed[:20]
    assert small.held_out.precise.rate >= 0.93, small.held_out.wrong[:20]
    assert small.held_out.withheld == 0


def test_the_step_beats_presidio_as_it_is_shipped(small: Proof) -> None:
    ours, theirs = (told.total("") for told in (small.held_out, small.shipped))
    assert ours.of == theirs.of > 150
    assert ours.rate > theirs.rate + 0.5
    assert "ThTninRecognizer" in shipped.names()


def test_a_recogniser_that_finds_nothing_shows_in_the_figures(
    small: Proof, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TitledName, "find", lambda self, text: iter(()))
    people = facility(31, TEST)
    written = list(notes(people, 153, 31))
    blind = figures(written, ours(written, people)).total("name:titled")
    assert blind.rate < small.held_out.total("name:titled").rate - 0.2


def test_the_page_shows_what_was_asked_and_every_kind(small: Proof) -> None:
    page = markdown(small)
    assert all(words in page for words in [*small.reached, *small.held_out.recall, "Presidio as shipped"])
    assert "<table>" in html(small) and "<script" not in html(small)


def test_the_two_sets_share_no_template_and_the_test_has_enough() -> None:
    tuning, test = ({one.text for one in templates(half)} for half in (TUNING, TEST))
    assert not tuning & test
    assert len(test) >= 150 and len({one.care for one in templates(TEST)}) >= 10


def test_equal_seeds_write_equal_notes_with_their_true_places() -> None:
    first, again = (list(notes(facility(5, TEST), 50, 9)) for _ in range(2))
    assert first == again
    assert all(0 <= one.start < one.end <= len(note.text) for note in first for one in note.planted)
    own = [note.text[p.start : p.end] for note in first for p in note.planted if p.kind == "name:own"]
    assert own and set(" ".join(own).split()) <= {
        *facility(5, TEST).patients["NAME"],
        *facility(5, TEST).patients["LNAME"],
    }


def test_a_span_counts_as_found_only_when_all_of_it_is_covered() -> None:
    note = Note("x", "1", "นาย กขค งจฉ ไข้", (Planted(4, 11, "name:titled"),))
    whole, half, beside, withheld = (
        figures([note], [spans])
        for spans in ([Span(4, 11, "NAME")], [Span(4, 7, "NAME")], [Span(12, 15, "NAME")], None)
    )
    assert [one.recall["name:titled"].rate for one in (whole, half, beside, withheld)] == [1, 0, 0, 1]
    assert [one.precise for one in (whole, half, beside)] == [Share(1, 1), Share(1, 1), Share(0, 1)]


def test_wilsons_interval_is_that_of_the_textbook() -> None:
    low, high = Share(95, 100).interval()
    assert (round(low, 4), round(high, 4)) == (0.8882, 0.9785)
    assert Share(0, 0).interval() == (0.0, 1.0)
