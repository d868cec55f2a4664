"""The name book -> what must not stand in the text of a row: own, household's and facility's names and numbers."""

from __future__ import annotations

import polars as pl

from khlang.conform.text.names import Names
from khlang.conform.text.squeeze import squeezed
from khlang.conform.text.words import dictionary, latin

_NUMBERS = {
    "hn": "HN",
    "pid": "HN",
    "cid": "CID",
    "passport": "PASSPORT",
    "telephone": "PHONE",
    "mobile": "PHONE",
}
_SHORTEST_NUMBER = 5
"""Shorter own numbers look like measurements; behind HN they are found by their label."""
_SHORTEST_FOREIGN_NUMBER = 7
"""For numbers of other patients of the facility."""
_SHORTEST_NAME = 4
"""For names of other patients, standing alone."""


def _squeeze(frame: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """The columns squeezed."""
    return frame.with_columns(squeezed(frame[column]) for column in columns)


def _people_terms(people: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """Rows of people -> key, term, kind, part (full, given, family)."""
    people = _squeeze(people, ["name", "lname"])
    parts = {"full": pl.col("name") + pl.col("lname"), "given": pl.col("name"), "family": pl.col("lname")}
    return pl.concat(
        people.select(*key, term.alias("term"), pl.lit("NAME").alias("kind"), pl.lit(part).alias("part"))
        for part, term in parts.items()
    )


def _number_terms(people: pl.DataFrame, key: list[str], numbers: dict[str, str]) -> pl.DataFrame:
    """Rows with numbers -> key, term, kind, part (number)."""
    people = _squeeze(people, list(numbers))
    return pl.concat(
        people.select(
            *key, pl.col(column).alias("term"), pl.lit(kind).alias("kind"), pl.lit("number").alias("part")
        )
        for column, kind in numbers.items()
    )


def _long_enough(terms: pl.DataFrame, number: int, name: int) -> pl.DataFrame:
    """Terms that say something, each once."""
    length = pl.col("term").str.len_chars()
    telling = pl.when(pl.col("part") == "number").then(length >= number).otherwise(length >= name)
    return terms.filter(telling).unique(maintain_order=False)


def own_terms(patients: pl.DataFrame, names: Names) -> pl.DataFrame:
    """Patients (hospcode, pid) -> hospcode, pid, term, kind, part: their own and their household's."""
    key = ["hospcode", "pid"]
    people = names.people.join(patients, on=key, how="semi")
    houses = people.filter(pl.col("hid").is_not_null()).select(*key, "hid").unique()
    household = names.people.drop("pid").join(houses, on=["hospcode", "hid"])
    homes = names.homes.join(houses, on=["hospcode", "hid"])
    home_numbers = {"house_id": "ADDRESS", "telephone": "PHONE"}
    found = pl.concat([
        _people_terms(people, key), _number_terms(people, key, _NUMBERS),
        _people_terms(household, key), _number_terms(homes, key, home_numbers),
    ])  # fmt: skip
    return _long_enough(found, _SHORTEST_NUMBER, 2)


def facility_terms(hospcodes: pl.Series, names: Names) -> pl.DataFrame:
    """hospcode, term, kind, part of every patient and member of staff of the facilities.

    A given or family name alone counts only when it is no word of the dictionary: the rest needs both.
    """
    key = ["hospcode"]
    mine = pl.col("hospcode").is_in(hospcodes.unique().implode())
    people, staff = names.people.filter(mine), names.staff.filter(mine)
    named = pl.concat([people.select("hospcode", "name", "lname"), staff.select("hospcode", "name", "lname")])
    numbers = pl.concat([_number_terms(people, key, _NUMBERS), _number_terms(staff, key, {"provider": "ID"})])
    terms = _people_terms(named.unique(), key)
    common = pl.Series(sorted(dictionary() | latin())).implode()
    telling = (pl.col("part") == "full") | (
        ~pl.col("term").is_in(common) & ~pl.col("term").str.contains("^[a-z]")
    )
    found = pl.concat([terms.filter(telling), numbers])
    return _long_enough(found, _SHORTEST_FOREIGN_NUMBER, _SHORTEST_NAME)
