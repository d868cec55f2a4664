"""The name book -> what must not stand in the text of a row: own, household's and facility's names and numbers."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from khlang.conform.text.names import Names
from khlang.conform.text.squeeze import squeezed
from khlang.conform.text.words import every_word

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


def _kept(names: Names, key: str, make: Callable[[], pl.DataFrame]) -> pl.DataFrame:
    """Worked out once per name book."""
    if key not in names.worked_out:
        names.worked_out[key] = make()
    return names.worked_out[key]


def _people(names: Names) -> pl.DataFrame:
    """Patients with squeezed names and numbers."""
    squeeze = ["name", "lname", *_NUMBERS]
    return _kept(
        names,
        "people",
        lambda: names.people.with_columns(pl.col("pid").alias("own_pid")).with_columns(
            squeezed(names.people[column]) for column in squeeze
        ),
    )


def _name_terms(people: pl.DataFrame, key: list[str]) -> list[pl.DataFrame]:
    """Rows of people -> key, term, kind, part (full, given, family)."""
    parts = {"full": pl.col("name") + pl.col("lname"), "given": pl.col("name"), "family": pl.col("lname")}
    return [
        people.select(*key, term.alias("term"), pl.lit("NAME").alias("kind"), pl.lit(part).alias("part"))
        for part, term in parts.items()
    ]


def _number_terms(rows: pl.DataFrame, key: list[str], numbers: dict[str, str]) -> list[pl.DataFrame]:
    """Rows with numbers -> key, term, kind, part (number)."""
    return [
        rows.select(
            *key, pl.col(column).alias("term"), pl.lit(kind).alias("kind"), pl.lit("number").alias("part")
        )
        for column, kind in numbers.items()
    ]


def _long_enough(terms: list[pl.DataFrame], number: int, name: int) -> pl.DataFrame:
    """Terms that say something, each once."""
    length = pl.col("term").str.len_chars()
    telling = pl.when(pl.col("part") == "number").then(length >= number).otherwise(length >= name)
    return pl.concat(terms).filter(telling).unique(maintain_order=False)


def own_terms(patients: pl.DataFrame, names: Names) -> pl.DataFrame:
    """Patients (hospcode, pid) -> hospcode, pid, term, kind, part: their own and their household's."""
    key = ["hospcode", "pid"]
    people = _people(names).join(patients.rename({"pid": "own_pid"}), on=["hospcode", "own_pid"], how="semi")
    mine = people.with_columns(pl.col("own_pid").alias("patient"))
    houses = mine.filter(pl.col("hid").is_not_null()).select("hospcode", "patient", "hid").unique()
    household = _people(names).join(houses, on=["hospcode", "hid"])
    homes = names.homes.join(houses, on=["hospcode", "hid"])
    homes = homes.with_columns(squeezed(homes["house_id"]), squeezed(homes["telephone"]))
    whose = ["hospcode", "patient"]
    found = [
        *_name_terms(mine, whose),
        *_number_terms(mine, whose, _NUMBERS),
        *_name_terms(household, whose),
        *_number_terms(homes, whose, {"house_id": "ADDRESS", "telephone": "PHONE"}),
    ]
    return _long_enough(found, _SHORTEST_NUMBER, 2).rename({"patient": key[1]})


def facility_terms(names: Names) -> pl.DataFrame:
    """hospcode, term, kind, part of every patient and member of staff in the book.

    A given or family name alone counts only when it is no word of the dictionary: the rest needs both.
    """
    return _kept(names, "facility", lambda: _facility_terms(names))


def _facility_terms(names: Names) -> pl.DataFrame:
    """The same, worked out."""
    key = ["hospcode"]
    staff, people = _staff(names), _people(names)
    named = pl.concat([people.select("hospcode", "name", "lname"), staff.select("hospcode", "name", "lname")])
    terms = pl.concat(_name_terms(named.unique(), key))
    alone = ~pl.col("term").is_in(every_word()) & ~pl.col("term").str.contains("^[a-z]")
    numbers = [*_number_terms(people, key, _NUMBERS), *_number_terms(staff, key, {"provider": "ID"})]
    found = [terms.filter((pl.col("part") == "full") | alone), *numbers]
    return _long_enough(found, _SHORTEST_FOREIGN_NUMBER, _SHORTEST_NAME)


def facility_couples(names: Names) -> pl.DataFrame:
    """hospcode, family, full of everybody in the book: a family name tells where a glued given name may end."""
    return _kept(names, "couples", lambda: _couples(names))


def _couples(names: Names) -> pl.DataFrame:
    """The same, worked out."""
    every = pl.concat([part.select("hospcode", "name", "lname") for part in (_people(names), _staff(names))])
    told = (
        every.select("hospcode", family="lname", full=pl.col("name") + pl.col("lname")).drop_nulls().unique()
    )
    return told.filter(pl.col("family").str.len_chars() >= _SHORTEST_NAME)


def _staff(names: Names) -> pl.DataFrame:
    """Members of staff with squeezed names and numbers."""
    squeeze = ("name", "lname", "provider")
    return _kept(
        names, "staff", lambda: names.staff.with_columns(squeezed(names.staff[column]) for column in squeeze)
    )
