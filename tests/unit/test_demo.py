"""Paths of invented zips -> where the demo puts them: none takes the place of another."""

from __future__ import annotations

from pathlib import Path

from khlang.commands.demo import inbox_key


def test_a_zip_that_is_sent_again_on_another_day_gets_a_place_of_its_own() -> None:
    name = "F43_43260_20261103160644.zip"
    first, again = inbox_key(Path("inbox/20261103") / name), inbox_key(Path("inbox/20261106") / name)
    assert first != again
    assert first.split("/")[0] == again.split("/")[0] == "43260"


def test_a_zip_without_a_facility_in_its_name_comes_from_nobody_in_particular() -> None:
    assert inbox_key(Path("inbox/20261104/export.zip")).startswith("other/")
