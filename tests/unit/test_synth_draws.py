"""Invented numbers and words: right in form, impossible in what they say, the same for the same seed."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from khlang.commands import synth
from khlang.errors import SettingsError
from khlang.model.codes import codes_of
from khlang.synth import identity, job
from khlang.synth.facilities import facilities, upward
from khlang.synth.plan import FaultRate, Plan
from khlang.synth.words import diagnoses, drugs, rows, season, tables, weighted

SMALL = Plan(facilities=4, months=2, persons=60, start=date(2026, 9, 1), faults="many")


def digest(folder: Path) -> str:
    """One number for every name and byte under a folder."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            total.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return total.hexdigest()


def test_the_worked_example_of_the_standard_gets_its_check_digit() -> None:
    assert identity.check_digit(np.array([123456789012])).tolist() == [1]


def test_citizen_ids_name_a_province_that_does_not_exist() -> None:
    numbers = identity.citizen_ids(np.array([1, 3, 0]), np.array([0, 1, 2]), seed=5)
    assert numbers.str.len_chars().to_list() == [13, 13, 13]
    assert numbers.str.slice(1, 2).unique().to_list() == ["99"]
    assert "99" not in codes_of("provinces")


def test_running_numbers_never_give_one_citizen_id_twice() -> None:
    count = 200_000
    numbers = identity.citizen_ids(np.full(count, 1), np.arange(count), seed=3)
    assert numbers.n_unique() == count


def test_phones_lie_in_one_block() -> None:
    phones = identity.phones(np.arange(1000), seed=1)
    assert phones.str.contains("^0900[0-9]{6}$").all()
    assert phones.n_unique() == 1000


def test_a_season_is_a_year_of_months_around_one() -> None:
    for name in {row["season"] for row in rows("diagnoses")}:
        assert season(name).shape == (12,)
        assert season(name).mean() == pytest.approx(1)


def test_drawn_codes_follow_their_shares() -> None:
    drawn = weighted("a:90 b:10 :0").draw(np.random.default_rng(1), 5000)
    assert set(drawn.unique()) == {"a", "b"}
    assert 0.87 < (drawn == "a").sum() / 5000 < 0.93


def test_no_given_name_stands_in_a_clinical_text() -> None:
    words = tables("names")
    given = [
        start + end for start in words["given_male"] + words["given_female"] for end in words["given_end"]
    ]
    texts = [text for care in tables("cares").values() for text in care["complaints"]]
    texts += [text for said in tables("letters").values() for text in said]
    texts += drugs()["name_th"].to_list() + diagnoses()["name_th"].to_list()
    assert [(name, text) for name in given for text in texts if name in text] == []


def test_every_family_name_begins_with_a_word_for_invented() -> None:
    assert {"สมมุติ", "ตัวอย่าง", "จำลอง"} <= set(tables("names")["family_start"])


def test_cares_name_only_declared_drugs() -> None:
    named = {drug for care in tables("cares").values() for drug in care["drugs"]}
    assert named <= set(drugs()["drug"])


def test_diagnoses_name_only_declared_cares_and_notifiable_codes() -> None:
    assert set(diagnoses()["care"]) <= set(tables("cares"))
    assert set(diagnoses()["code506"]) - {""} <= codes_of("code506")


def test_vaccines_and_tests_are_codes_of_the_standard() -> None:
    assert {row["vaccine"] for row in rows("vaccines")} <= codes_of("vaccine")
    assert {row["labtest"] for row in rows("labs")} <= codes_of("labtest")


@pytest.mark.parametrize("count", [1, 5, 24, 100, 1000])
def test_facilities_have_codes_of_their_own_and_a_hospital_above(count: int) -> None:
    made = facilities(Plan(facilities=count))
    assert made.height == made["hospcode"].n_unique() == count
    assert made["hospcode"].str.contains("^[0-9]{5}$").all()
    for _, cluster in made.group_by("cluster"):
        above = upward(cluster)
        hospitals = [place for place, is_hospital in enumerate(cluster["hospital"]) if is_hospital]
        regions = [cluster["health_region"][place] for place in hospitals]
        first = [
            place
            for place, region in zip(hospitals, regions, strict=True)
            if regions.index(region) == hospitals.index(place)
        ]
        assert all(place is None or place in hospitals for place in above)
        assert [place for place in hospitals if above[place] is None] == first
        assert all(
            cluster["health_region"][place] == cluster["health_region"][row]
            for row, place in enumerate(above)
            if place is not None
        )


def test_the_default_set_spreads_over_four_regions_and_twelve_provinces() -> None:
    made = facilities(Plan())
    assert made["province"].n_unique() == 12
    assert made["health_region"].n_unique() == 4


def test_months_before_the_start_come_with_the_first_zip() -> None:
    plan = Plan(months=3, start=date(2026, 11, 1))
    days = np.array(["2025-01-01", "2026-11-30", "2026-12-01", "2027-01-31"], dtype="datetime64[D]")
    assert plan.month_of(days).tolist() == [0, 0, 1, 2]
    assert plan.end == date(2027, 1, 31)


@pytest.mark.parametrize("faults", ["none", "many"])
def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, faults: FaultRate) -> None:
    plan = Plan(facilities=3, months=2, persons=50, faults=faults)
    for name in ("one", "two"):
        job.run(plan, tmp_path / name)
    assert digest(tmp_path / "one") == digest(tmp_path / "two")


def test_another_seed_gives_other_people(tmp_path: Path) -> None:
    for seed in (1, 2):
        job.run(Plan(facilities=2, months=1, persons=50, seed=seed, faults="none"), tmp_path / str(seed))
    people = [
        pl.read_csv(tmp_path / str(seed) / "truth" / "persons.csv", infer_schema=False) for seed in (1, 2)
    ]
    assert not set(people[0]["cid"]) & set(people[1]["cid"])


def test_an_earlier_set_is_replaced_and_nothing_of_it_stays(tmp_path: Path) -> None:
    job.run(Plan(facilities=3, months=2, persons=40, seed=1), tmp_path / "again")
    job.run(Plan(facilities=2, months=1, persons=40, seed=2), tmp_path / "again")
    job.run(Plan(facilities=2, months=1, persons=40, seed=2), tmp_path / "new")
    assert digest(tmp_path / "again") == digest(tmp_path / "new")


def test_a_folder_with_other_zips_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "F43_99999_20261101083000.zip").write_bytes(b"someone's")
    with pytest.raises(SettingsError, match="no earlier invented set"):
        job.run(SMALL, tmp_path)
    assert (tmp_path / "inbox" / "F43_99999_20261101083000.zip").read_bytes() == b"someone's"


def test_the_command_writes_a_set_and_prints_its_rows(tmp_path: Path) -> None:
    app = typer.Typer()
    synth.register(app)
    app.callback()(lambda: None)
    asked = [
        "--facilities",
        "2",
        "--months",
        "1",
        "--persons",
        "50",
        "--start",
        "2026-10",
        "--faults",
        "none",
    ]
    done = CliRunner().invoke(app, ["synth", *asked, str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "PERSON" in done.output
    assert len(list((tmp_path / "out" / "inbox").rglob("F43_*_202611*.zip"))) == 2
