"""Receipts as pages: one file, both languages, every count and place, nothing of a hostile name gets through."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from khlang.lake.ledger import Delivery, SentZip
from khlang.model.bangkok import in_thai
from khlang.model.facility import Facility
from khlang.model.faults import catalogue
from khlang.model.receipt import LineFault, MemberReceipt, Receipt
from khlang.receipts.page import list_page, receipt_page
from khlang.receipts.view import LINES_SHOWN, Heading, view_from, view_of
from khlang.receipts.words import STATES

FAULTS = (
    LineFault(2, None, "row.width"), LineFault(9, "BIRTH", "date.buddhist"), LineFault(9, "CID", "digits.thai"),
    *(LineFault(line, "CID", "digits.thai") for line in range(11, 19)), LineFault(20, "CID", "cid.checksum"),
)  # fmt: skip
RECEIPT = Receipt(
    "F43_99001_20261101083000.zip", "99001", "current", None,
    (
        MemberReceipt("PERSON.txt", "PERSON", ("file.encoding",), 1234, 1233, 1, FAULTS),
        MemberReceipt("unknown-2", None, ("file.unknown",)),
    ),
)  # fmt: skip
ARRIVED = datetime(2026, 11, 1, 20, 5, tzinfo=UTC)
HEADING = Heading("R0000012-7KQ4D", "รพ.ตัวอย่าง", ARRIVED)
HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "'-->{{ 7*7 }}&amp;", "</style><b>"]


class Read(HTMLParser):
    """Elements, attributes and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, letters: str) -> None:
        self.texts.append(letters)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def test_a_page_tells_number_state_counts_codes_places_and_what_to_do_in_both_languages() -> None:
    read = Read(receipt_page(view_of(RECEIPT), HEADING))
    told = ["R0000012-7KQ4D", "99001 รพ.ตัวอย่าง", "2 พ.ย. 2569 เวลา 03:05 น.", *STATES["current"].values()]
    told += ["1,234", "1,233", "CID · แถว 9, 11, 12, 13, 14 อีก 4", "PERSON · แถว 2", "unknown-2 · ทั้งแฟ้ม"]
    for code in (
        "row.width",
        "digits.thai",
        "date.buddhist",
        "cid.checksum",
        "file.encoding",
        "file.unknown",
    ):
        fault = catalogue()[code]
        told += [code, fault.th, fault.en, fault.fix_th, fault.fix_en]
    assert [words for words in told if " ".join(words.split()) not in read.text] == []


def test_a_page_holds_all_it_needs_and_asks_nobody() -> None:
    page = receipt_page(view_of(RECEIPT), HEADING)
    read = Read(page)
    assert "script" not in read.tags and "link" not in read.tags and "style" in read.tags
    assert not {name for name, _ in read.attributes} & {"src", "href", "srcset", "action", "style"}
    assert not re.search(r"https?://|url\(|@import", page)


def test_rows_put_right_are_counted_once_however_often_they_were_mended() -> None:
    (person, unknown) = view_of(RECEIPT).files
    assert (person.delivered, person.accepted, person.refused, person.repaired) == (1234, 1233, 1, 9)
    assert unknown.repaired is None and view_of(RECEIPT).totals.repaired == 9


def test_a_withdrawn_delivery_does_not_claim_that_nothing_was_put_right() -> None:
    member = MemberReceipt("PERSON.txt", "PERSON", (), 10, 10, 0)
    (file,) = view_of(Receipt("a.zip", "99001", "withdrawn", None, (member,))).files
    assert file.repaired is None


def test_a_million_faults_make_a_short_page() -> None:
    faults = tuple(LineFault(line, "CID", "digits.thai") for line in range(2, 100_002))
    many = Receipt(
        "a.zip", "99001", "current", None, (MemberReceipt("P", "PERSON", (), 10**6, 10**6, 0, faults),)
    )
    (finding,) = view_of(many).findings
    assert (finding.times, len(finding.places[0].lines), finding.places[0].more) == (
        100_000,
        LINES_SHOWN,
        99_995,
    )
    assert len(receipt_page(view_of(many), HEADING)) < 40_000


def test_a_view_that_was_kept_comes_back_equal() -> None:
    assert view_from(asdict(view_of(RECEIPT))) == view_of(RECEIPT)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_text_and_nothing_else(name: str) -> None:
    members = (
        MemberReceipt(name, None, ("file.unknown",)),
        MemberReceipt(f"x/{name}", "PERSON", (), 1, 1, 0),
    )
    hostile = Receipt(name, "99001", "checked", None, members)
    quiet = Receipt(
        "a.zip", "99001", "checked", None, (MemberReceipt("a", None, ("file.unknown",)), members[1])
    )
    for heading in (Heading(), Heading("R1", name, ARRIVED)):
        read = Read(receipt_page(view_of(hostile), heading))
        plain = Read(receipt_page(view_of(quiet), Heading(heading.number, "a", heading.arrived_at)))
        assert read.tags == plain.tags and read.attributes == plain.attributes
    assert "49" not in read.text and " ".join(name.split()) in read.text


def sent(receipt: str, state: str = "current", code: str | None = None, name: str = "") -> SentZip:
    name = name or "F43_99001_20261101083000.zip"
    moment = datetime(2026, 11, 1, 8, 30)
    one = Delivery(
        receipt,
        1,
        ARRIVED,
        "99001",
        name,
        moment,
        moment,
        10,
        "a" * 64,
        "place",
        b"",
        1,
        state=state,
        code=code,
    )
    return SentZip(one, 3, 1234, 1200, 34) if state == "current" else SentZip(one, 0)


def test_a_facilitys_page_lists_its_deliveries_with_state_counts_and_code() -> None:
    facility = Facility("99001", "", HOSTILE[0], "P1", "18", "50", 1, "01", "01")
    page = list_page("99001", facility, [sent("R2"), sent("R1", "rejected", "zip.bomb", HOSTILE[1])])
    read = Read(page)
    for words in ("R2", "R1", "1,234", "1,200", "34", "zip.bomb", in_thai(ARRIVED), STATES["rejected"]["th"]):
        assert words in read.text
    assert read.text.index("R2") < read.text.index("R1")
    assert not {"script", "img", "a"} & set(read.tags) and HOSTILE[0] in read.text


def test_a_facility_that_sent_nothing_is_told_so() -> None:
    assert "ยังไม่มีรายการที่ส่ง" in Read(list_page("99001", None, [])).text
