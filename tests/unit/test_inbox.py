"""The inbox and what interrupts the door: zips put there by other means, objects that change, deaths."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from khlang.errors import StoreError
from khlang.lake.ledger import Delivery, Ledger
from khlang.lake.names import NameBooks
from khlang.lake.vault import Vault
from khlang.landing import job
from khlang.landing.deliver import deliver, deliver_all
from khlang.landing.door import Door, judge, place_of
from khlang.settings import Settings

from .landing_lake import facility, lake, ledger

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["lake", "ledger"]
pytestmark = pytest.mark.stack

HEAD = "HOSPCODE|PID|HID|NAME|LNAME|HN|CID|TELEPHONE|SEX|BIRTH|D_UPDATE"


from .test_door import _with, client, fresh, inbox, name_of, person, put, written


def test_the_inbox_is_taken_oldest_first_and_emptied(
    lake: Settings, client: S3Client, ledger: Ledger, inbox: set[str], tmp_path: Path
) -> None:
    late, early = name_of("99001", 90_000), name_of("99001", 80_000)
    for name in (late, early):
        put(client, lake, f"99001/{name}", fresh(tmp_path, name).read_bytes())
        time.sleep(1.1)  # the store tells the time of an upload in seconds
    put(client, lake, "99002/F43_upload.zip.part", b"half")
    done = job.run(lake)
    assert done is not None and (done.taken, done.checked, done.left) == (2, 2, 1)
    assert list(inbox) == ["99002/F43_upload.zip.part"]
    came = {d.name: d.arrival for d in ledger.deliveries() if d.name in (late, early)}
    assert came[late] < came[early], "arrival is the order of coming, not of the names"
    assert job.run(lake) is None


def test_a_zip_under_another_facilitys_prefix_is_refused(
    lake: Settings, client: S3Client, ledger: Ledger, inbox: set[str], tmp_path: Path
) -> None:
    path = fresh(tmp_path)
    for folder in ("99002", "99002/99001", "operator/99001"):
        put(client, lake, f"{folder}/{path.name}", path.read_bytes())
    done = job.run(lake)
    assert done is not None and (done.rejected, done.checked) == (2, 1)
    codes = [d.code for d in ledger.deliveries() if d.name == path.name]
    assert sorted(map(str, codes)) == ["None", "zip.sender", "zip.sender"]
    assert [d.sender for d in ledger.deliveries() if d.code == "zip.sender"] == ["99002", "99002"]


def test_an_object_that_changes_while_it_is_read_is_left_for_the_next_time(
    lake: Settings, client: S3Client, inbox: set[str], tmp_path: Path
) -> None:
    from khlang.landing.offer import from_inbox

    first, second = fresh(tmp_path), fresh(tmp_path)
    put(client, lake, f"99001/{first.name}", first.read_bytes())
    offers = from_inbox(lake).offers
    put(client, lake, f"99001/{first.name}", second.read_bytes())
    with Door(lake) as door:
        (failed,) = list(door.take(offers))
    assert not isinstance(failed, Delivery) and failed.error.code == "store.changed"
    done = job.run(lake)
    assert done is not None and done.checked == 1 and list(inbox) == []


def test_an_object_that_goes_or_is_replaced_after_the_look_is_not_lost(
    lake: Settings, client: S3Client, inbox: set[str], tmp_path: Path
) -> None:
    from khlang.landing.offer import from_inbox

    first, second, gone = fresh(tmp_path), fresh(tmp_path), fresh(tmp_path)
    put(client, lake, f"99001/{first.name}", first.read_bytes())
    put(client, lake, f"99001/{gone.name}", gone.read_bytes())
    kept, lost = sorted(from_inbox(lake).offers, key=lambda offer: offer.name != first.name)
    client.delete_object(Bucket=lake.bucket("inbox"), Key=f"99001/{gone.name}")
    put(client, lake, f"99001/{first.name}", second.read_bytes())
    kept.taken()
    assert list(inbox) == [f"99001/{first.name}"], "the newer content is not removed with the old one"
    with Door(lake) as door:
        (failed,) = list(door.take([lost]))
    assert not isinstance(failed, Delivery) and failed.error.code == "store.changed"


def test_what_a_dead_process_left_is_settled_from_landing_or_given_up(
    lake: Settings, ledger: Ledger, tmp_path: Path
) -> None:
    from khlang.landing.offer import examine, from_files

    with Door(lake) as door:
        stored, unstored, sent_by_other = (
            examine(offer, lake) for offer in from_files([fresh(tmp_path) for _ in range(3)])
        )
        rows = [door._delivery(found, ledger.arrivals(1)[0]) for found in (stored, unstored, sent_by_other)]
        rows[2] = _with(rows[2], sender="99002")
        ledger.receive(rows)
        for row, found in ((rows[0], stored), (rows[2], sent_by_other)):
            Vault(lake).put(row, found.open())
        settled = {d.receipt: (d.state, d.code) for d in door.finish()}
        assert settled == {rows[0].receipt: ("checked", None), rows[2].receipt: ("rejected", "zip.sender")}
        assert ledger.delivery(rows[1].receipt).state == "withdrawn"
        assert NameBooks(lake).read("99001").people.height > 0
        assert door.finish() == []


def test_one_zip_that_can_not_be_stored_does_not_stop_the_others(
    lake: Settings, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [fresh(tmp_path) for _ in range(5)]
    real = Vault.put

    def failing(vault: Vault, delivery: Delivery, source: io.BytesIO) -> None:
        if delivery.name == paths[2].name:
            raise StoreError("store.write", "the store refused a zip")
        real(vault, delivery, source)

    monkeypatch.setattr(Vault, "put", failing)
    with pytest.raises(StoreError, match=r"store\.write"):
        deliver_all(lake, paths)
    states = {d.name: d.state for d in ledger.deliveries() if d.name in {path.name for path in paths}}
    assert [states[path.name] for path in paths] == ["checked", "checked", "received", "checked", "checked"]
    monkeypatch.undo()
    assert deliver(lake, paths[2]).state == "checked"
    assert ledger.unsettled() == ()


def test_the_code_of_the_zip_answers_before_those_of_the_door() -> None:
    from khlang.conform.unpack import Verdict, zip_name

    named = zip_name("F43_99001_20261101083000.zip")
    registry = {"99001": facility("99001")}
    closed = {"99001": replace(facility("99001"), closed=date(2026, 9, 30))}
    for verdict, sender, known, code in (
        (Verdict(named, "zip.bomb"), "99002", {}, "zip.bomb"),
        (Verdict(named, None), "99002", {}, "zip.sender"),
        (Verdict(named, None), "99001", {}, "facility.unknown"),
        (Verdict(named, None), "99001", closed, "facility.unknown"),
        (Verdict(named, None), None, registry, None),
        (Verdict(None, "zip.name"), None, registry, "zip.name"),
    ):
        assert judge(verdict, sender, known, closed_days=31) == code
    assert place_of(None, "s", "R1") == "_unnamed/s/R1"
