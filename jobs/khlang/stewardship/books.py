"""The name books without the erased persons, and the citizen ids that the books tell of them."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from khlang.conform.erased import Tombstones
from khlang.conform.pseudonym import Pseudonymiser
from khlang.conform.repair import THAI_DIGITS
from khlang.conform.text.names import Names
from khlang.lake.names import NameBooks
from khlang.lake.stores import boto
from khlang.settings import Settings

_DIGITS = (list(THAI_DIGITS), list("0123456789"))


def _among(values: pl.Series, known: frozenset[str]) -> pl.Series:
    return values.is_in(pl.Series(sorted(known), dtype=pl.String).implode()).fill_null(False)


def _persons(names: Names, keys: Pseudonymiser) -> tuple[pl.Series, pl.Series]:
    """Pseudonyms of the persons and of the patients that the rows of a book are of."""
    people = names.people.with_columns(pl.col("cid", "pid").str.replace_many(*_DIGITS))
    return keys.of("person", people["cid"]), keys.of("patient", people["hospcode"] + ":" + people["pid"])


def thinner(names: Names, keys: Pseudonymiser, tombstones: Tombstones) -> Names:
    """A book without the erased persons; the very same book when none of them is in it."""
    if not names.people.height or not tombstones:
        return names
    person, patient = _persons(names, keys)
    named = _among(person, tombstones.persons)
    gone = _among(patient, tombstones.patients) | (named & ~_among(patient, tombstones.spared))
    if not named.any() and not gone.any():
        return names
    people = names.people.with_columns(pl.when(~named).then("cid").alias("cid")).filter(~gone)
    return replace(names, people=people, worked_out={})


def cids(names: Names, keys: Pseudonymiser, tombstones: Tombstones) -> set[str]:
    """The citizen ids of erased persons as the facility told them: by them landing is searched."""
    if not names.people.height or not tombstones.persons:
        return set()
    person, _ = _persons(names, keys)
    told = names.people["cid"].str.replace_many(*_DIGITS).filter(_among(person, tombstones.persons))
    return set(told.drop_nulls())


def rewrite_fragments(settings: Settings, hospcode: str, keys: Pseudonymiser, tombstones: Tombstones) -> int:
    """Each fragment of a facility's book without the erased persons; earlier versions of it go at once."""
    books, count = NameBooks(settings), 0
    for receipt in books.receipts(hospcode):
        told = books.of([(hospcode, receipt)])
        left = thinner(told, keys, tombstones)
        if left is not told:
            if any(part.height for part in (left.people, left.homes, left.staff)):
                books.write(hospcode, receipt, left.to_bytes())
            else:
                books.remove(hospcode, receipt)
            count += 1
    _forget_versions(settings, hospcode)
    return count


def _forget_versions(settings: Settings, hospcode: str) -> None:
    """The bucket keeps what was overwritten or removed (landing has versions): not of a name book."""
    client, bucket = boto(settings, "landing"), settings.bucket("landing")
    pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=f"_names/{hospcode}/")
    for page in pages:
        old = [one for one in page.get("Versions", []) if not one["IsLatest"]]
        old += page.get("DeleteMarkers", [])  # type: ignore[arg-type]
        for one in old:
            client.delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
