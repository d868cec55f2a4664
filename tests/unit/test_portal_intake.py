"""From the last byte to the receipt: checked at once, handed over once, whatever dies in between."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
import requests

from khlang.lake.ledger import Delivery
from khlang.lake.locks import writer
from khlang.lake.vault import Vault
from khlang.landing.deliver import deliver
from khlang.landing.door import Door
from khlang.portal import checking
from khlang.portal.intake import Intake
from khlang.portal.upload import Upload
from khlang.portal.words import WORDS
from khlang.receipts.words import STATES

from .portal_site import HEAD, Clerk, Site, first, second, site, zip_body, zip_name
from .zips import zipped

__all__ = ["first", "second", "site"]
pytestmark = pytest.mark.stack


def sent(site: Site, body: bytes) -> list[Delivery]:
    """What the ledger holds of some bytes, given-up tries left out."""
    own = [each.delivery for each in site.ledger.sent_by("99001")]
    return [each for each in own if each.size == len(body) and landed(site, each) == body]


def landed(site: Site, delivery: Delivery) -> bytes:
    with Vault(site.settings).reader(delivery) as source:
        return source.read()


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


def test_a_zip_gets_its_result_and_its_receipt_and_its_bytes_lie_in_landing(site: Site, first: Clerk) -> None:
    name, body = zip_name(), zip_body()
    number = first.send(name, body)
    receipt = first.receipt(number)
    delivery = site.ledger.delivery(receipt)
    assert (delivery.state, delivery.sender, delivery.name) == ("checked", "99001", name)
    assert landed(site, delivery) == body
    upload = site.uploads.find("99001", number)
    assert upload is not None and upload.done and not site.uploads.bytes_of(upload).exists()
    page = first.get(f"/receipts/{receipt}").text
    assert receipt in page and name in page and STATES["checked"]["th"] in page and "PERSON" in page
    assert WORDS["first_look"]["th"] in page and "required.missing" in page
    assert receipt in first.get("/").text


def test_a_zip_that_is_refused_says_why_at_once_and_for_ever(site: Site, first: Clerk) -> None:
    receipt = first.receipt(first.send(zip_name(), b"this is no zip"))
    assert site.ledger.delivery(receipt).code == "zip.unreadable"
    page = first.get(f"/receipts/{receipt}").text
    assert "zip.unreadable" in page and STATES["rejected"]["th"] in page


def test_another_facilitys_zip_is_refused_and_its_sender_keeps_the_receipt(
    site: Site, first: Clerk, second: Clerk
) -> None:
    receipt = first.receipt(first.send(zip_name("99002"), zip_body("99002")))
    delivery = site.ledger.delivery(receipt)
    assert (delivery.state, delivery.code, delivery.hospcode) == ("rejected", "zip.sender", "99002")
    assert "zip.sender" in first.get(f"/receipts/{receipt}").text
    assert second.get(f"/receipts/{receipt}").status_code == 404 and receipt not in second.get("/").text


def test_a_facility_sees_what_came_by_other_ways_and_nothing_of_another(
    site: Site, first: Clerk, second: Clerk, tmp_path: Path
) -> None:
    path = tmp_path / zip_name()
    path.write_bytes(zip_body())
    receipt = deliver(site.settings, path).receipt
    assert receipt in first.get("/").text and receipt not in second.get("/").text
    unknown = "R9999999-AAAAA"
    for place in ("", "/json", "/page"):
        assert first.get(f"/receipts/{receipt}{place}").status_code == 200
        shown, never = second.get(f"/receipts/{receipt}{place}"), second.get(f"/receipts/{unknown}{place}")
        assert (shown.status_code, shown.content) == (404, never.content)
        assert {**shown.headers, "date": ""} == {**never.headers, "date": ""}
    told = first.get(f"/receipts/{receipt}/json")
    assert told.json()["zip"] == path.name and "attachment" in told.headers["Content-Disposition"]
    nobody = Clerk(site.base)
    for place in ("/", f"/receipts/{receipt}", f"/receipts/{receipt}/json", "/uploads/" + "0" * 32):
        assert nobody.get(place, allow_redirects=False).headers["Location"] == "/sign-in"


def test_while_the_door_is_busy_the_zip_is_received_checked_and_waits(site: Site, first: Clerk) -> None:
    with writer(site.settings, "landing"):
        body = zip_body()
        number = first.send(zip_name(), body)
        until(lambda: (site.uploads.find("99001", number) or Upload).check is not None)
        page = first.get(f"/uploads/{number}").text
        assert WORDS["waiting"]["th"] in page and "required.missing" in page
        assert sent(site, body) == []
    first.receipt(number)
    assert len(sent(site, body)) == 1


def test_a_restart_in_the_middle_of_an_upload_loses_nothing(site: Site, first: Clerk) -> None:
    body = zip_body()
    number = first.begin(zip_name(), len(body)).json()["id"]
    assert first.patch(number, 0, body[:100]).status_code == 204
    site.restart()
    assert first.offset(number).headers["Upload-Offset"] == "100", "signed in still, and the bytes are there"
    assert first.patch(number, 100, body[100:]).status_code == 204
    assert landed(site, site.ledger.delivery(first.receipt(number))) == body


@pytest.mark.parametrize("at", ["whole", "received", "settled"])
def test_a_death_between_last_byte_and_receipt_leaves_nothing_lost_and_nothing_twice(
    site: Site, first: Clerk, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def _die(*_: object) -> None:
        raise Killed

    broken = {"whole": (Intake, "_hand_over"), "received": (Door, "_leave"), "settled": (Intake, "_taken")}
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    body = zip_body()
    with monkeypatch.context() as death:
        death.setattr(*broken[at], _die)
        number = first.send(zip_name(), body)
        until(lambda: not site.app.state.intake.alive)  # type: ignore[union-attr]
        assert requests.get(f"{site.base}/health", timeout=10).status_code == 503
        until(lambda: site.uploads.find("99001", number).checked)  # type: ignore[union-attr]
    assert site.uploads.find("99001", number).receipt is None  # type: ignore[union-attr]
    site.restart()
    receipt = first.receipt(number)
    assert [each.receipt for each in sent(site, body)] == [receipt]
    assert site.ledger.delivery(receipt).state == "checked"


def test_a_store_that_does_not_answer_makes_the_zip_wait_not_fail(
    site: Site, first: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from khlang.errors import StoreError

    tries = iter([True, True, False])
    real = Vault.put

    def _refuses(vault: Vault, delivery: Delivery, source: object) -> None:
        if next(tries, False):
            raise StoreError("store.write", "the store refused")
        real(vault, delivery, source)  # type: ignore[arg-type]

    monkeypatch.setattr(Vault, "put", _refuses)
    monkeypatch.setattr("khlang.portal.intake.PAUSES", (0.1,))
    body = zip_body()
    receipt = first.receipt(first.send(zip_name(), body))
    assert [each.receipt for each in sent(site, body)] == [receipt]


def test_a_zip_that_can_not_be_read_and_a_strangers_half_delivery_stop_nobody_elses(
    site: Site, first: Clerk, second: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from khlang.errors import StoreError

    def _fails(*_: object) -> None:
        raise StoreError("store.write", "a stranger's names could not be written")

    monkeypatch.setattr(Door, "finish", _fails)
    site.stop()
    lost = site.uploads.begin("99002", zip_name("99002"), 4)
    site.uploads.change(lost, state="whole", offset=4, whole_at=datetime.now(UTC))
    site.uploads.bytes_of(lost).unlink()
    site.start()
    receipt = first.receipt(first.send(zip_name(), zip_body()))
    assert site.ledger.delivery(receipt).state == "checked"
    site.uploads.drop(lost)


def test_a_check_whose_process_is_killed_is_asked_once_more(site: Site, tmp_path: Path) -> None:
    checks = checking.Checks(site.settings.model_copy(update={"upload_checks": 1}))
    path = tmp_path / "upload"
    path.write_bytes(zip_body())
    worker = checks._processes().submit(os.getpid).result(30)
    os.kill(worker, signal.SIGSTOP)
    asked = checks.ask(path, zip_name())
    time.sleep(0.2)
    assert not asked.done()
    os.kill(worker, signal.SIGKILL)
    assert asked.result(60)["state"] == "checked"
    checks.close()


def test_a_long_check_does_not_hold_up_the_end_of_the_page(site: Site) -> None:
    checks = checking.Checks(site.settings)
    checks._processes().submit(time.sleep, 600)
    until(lambda: checks._pool is not None and len(checks._pool._processes) > 0)
    working = [psutil.Process(number) for number in checks._pool._processes]  # type: ignore[union-attr]
    checks.close()
    until(lambda: not any(process.is_running() for process in working), seconds=10)


def test_a_check_that_fails_stops_neither_the_hand_over_nor_the_page(
    site: Site, first: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "look", _no_look)
    receipt = first.receipt(first.send(zip_name(), zip_body()))
    assert site.ledger.delivery(receipt).state == "checked"
    assert "required.missing" not in first.get(f"/receipts/{receipt}").text


def _no_look(*_: object) -> None:
    raise ValueError("1101700203451")


ODD = ["1101700203451.zip", "<script>alert(1)</script>.zip", "สมชาย ใจดี 0812345678.zip"]


@pytest.mark.parametrize("name", ODD)
def test_an_odd_name_stands_in_landing_only(
    site: Site, first: Clerk, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    inside = zipped({"1101700203451 <b>x</b>.txt": b"x", "PERSON.txt": f"{HEAD}\r\n".encode()})
    number = first.send(name, inside)
    pages = [first.get("/").text, first.get(f"/uploads/{number}").text]
    receipt = first.receipt(number)
    pages += [first.get(f"/receipts/{receipt}{place}").text for place in ("", "/json", "/page")]
    first.get(f"/{name}")
    first.get(f"/receipts/{name}")
    assert caplog.records
    said = "\n".join([*pages, *(record.getMessage() for record in caplog.records if "portal" in record.name)])
    assert not [
        part for part in ("1101700203451", "<script>alert", "สมชาย", "0812345678", "<b>x") if part in said
    ]
    assert site.ledger.delivery(receipt).code == "zip.name"


def test_a_member_with_an_odd_name_is_called_by_its_place(site: Site, first: Clerk) -> None:
    body = zipped({"1101700203451 <b>x</b>.txt": b"x", "PERSON.txt": f"{HEAD}\r\n".encode()})
    page = first.get(f"/receipts/{first.receipt(first.send(zip_name(), body))}").text
    assert "unknown-1" in page and "1101700203451" not in page and "<b>x" not in page


def test_every_answer_forbids_what_is_inline_or_from_elsewhere(site: Site, first: Clerk) -> None:
    for place in ("/", "/sign-in", "/health", "/nowhere", "/static/portal.js", "/static/receipt.css"):
        answer = first.get(place)
        policy = answer.headers["Content-Security-Policy"]
        assert (
            "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        )
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert not any(bad in answer.text for bad in ("<style", " style=", "<script>", "onclick=")), place
    assert first.get("/").headers["Cache-Control"] == "no-store"


def test_a_failure_shows_neither_its_message_nor_a_trace(
    site: Site, first: Clerk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def _fails(*_: object) -> None:
        raise ValueError("1101700203451")

    monkeypatch.setattr("khlang.portal.receipts.receipt_of", _fails)
    receipt = site.ledger.sent_by("99001")[0].delivery.receipt
    answer = first.get(f"/receipts/{receipt}")
    assert answer.status_code == 500 and WORDS["failed"]["th"] in answer.text
    said = answer.text + "\n".join(record.getMessage() for record in caplog.records)
    assert "ValueError" in said and "1101700203451" not in said and "Traceback" not in said
