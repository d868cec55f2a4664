"""The canary set is what it claims: all files, all columns, every way; and it finds a leak of the door at once."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from khlang.conform import deidentify
from khlang.conform.actions import drop, keep, pseudonym, scrub
from khlang.conform.conform import Rules, conform
from khlang.conform.member import Member
from khlang.conform.people import TELLING, names_of
from khlang.conform.pseudonym import Pseudonymiser
from khlang.conform.unpack import verify
from khlang.lake.scan.canaries import Canaries as Searched
from khlang.lake.scan.report import Hit
from khlang.lake.scan.search import Search
from khlang.model.contract import contracts
from khlang.model.policy import policy
from khlang.prove.ground import free_base_port
from khlang.prove.places import grouped, place_of
from khlang.settings import Settings
from khlang.synth.canaries import is_hidden, spelled
from khlang.synth.canary_zips import FACILITIES, Canaries, invent, invent_few

LIMITS = Settings()  # type: ignore[call-arg]
FILES = ("PERSON", "DRUGALLERGY", "CARE_REFER")
"""A file with names, one with a coded column and a text, one with texts of no patient."""


@pytest.fixture(scope="module")
def few() -> Canaries:
    return invent_few(7)


@pytest.fixture(scope="module")
def bodies(few: Canaries) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(few.sent[0].content)) as packed:
        return {name.removesuffix(".txt"): packed.read(name) for name in packed.namelist()}


def test_every_file_of_the_standard_and_every_hidden_column_is_planted(
    few: Canaries, bodies: dict[str, bytes]
) -> None:
    assert bodies.keys() == contracts().keys()
    for file, contract in contracts().items():
        header, *rows = bodies[file].decode("utf-8", "replace").split("\r\n")
        cells = [row.split("|") for row in rows]
        for at, name in enumerate(header.split("|")):
            column = contract.column(name)
            if is_hidden(column) and column.privacy != "free_text" and (column.width or 13) >= 9:
                assert any(cell[at] in few.mint.made for cell in cells if len(cell) > at), f"{file}.{name}"


def test_every_kind_stands_in_every_column_where_it_does_not_belong() -> None:
    made = invent(7, 40)
    ways = {way for _, way in made.mint.made.values()}
    kinds = {kind for kind, _ in made.mint.made.values()}
    assert kinds == {"cid", "phone", "local", "name", "lname", "address", "email"}
    types = {f"in {c.type} column {c.privacy}" for one in contracts().values() for c in one.current}
    shifted = {f"shifted row, {way}" for way in ("more", "less", "both")}
    strange = {"zip comment", "extra field", "member's comment", "member's name", "unknown member", "zip's name",
               "column's name", "unknown column", "object's metadata", "key of the inbox", "media type",
               "wrong file", "truncated zip", "encrypted zip", "path in a zip", "unknown facility", "long note",
               "broken row", "repeated row", "refused row", "untold person", "note"}  # fmt: skip
    assert types | shifted | strange <= ways
    assert len(made.sent) > 20 and len(made.mint.made) > 40_000


def test_the_zips_are_taken_or_refused_as_meant(few: Canaries) -> None:
    codes = {verify(io.BytesIO(one.content), one.name, LIMITS).code for one in few.sent}
    assert codes == {None, "zip.name", "zip.unreadable", "zip.path", "zip.encrypted", "zip.bomb"}


def test_equal_seeds_give_equal_canaries_and_no_value_stands_twice(few: Canaries) -> None:
    assert invent_few(7).mint.made == few.mint.made
    assert (
        invent_few(8)
        .mint.made.keys()
        .isdisjoint(value for value, (kind, _) in few.mint.made.items() if kind == "local")
    )
    assert spelled("1234567890123")["dashed"] == "1-2345-67890-12-3"


def _leaks(bodies: dict[str, bytes], few: Canaries) -> list[str]:
    """Kinds of the canaries that stand in the bronze rows of three files."""
    deidentify.action.cache_clear()
    sent_at, keys, found = datetime(2026, 10, 2, 9), Pseudonymiser.throwaway(), []
    members = {
        file: Member("R1", at, "00901", sent_at, 1, body) for at, (file, body) in enumerate(bodies.items())
    }
    names = names_of({file: [members[file]] for file in TELLING})
    search = Search.of(Searched.of(few.mint.frame()))
    for file in FILES:
        rows = conform([members[file]], Rules(contracts()[file], policy("lake"), keys, names)).rows
        texts = rows.select(pl.col(pl.String, pl.Int64, pl.Decimal).cast(pl.String)).write_csv()
        found += [few.mint.made[search.canaries.values[one.index]][0] for one in search.find(texts.encode())]
    return found


@pytest.fixture
def restored() -> Iterator[None]:
    """Actions are looked up once: a changed one is forgotten with the test."""
    yield
    deidentify.action.cache_clear()


def test_the_door_keeps_every_canary_of_the_set_back(
    few: Canaries, bodies: dict[str, bytes], restored: None
) -> None:
    assert _leaks(bodies, few) == []


@pytest.mark.parametrize(("guard", "kinds"), [
    (pseudonym, {"cid", "local"}), (drop, {"name", "lname", "phone"}), (scrub, {"cid", "phone", "name", "email"}),
], ids=["pseudonym", "drop", "scrub"])  # fmt: skip
def test_without_an_action_the_set_finds_the_leak(
    guard: ModuleType, kinds: set[str], few: Canaries, bodies: dict[str, bytes], restored: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(guard, "apply", keep.apply)
    assert kinds <= set(_leaks(bodies, few))


def test_places_are_told_without_parts_and_paths(tmp_path: Path) -> None:
    assert place_of("s3://bronze/person/b1/part.parquet#cid", tmp_path) == "bronze.person.cid"
    assert place_of("s3://bronze/person/_delta_log/0.json", tmp_path) == "bronze.person _delta_log"
    assert place_of(f"{tmp_path}/logs/landing.log", tmp_path) == "logs/landing.log"
    assert place_of(f"{tmp_path}/lake/volume/1.dat!55#cid", tmp_path) == "lake/volume, column cid"
    hit = Hit("s3://bronze/person/a.parquet#cid", "cid+phone", "utf-8", 2, 1, 0, "0" * 8)
    assert [(one.place, one.kind, one.count) for one in grouped([hit, hit], tmp_path)] == [
        ("bronze.person.cid", "cid", 4), ("bronze.person.cid", "phone", 4)
    ]  # fmt: skip


def test_a_first_port_is_found_below_those_that_are_lent() -> None:
    assert 19_000 <= free_base_port() < 22_700 and len(FACILITIES) == 4
