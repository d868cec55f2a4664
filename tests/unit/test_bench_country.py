"""A country's deliveries for measuring: alike for one seed, persons of their own, a second day like the first."""

from __future__ import annotations

import zipfile
from pathlib import Path

import polars as pl
import pytest

from bench.country import Country, Made, deliver, registry
from bench.units import Unit, units
from khlang.conform.check import valid_cid
from khlang.model.facility import facilities


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> list[Unit]:
    return units(tmp_path_factory.mktemp("units") / "set", persons=28, facilities=8, months=2, seed=3)


def _made(folder: Path, day: int, templates: list[Unit]) -> Made:
    return deliver(Country(zips=4, copies=20), day, folder, templates)


def _member(zip_path: Path, file: str) -> list[bytes]:
    with zipfile.ZipFile(zip_path) as zipped:
        return zipped.read(f"{file}.txt").splitlines()[1:]


def _cids(zip_path: Path) -> set[str]:
    with zipfile.ZipFile(zip_path) as zipped:
        if "PERSON.txt" not in zipped.namelist():
            return set()
        header, *lines = zipped.read("PERSON.txt").decode("cp874", errors="replace").splitlines()
    at = [name.strip().upper() for name in header.split("|")].index("CID")
    fields = [line.split("|") for line in lines]
    return {
        values[at] for values in fields if len(values) > at and len(values[at]) == 13 and values[at].isdigit()
    }


def test_one_seed_gives_the_same_bytes(tmp_path: Path, templates: list[Unit]) -> None:
    for name in ("one", "two"):
        _made(tmp_path / name, 0, templates)
    ones = sorted((tmp_path / "one").iterdir())
    assert len(ones) == 4
    assert [path.read_bytes() for path in ones] == [(tmp_path / "two" / p.name).read_bytes() for p in ones]


def test_persons_are_nobody_elses_and_their_numbers_are_right(tmp_path: Path, templates: list[Unit]) -> None:
    _made(tmp_path / "day", 0, templates)
    first, second = sorted(map(_cids, (tmp_path / "day").iterdir()), key=len)[-2:]
    valid = pl.DataFrame({"cid": sorted(first)}).select(valid_cid(pl.col("cid"))).to_series()
    assert len(first) > 20
    assert valid.mean() > 0.9  # some are wrong on purpose: planted faults
    of_right = set(pl.Series(sorted(first)).filter(valid))
    assert not of_right & second


def test_a_second_day_repeats_most_and_brings_new_rows(tmp_path: Path, templates: list[Unit]) -> None:
    made = [_made(tmp_path / f"day{day}", day, templates) for day in (0, 1)]
    days = [
        [set(_member(path, "SERVICE")) for path in sorted((tmp_path / f"day{day}").iterdir())]
        for day in (0, 1)
    ]
    before, after = (set().union(*day) for day in days)
    assert 0.6 < len(before & after) / len(before) < 0.95
    assert after - before
    assert made[0].rows > 1000


def test_the_registry_of_a_country_is_one_that_khlang_takes(tmp_path: Path) -> None:
    registry(Country(zips=5), tmp_path / "facilities.csv")
    listed = facilities((tmp_path / "facilities.csv").read_text("utf-8"))
    assert [one.hospcode for one in listed] == Country(zips=5).hospcodes
