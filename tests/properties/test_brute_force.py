"""A district's citizen ids against stolen pseudonyms: a slice; `khlang prove brute-force` takes all of them."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from khlang.__main__ import discover
from khlang.conform.check import typed
from khlang.conform.faultlog import FaultLog
from khlang.conform.pseudonym import Pseudonymiser
from khlang.model.contract import contracts
from khlang.synth.brute_force import (
    ATTACKS,
    CONTROL,
    EACH,
    PREFIX,
    SPACE,
    Stolen,
    candidates,
    hits,
    holds,
    known,
    siege,
    stored,
)

SLICE = 20_000


def _people(count: int) -> Stolen:
    """People whose ids are all in the slice."""
    drawn = Stolen.drawn(count, 3)
    places = np.sort(np.random.default_rng(5).choice(SLICE, count, replace=False))
    ids = [candidates(np.array([place])).decode() for place in places]
    keyed = Pseudonymiser.throwaway().of("person", pl.Series(ids)).str.replace("^p0", "p1").to_list()
    plain = tuple(stored(hashlib.sha256(one.encode()).digest()) for one in ids)
    return replace(drawn, people=places, keyed=tuple(keyed), plain=plain)


def test_the_candidates_are_the_ids_of_one_district_with_their_check_digits() -> None:
    places = np.array([0, 1, EACH - 1, EACH, SPACE - 1])
    body = candidates(places).decode()
    ids = [body[at : at + 13] for at in range(0, len(body), 13)]
    assert [one[:12] for one in ids] == [
        f"1{PREFIX}0000000", f"1{PREFIX}0000001", f"1{PREFIX}9999999", f"2{PREFIX}0000000", f"8{PREFIX}9999999",
    ]  # fmt: skip
    column = next(column for column in contracts()["PERSON"].columns if column.name == "CID")
    log = FaultLog()
    assert typed(column, pl.Series(ids), log, False).to_list() == ids and not log.codes


def test_a_slice_of_the_space_finds_nobody_without_the_key_and_everybody_by_a_plain_hash() -> None:
    tried = siege(_people(500), SLICE, SLICE, 1)
    assert len(tried) == 1 + len(ATTACKS) and holds(tried)
    control, *keyed = tried
    assert (control.people, control.found) == (500, 500)
    assert {one.people for one in keyed} == {500} and not any(one.found for one in keyed)


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_finds_a_table_that_was_made_so(attack: str) -> None:
    guess = ATTACKS[attack]()
    ids = [candidates(np.array([place])) for place in range(0, SLICE, 1000)]
    assert hits(attack, known([stored(guess(one)) for one in ids]), 0, SLICE) == len(ids)


def test_a_key_that_was_guessed_or_a_control_that_does_not_fall_is_no_proof() -> None:
    tried = siege(_people(5), SLICE, 2000, 1)
    assert holds(tried)
    assert not holds([*tried, replace(tried[1], found=1)])
    assert not holds([replace(tried[0], found=tried[0].people - 1), *tried[1:]])
    assert not holds([replace(tried[0], people=0, found=0), *tried[1:]]) and not holds(tried[1:])


def test_the_stolen_pseudonyms_have_the_form_of_the_lake_and_differ_from_the_control() -> None:
    stolen = Stolen.drawn(50, 1)
    assert all(len(one) == 25 and one.startswith("p1.") for one in (*stolen.keyed, *stolen.plain))
    assert not known(stolen.keyed) & known(stolen.plain)


def test_the_command_spreads_over_processes_and_says_what_it_tried() -> None:
    sizes = {"--people": "4000", "--control": "300000", "--candidates": "2000", "--workers": "2"}
    words = ["prove", "brute-force", *(word for pair in sizes.items() for word in pair)]
    told = CliRunner().invoke(discover(), words)
    assert told.exit_code == 0 and told.output.splitlines()[-1] == "proved", told.output
    assert told.output.count("ids,") == 1 + len(ATTACKS) and f"{CONTROL:<30} on plain" in told.output
