"""A person is erased from a small lake: gone from every byte, others as they were, whatever is sent or killed after."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from sqlalchemy import text

from khlang.errors import StoreError
from khlang.lake.names import NameBooks
from khlang.lake.stores import boto
from khlang.lake.vault import Vault
from khlang.landing.door import Door
from khlang.landing.offer import Offer
from khlang.settings import PROJECT
from khlang.stewardship.proof import prove
from khlang.stewardship.subject import Asked
from lakes import Lake
from unit.erased_lake import (
    CHILD,
    CID,
    FIRST,
    NAME,
    OTHER,
    PERSON,
    SERVICE,
    SPELLED,
    Town,
    environment,
    person,
    sheet,
    town,
    visit,
    whole_town,
)
from unit.zips import zipped

__all__ = ["town"]
pytestmark = [pytest.mark.stack, pytest.mark.long]

TABLES = ("person", "service", "drugallergy", "refer_history", "care_refer")
LINE = ["_receipt", "_member", "_line", "_pass"]


def _state(town: Town, zone: str) -> dict[str, pl.DataFrame]:
    return {name: town.rows(f"{zone}.{name}") for name in TABLES}


def _pseudonyms(town: Town) -> list[str]:
    gone = town.ledger.tombstones()
    return sorted(gone.persons | gone.patients | gone.referrals)


def erased(town: Town, receipt: str, untouched: dict[str, bytes] = FIRST) -> None:
    """Nothing of the person is in the lake, in what landing can read, or in the name book."""
    assert town.places_of(*_pseudonyms(town), CID, SPELLED, NAME) == []
    left = town.zip(receipt)
    assert list(left) == list(untouched)
    for body in left.values():
        assert not any(
            word.encode(code) in body for word in (CID, SPELLED, NAME) for code in ("utf-8", "cp874")
        )
    assert NAME not in NameBooks(town.settings).read("99001").people["name"].to_list()


def test_the_person_is_gone_everywhere_and_everybody_else_is_as_before(town: Town) -> None:
    first = town.deliver("99001", FIRST)
    town.run("bronze", "silver")
    bronze, silver = _state(town, "bronze"), _state(town, "silver")
    assert town.places_of(town.person(), town.patient("P1")), "the search finds what is there"
    done = town.erase()
    assert done is not None and done.outcomes == {"redacted": 1} and done.books == 1
    erased(town, first.receipt)

    for name, before in bronze.items():
        after = town.rows(f"bronze.{name}")
        assert after.select(LINE).equals(before.select(LINE)), "every delivered line has its row"
        kept = after.join(after.filter(pl.col("_key").is_null()).select(LINE), on=LINE, how="anti")
        was = before.join(kept.select(LINE), on=LINE, how="semi")
        same = [
            c
            for c in after.columns
            if c not in ("_faults", *(("father", "_row") if name == "person" else ()))
        ]
        assert kept.select(same).equals(was.select(same)), name
        current = town.rows(f"silver.{name}")
        others = silver[name].join(current.select(LINE), on=LINE, how="semi")
        same = [c for c in current.columns if c not in ("father", "_row", "_batch")]
        assert current.select(same).equals(others.select(same)), name
    assert town.rows("silver.service")["_line"].to_list() == [2, 4]
    assert town.rows("silver.care_refer")["_line"].to_list() == [3]

    balance = {one.file: (one.delivered, one.accepted, one.refused) for one in town.ledger.balance()}
    assert (
        balance["SERVICE"] == (5, 2, 3)
        and balance["PERSON"] == (3, 2, 1)
        and balance["CARE_REFER"] == (2, 1, 1)
    )
    left = town.zip(first.receipt)["PERSON.txt"].split(b"\r\n")
    before_lines = FIRST["PERSON.txt"].split(b"\r\n")
    assert [at for at, line in enumerate(left) if line == before_lines[at]] == [0, 3, 4]
    assert prove(town.settings, town.ledger, [first.receipt], [CID]).zips == 1
    assert town.ledger.verify_audit() is None


def test_the_old_key_is_gone_and_old_name_books_are(town: Town) -> None:
    first = town.deliver("99001", FIRST)
    town.run("bronze", "silver")
    town.erase()
    now = town.ledger.delivery(first.receipt)
    assert now.wrapped_key != first.wrapped_key and now.place != first.place and now.sha256 == first.sha256
    client, bucket = boto(town.settings, "landing"), town.settings.bucket("landing")
    assert client.head_object(Bucket=bucket, Key=first.place), "the locked object is still there"
    with pytest.raises(StoreError):
        Vault(town.settings).reader(
            replace(first, wrapped_key=now.wrapped_key, key_version=now.key_version)
        ).read()
    with town.ledger.engine.connect() as connection:
        kept = connection.execute(text("select wrapped_key from delivery")).scalars().all()
    assert [bytes(key) for key in kept] == [now.wrapped_key], "no row holds the old key"
    versions: Any = client.list_object_versions(Bucket=bucket, Prefix="_names/99001/")
    assert len(versions["Versions"]) == 1 and not versions.get("DeleteMarkers")


def test_what_is_sent_again_stays_out_and_leaves_landing_too(town: Town) -> None:
    town.deliver("99001", FIRST)
    town.run("bronze", "silver")
    town.erase()
    again = town.deliver("99001", FIRST, "20261102083000")
    assert again.state == "duplicate"
    members = {
        "SERVICE.txt": sheet(SERVICE, visit("P1", "V9", CID), visit("P2", "V10", OTHER)),
        "PERSON.txt": sheet(PERSON, person("P1", CID, NAME)),
    }
    new = town.deliver("99001", members, "20261103083000")
    other = {"SERVICE.txt": sheet(SERVICE, visit("77", "W1", at="99002"), visit("78", "W2", at="99002"))}
    before = town.deliver("99002", other, "20261103083000")
    town.run("bronze", "silver")
    told = {"PERSON.txt": sheet(PERSON, person("77", CID, NAME, at="99002"), person("78", at="99002"))}
    behind = town.deliver("99002", told, "20261104083000")
    town.run("bronze", "silver")
    mine = [town.person(), town.patient("P1"), town.patient("77", "99002")]
    assert town.places_of(*mine[:2]) == [], "never accepted, not even for a moment"
    assert town.places_of(mine[2]), "who it was is only told by PERSON"
    done = town.pend(())
    assert done is not None and done.outcomes == {"shredded": 1, "redacted": 3}
    assert town.places_of(*mine, *_pseudonyms(town)) == []
    for delivery in (new, before, behind):
        left = b"".join(town.zip(delivery.receipt).values())
        assert b"<ERASED>" in left and CID.encode() not in left and b"|77|" not in left
    assert b"|78|W2|" in town.zip(before.receipt)["SERVICE.txt"]
    with pytest.raises(StoreError, match=r"vault\.shredded"):
        town.zip(again.receipt)
    assert town.pend(()) is None, "nothing is left to do"
    assert town.rows("silver.service").filter(pl.col("hospcode") == "99002")["_line"].to_list() == [3]


def test_a_redacted_delivery_read_again_gives_the_same_bronze(town: Town) -> None:
    first = town.deliver("99001", FIRST)
    town.run("bronze", "silver")
    town.erase()
    before = _state(town, "bronze")
    town.ledger.ask_again([first.receipt], "test")
    town.run("bronze", "silver")
    for name, rows in before.items():
        assert town.rows(f"bronze.{name}").equals(rows), name


def test_rejected_zips_are_redacted_when_they_can_be_read_and_shredded_when_not(town: Town) -> None:
    town.deliver("99001", FIRST)
    town.run("bronze", "silver")
    cut = town.deliver("99001", zipped(FIRST)[:-30], "20261105083000")
    offer = Offer("F43_99001_20261106083000.zip", cut.arrived_at, "99002", lambda: io.BytesIO(zipped(FIRST)))
    with Door(town.settings) as door:
        (foreign,) = door.take([offer])
    assert (cut.code, foreign.code) == ("zip.unreadable", "zip.sender")
    done = town.erase()
    assert done is not None and done.outcomes == {"redacted": 2, "shredded": 1}
    assert CID.encode() not in b"".join(town.zip(foreign.receipt).values())  # type: ignore[union-attr]
    with pytest.raises(StoreError, match=r"vault\.shredded"):
        town.zip(cut.receipt)


def test_a_patient_who_once_carried_the_id_by_mistake_stays(town: Town) -> None:
    wrong = {"PERSON.txt": sheet(PERSON, person("P1", CID, NAME), person("P4", CID, "ฟฟฟ"))}
    right = {
        "PERSON.txt": sheet(PERSON, person("P4", CHILD, "ฟฟฟ")),
        "SERVICE.txt": sheet(SERVICE, visit("P4", "V1")),
    }
    first = town.deliver("99001", wrong)
    town.deliver("99001", right, "20261102083000")
    town.run("bronze", "silver")
    town.erase()
    assert town.ledger.tombstones().spared == {town.patient("P4")}
    assert town.rows("silver.service").height == 1 and town.rows("silver.person").height == 1
    lines = town.zip(first.receipt)["PERSON.txt"].decode().split("\r\n")
    assert lines[1] == "<ERASED>" and lines[2] == wrong["PERSON.txt"].decode().split("\r\n")[2].replace(
        CID, ""
    )
    assert town.places_of(town.person()) == []


def test_one_patient_of_a_facility_is_erased_by_pseudonym(town: Town) -> None:
    first = town.deliver("99001", FIRST)
    town.run("bronze", "silver")
    town.erase(Asked(patient=town.patient("P3")), known=())
    assert town.places_of(town.patient("P3")) == []
    assert town.zip(first.receipt)["PERSON.txt"].count(b"<ERASED>") == 1


@pytest.fixture
def alone(own_stores: Lake) -> Iterator[Town]:
    """The lake of a stack itself, with the database that dashboards read: for the whole chain."""
    with whole_town(own_stores.settings) as made:
        yield made


def test_the_command_erases_through_gold_and_writes_a_certificate(alone: Town) -> None:
    first = alone.deliver("99001", FIRST)
    alone.run("bronze", "silver")
    told = {**os.environ, **environment(alone.settings), "PYTHONPATH": str(PROJECT / "jobs")}
    asked = ["erase", "--cause", "asked", "--asked-by", "office", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "khlang", *asked],
        env=told, cwd=PROJECT, input=f"{SPELLED}\n", capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    counts = json.loads(done.stdout.splitlines()[-1])
    assert counts["redacted"] == 1 and counts["zips"] == 1 and counts["lake_objects"] > 0
    erased(alone, first.receipt)
    folder = alone.settings.root / "certificates"
    texts = [path.read_text("utf-8") for path in folder.iterdir()]
    assert len(texts) == 2 and not any(
        one in text for text in texts for one in (CID, SPELLED, *_pseudonyms(alone))
    )
    assert CID not in done.stdout + done.stderr and SPELLED not in done.stdout + done.stderr
