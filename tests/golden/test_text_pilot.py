"""Identifiers planted in the pilot's texts are gone, its clinical words are not; without the pilot, a small sample."""

from __future__ import annotations

import time

import polars as pl
import pytest

from golden.text.measure import Figures, cleaned, figures, table
from golden.text.truth import Truth, truth
from khlang.conform.text import engine as engines
from khlang.synth.texts.shipped import texts_per_second

SURE = ("cid", "phone", "hn", "name:own", "email", "line", "passport", "bank", "plate")
"""Kinds of which nothing may be left; names of others and addresses may be missed once in 200."""


@pytest.fixture(scope="module")
def known() -> Truth:
    """The pilot when its folder is there, else the committed sample, and a line that says which."""
    chosen = truth()
    print(
        f"\ntexts: {chosen.origin}, {sum(rows.height for rows in chosen.texts.values())} values, {chosen.names!r}"
    )
    return chosen


@pytest.fixture(scope="module")
def done(known: Truth) -> pl.DataFrame:
    """Every text, scrubbed."""
    return cleaned(known)


@pytest.fixture(scope="module")
def measured(known: Truth, done: pl.DataFrame) -> Figures:
    """The figures, printed as a table."""
    found = figures(known, done)
    print("\n" + table(f"recall ({known.origin})", found.found, found.planted))
    print(table("survival", found.kept, found.present))
    return found


def test_no_id_phone_or_own_name_is_left(measured: Figures) -> None:
    left = [line for line in measured.missed if line.startswith(SURE)]
    assert sum(measured.planted[kind] for kind in measured.planted if kind.startswith(SURE)) > 20
    assert left == []


def test_names_of_others_and_addresses_are_covered_in_199_of_200(measured: Figures) -> None:
    others = [kind for kind in measured.planted if not kind.startswith(SURE)]
    assert sum(measured.planted[kind] for kind in others) > 10
    rates = {kind: measured.found[kind] / measured.planted[kind] for kind in others}
    assert all(rate >= 0.995 for rate in rates.values()), (rates, measured.missed[:20])


def test_clinical_words_survive(measured: Figures) -> None:
    assert measured.present["clinical words"] > 20
    rate = measured.kept["clinical words"] / measured.present["clinical words"]
    assert rate >= 0.99, measured.lost[:20]


def test_no_identifier_that_can_be_searched_for_is_left(known: Truth, done: pl.DataFrame) -> None:
    whole = done.select(pl.col("out").drop_nulls().unique())
    hits = whole.filter(pl.col("out").str.contains_any(known.searchable))
    assert len(known.searchable) > 10
    assert hits.height == 0, hits["out"].to_list()[:5]


def test_nothing_is_withheld_where_every_patient_is_known(done: pl.DataFrame) -> None:
    assert done["withheld"].sum() == 0


def test_few_texts_reach_the_analyzer(known: Truth, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    places = engines.Engine.places

    def counted(self: engines.Engine, text: str, wanted: list[str], seconds: float) -> object:
        asked.append(text)
        return places(self, text, wanted, seconds)

    monkeypatch.setattr(engines.Engine, "places", counted)
    started = time.process_time()
    texts = cleaned(known)["raw"].replace("", None).drop_nulls()
    ours = len(texts) / (time.process_time() - started)
    theirs = texts_per_second(texts.sample(min(2000, len(texts)), seed=1).to_list())
    print(
        f"\n{len(texts)} texts, {texts.n_unique()} distinct, {len(asked)} analysed; {ours:,.0f} texts/s/core, "
        f"plain Presidio with its own recognisers {theirs:,.0f} texts/s/core"
    )
    assert known.origin == "sample" or len(asked) < 0.03 * len(texts)
