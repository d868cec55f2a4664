"""The facilities' page in a real browser: a clerk's way from signing in to the receipt, with all that goes wrong."""

from __future__ import annotations

import random
import re
import time
import zipfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Request, expect, sync_playwright

from bench.page import QUIET, browser_path
from khlang.model.faults import catalogue
from khlang.receipts.words import STATES
from lakes import Lake

from .dashboard import MISSING_GLYPHS
from .portal_door import DESK, PHONE, Door, Heard, listen

pytestmark = pytest.mark.stack

HEAD = "HOSPCODE|PID|HID|NAME|LNAME|HN|CID|TELEPHONE|SEX|BIRTH|D_UPDATE"


@pytest.fixture(scope="module")
def door(stores: Lake) -> Iterator[Door]:
    stores.run("facilities", "load", str(files("khlang.catalog") / "facilities" / "sample.csv"))
    told = stores.run("facilities", "pass", "99001", "99002")
    passphrases = dict(line.split(": ") for line in told.splitlines())
    stores.run("up", "--only", "portal")
    expect.set_options(timeout=30_000)  # two busy cores
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path(), args=list(QUIET))
            yield Door(stores, browser, passphrases)
            browser.close()
    finally:
        stores.run("down", "--only", "portal")
        print((stores.home / "logs" / "portal.log").read_text("utf-8")[-4000:])


def sign_in(page: Page, door: Door, hospcode: str = "99001") -> None:
    page.goto(door.address)
    page.get_by_label("รหัสหน่วยบริการ").fill(hospcode)
    page.get_by_label("รหัสผ่าน").fill(door.passphrases[hospcode])
    page.keyboard.press("Enter")
    expect(page.locator("#send")).to_be_visible()


def person(number: int, **of: str) -> str:
    told = {"PID": f"{number:06d}", "CID": "", "SEX": "2", "BIRTH": "19800101", "more": ""} | of
    return (
        f"99001|{told['PID']}|1|สมหญิง|ทดสอบ|1|{told['CID']}||{told['SEX']}|{told['BIRTH']}|20261101083000"
        + told["more"]
    )


def zipped(folder: Path, second: int, rows: list[str], **more: bytes) -> Path:
    """A zip of PERSON with these rows, and other members stored as they are."""
    path = folder / f"F43_99001_202611011300{second:02d}.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("PERSON.txt", "\r\n".join([HEAD, *rows]) + "\r\n")
        for name, body in more.items():
            made.writestr(f"{name}.bin", body)
    return path


def receipt_of(page: Page) -> str:
    """The receipt number, once the page has come to it."""
    page.wait_for_url(re.compile("/receipts/R"), timeout=120_000)
    return page.url.rpartition("/")[2]


DROP = """async ([bytes, name]) => {
  const body = Uint8Array.from(atob(bytes), letter => letter.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([body], name, { type: 'application/zip', lastModified: 1 }));
  for (const kind of ['dragover', 'drop'])
    document.querySelector('.drop').dispatchEvent(
      new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: carried }));
}"""


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_a_clerk_drops_a_good_zip_and_gets_its_receipt(
    door: Door, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, viewport: dict[str, int]
) -> None:
    import base64

    path = zipped(tmp_path, viewport["width"] % 60, [person(viewport["width"])])
    with door.context(viewport=viewport) as context:
        page = context.new_page()
        heard = listen(page, door.address)
        sign_in(page, door)
        page.evaluate(DROP, [base64.b64encode(path.read_bytes()).decode(), path.name])
        receipt = receipt_of(page)
        text = page.inner_text("body")
        assert STATES["checked"]["th"] in text and path.name in text and "โรงพยาบาลตัวอย่าง" in text
        assert page.evaluate(MISSING_GLYPHS, text) == []
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, "the page is wider than the screen"
        page.screenshot(
            path=tmp_path_factory.getbasetemp() / f"receipt-{viewport['width']}.png", full_page=True
        )
        page.goto(door.address)
        expect(page.get_by_role("link", name=receipt)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
        assert heard == Heard()
    assert door.delivery(receipt).sender == "99001" and door.landed(receipt) == path.read_bytes()


def test_a_zip_full_of_faults_names_codes_lines_and_columns_in_thai(door: Door, tmp_path: Path) -> None:
    rows = [
        person(1, CID="1101700203451"), person(2), person(3, more="|x"), person(4, BIRTH="25280101"),
        person(5, CID="1101700203452"), person(6, SEX="9"),
    ]  # fmt: skip
    path = zipped(tmp_path, 1, rows, strange=b"x")
    with door.context() as context:
        page = context.new_page()
        sign_in(page, door)
        page.get_by_label("ลากไฟล์ zip").set_input_files(path)
        receipt_of(page)
        places = {
            "row.width": "PERSON · แถว 4", "date.buddhist": "PERSON · BIRTH · แถว 5",
            "code.unknown": "PERSON · SEX · แถว 7", "file.unknown": "unknown-2 · ทั้งแฟ้ม",
        }  # fmt: skip
        for code, place in places.items():
            told = " ".join(page.get_by_role("region", name=code, exact=True).inner_text().split())
            assert place in told and catalogue()[code].th in told and catalogue()[code].fix_th in told
            assert catalogue()[code].en in told
        row = " ".join(page.locator("tbody tr").first.inner_text().split())
        assert row == "PERSON 6 5 1 1", "delivered, accepted, refused, repaired"
        text = page.inner_text("body")
        assert "1101700203451" not in text and "สมหญิง" not in text


def large(folder: Path, second: int) -> Path:
    """A zip of three pieces."""
    body = random.Random(second).randbytes(10 << 20)
    return zipped(folder, second, [person(100 + second)], picture=body)


def slowed(context: BrowserContext, page: Page, bytes_a_second: int) -> None:
    line = context.new_cdp_session(page)
    line.send("Network.enable")
    speed = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_a_second}
    line.send("Network.emulateNetworkConditions", speed)


def under_way(page: Page, above: int = 450) -> None:
    """So many thousandths have been sent (450: at least one piece was acknowledged), and not all."""
    until = time.monotonic() + 30
    while (at := page.evaluate("document.getElementById('bar').value")) <= above:  # the page forbids eval
        assert time.monotonic() < until, page.inner_text("#said")
        page.wait_for_timeout(30)
    assert at < 1000


def half_sent(context: BrowserContext, door: Door, path: Path) -> Page:
    """A page of a clerk who is signed in and whose upload is under way."""
    page = context.new_page()
    sign_in(page, door)
    slowed(context, page, 2 << 20)
    page.set_input_files("#zip", path)
    under_way(page)
    return page


def offsets_of(page: Page) -> list[int]:
    """Where each further piece of an upload begins; it fills while the page sends."""
    offsets: list[int] = []

    def _noted(asked: Request) -> None:
        if asked.method == "PATCH":
            offsets.append(int(asked.headers["upload-offset"]))

    page.on("request", _noted)
    return offsets


def test_a_killed_server_costs_nothing_that_was_acknowledged_and_the_page_goes_on_by_itself(
    door: Door, tmp_path: Path
) -> None:
    path = large(tmp_path, 2)
    with door.context() as context:
        page = half_sent(context, door, path)
        offsets = offsets_of(page)
        door.kill()
        expect(page.locator("#said")).to_contain_text("เครือข่ายขาดหาย", timeout=20_000)
        slowed(context, page, -1)
        door.up()
        receipt = receipt_of(page)
    assert offsets and offsets[0] > 0, "it began again from the start"
    assert door.landed(receipt) == path.read_bytes()


def test_a_page_that_was_closed_goes_on_where_it_stopped_when_the_same_file_is_chosen(
    door: Door, tmp_path: Path
) -> None:
    path = large(tmp_path, 3)
    with door.context() as context:
        page = half_sent(context, door, path)
        page.close(run_before_unload=False)
        page = context.new_page()
        page.goto(door.address)
        expect(page.get_by_text("ส่งค้างอยู่")).to_be_visible()
        offsets = offsets_of(page)
        page.set_input_files("#zip", path)
        receipt = receipt_of(page)
    assert offsets and offsets[0] > 0, "it began again from the start"
    assert door.landed(receipt) == path.read_bytes()


def test_another_facility_can_not_open_a_receipt_by_changing_the_address(door: Door, tmp_path: Path) -> None:
    path = zipped(tmp_path, 4, [person(4000)])
    with door.context() as one, door.context() as other:
        own, foreign = one.new_page(), other.new_page()
        sign_in(own, door)
        own.set_input_files("#zip", path)
        receipt = receipt_of(own)
        sign_in(foreign, door, "99002")
        assert receipt not in foreign.inner_text("body")
        for place in ("", "/page", "/json"):
            answer = foreign.goto(f"{door.address}/receipts/{receipt}{place}")
            assert answer is not None and answer.status == 404
            assert "ไม่พบหน้านี้" in foreign.inner_text("body") and path.name not in foreign.content()


def test_without_scripts_a_plain_form_does_it_too(door: Door, tmp_path: Path) -> None:
    path = zipped(tmp_path, 5, [person(5000)])
    with door.context(java_script_enabled=False) as context:
        page = context.new_page()
        sign_in(page, door)
        page.get_by_label("ลากไฟล์ zip").set_input_files(path)
        page.get_by_role("button", name="ส่งไฟล์").click()
        receipt = receipt_of(page)
    assert door.landed(receipt) == path.read_bytes()


def test_an_upload_is_called_off_by_keyboard(door: Door, tmp_path: Path) -> None:
    path = large(tmp_path, 6)
    with door.context() as context:
        page = context.new_page()
        sign_in(page, door)
        slowed(context, page, 1 << 20)
        page.set_input_files("#zip", path)
        under_way(page, above=0)
        page.get_by_role("button", name="ยกเลิก").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#said")).to_contain_text("ยกเลิกการส่งแล้ว")
        slowed(context, page, -1)
        until = time.monotonic() + 10
        while page.goto(door.address) and page.get_by_text("ส่งค้างอยู่").count():
            assert time.monotonic() < until, "it is still open"


def test_signing_out_ends_it(door: Door) -> None:
    with door.context() as context:
        page = context.new_page()
        sign_in(page, door)
        page.get_by_role("button", name="ออกจากระบบ").click()
        expect(page.get_by_label("รหัสผ่าน")).to_be_visible()
        page.goto(door.address)
        assert page.url.endswith("/sign-in")
