"""A receipt for people and for machines: every fault with its place, no value, both languages."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import pytest
from rich.cells import cell_len
from rich.console import Console

from khlang.commands.landing import registry_table
from khlang.commands.receipt_form import show
from khlang.lake.ledger.models import STATES as STATES_OF_THE_LEDGER
from khlang.model.contract import contracts
from khlang.model.facility import Facility
from khlang.model.faults import catalogue
from khlang.model.receipt import LineFault, MemberReceipt, Receipt
from khlang.receipts.view import Heading, view_of
from khlang.receipts.words import DRY, STATES, WORDS, Lang

FAULTS = (
    LineFault(9, "CID", "cid.checksum"), LineFault(2, None, "row.width"), LineFault(9, "BIRTH", "date.buddhist"),
    *(LineFault(line, "CID", "digits.thai") for line in range(11, 19)),
)  # fmt: skip
RECEIPT = Receipt(
    "F43_99001_20261101083000.zip", "99001", "current", None,
    (
        MemberReceipt("PERSON.txt", "PERSON", ("file.encoding",), 20, 19, 1, FAULTS),
        MemberReceipt("unknown-2", None, ("file.unknown",)),
    ),
)  # fmt: skip
HEADING = Heading("R0000012-7KQ4D", "รพ.ตัวอย่าง", datetime(2026, 11, 1, 20, 5, tzinfo=UTC))


def told(receipt: Receipt, *langs: Lang) -> str:
    console = Console(file=io.StringIO(), width=200)
    show(console, receipt, HEADING, langs)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_machines_get_exactly_the_agreed_form_with_faults_in_order() -> None:
    assert json.loads(json.dumps(RECEIPT.as_json())) == {
        "zip": "F43_99001_20261101083000.zip",
        "facility": "99001",
        "state": "current",
        "code": None,
        "members": [
            {
                "member": "PERSON.txt", "table": "PERSON", "codes": ["file.encoding"],
                "delivered": 20, "accepted": 19, "refused": 1,
                "faults": [
                    {"line": 2, "column": None, "code": "row.width"},
                    {"line": 9, "column": "BIRTH", "code": "date.buddhist"},
                    {"line": 9, "column": "CID", "code": "cid.checksum"},
                    *({"line": line, "column": "CID", "code": "digits.thai"} for line in range(11, 19)),
                ],
            },
            {
                "member": "unknown-2", "table": None, "codes": ["file.unknown"],
                "delivered": None, "accepted": None, "refused": None, "faults": [],
            },
        ],
    }  # fmt: skip


def test_people_see_number_place_time_state_and_each_code_with_its_sentence() -> None:
    text = told(RECEIPT, "th", "en")
    for part in (
        "R0000012-7KQ4D",
        "99001 รพ.ตัวอย่าง",
        "2026-11-02 03:05:00 +07 (Asia/Bangkok)",
        STATES["current"]["th"],
    ):
        assert part in text
    for code in ("row.width", "cid.checksum", "digits.thai", "file.encoding", "file.unknown"):
        assert code in text
        assert catalogue()[code].th[:20] in text and catalogue()[code].en[:20] in text
    assert "PERSON CID: 11, 12, 13, 14, 15 (+3)" in text


FOLDER = "F43_99001_20261101083000_a_long_name_of_a_folder/of_the_program/"


@pytest.mark.parametrize("langs", [("th", "en"), ("th",), ("en",)])
def test_every_file_of_the_standard_is_named_whole_on_a_terminal_of_80_columns(
    langs: tuple[Lang, ...],
) -> None:
    files = [*contracts(), "EXTRA"]
    known = [MemberReceipt(f"{FOLDER}{file}.txt", file, (), 123456, 123456, 0) for file in contracts()]
    strange = MemberReceipt(FOLDER.replace("/", "\\") + "EXTRA.pdf", None, ("file.unknown",))
    console = Console(file=io.StringIO(), width=80)
    show(
        console,
        Receipt("F43_99001_20261101083000.zip", "99001", "current", None, (*known, strange)),
        HEADING,
        langs,
    )
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert all(cell_len(line) <= 80 for line in lines)
    firsts = {line.split("│")[1].strip() for line in lines if line.startswith("│")}
    assert {file if file != "EXTRA" else "EXTRA.pdf" for file in files} <= firsts
    assert not any("folder" in line for line in lines)
    assert sum("123,456" in line for line in lines) == len(known)


def test_a_check_says_that_nothing_was_sent_and_shows_no_number_and_no_arrival() -> None:
    console = Console(file=io.StringIO(), width=80)
    show(console, Receipt("F43_99001_20261101083000.zip", "99001", "checked", None), Heading(), ["th", "en"])
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "nothing was sent" in text and STATES["checked"]["en"] not in text
    assert WORDS["receipt"]["en"] not in text and WORDS["arrived"]["en"] not in text


def test_the_registry_fits_a_terminal_of_80_columns_with_its_codes_whole() -> None:
    name = "โรงพยาบาลส่งเสริมสุขภาพตำบลตัวอย่างยาวมาก"
    one = Facility("99001", "EA0012345", name, "PHC", "18", "50", 13, "01", "02")
    console = Console(file=io.StringIO(), width=80)
    console.print(registry_table([one]))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert all(cell_len(line) <= 80 for line in lines) and not any("…" in line for line in lines)
    assert all(any(code in line for line in lines) for code in ("99001", "EA0012345", "PHC", "13 50 01 02"))


def test_a_check_has_words_for_each_of_its_ends() -> None:
    assert set(DRY) == {"checked", "rejected"}


@pytest.mark.parametrize(("lang", "other"), [("th", "en"), ("en", "th")])
def test_one_language_alone_shows_nothing_of_the_other(lang: Lang, other: Lang) -> None:
    text = told(RECEIPT, lang)
    assert STATES["current"][lang] in text and STATES["current"][other] not in text


def test_a_refused_zip_says_why_and_what_to_do() -> None:
    text = told(Receipt("R0000012-7KQ4D", None, "rejected", "zip.name"), "th", "en")
    fault = catalogue()["zip.name"]
    squeezed = "".join(text.split())
    assert "".join(fault.fix_th.split()) in squeezed and "".join(fault.fix_en.split()) in squeezed


def test_every_state_of_the_ledger_has_words() -> None:
    assert set(STATES) == set(STATES_OF_THE_LEDGER)


def test_a_blanked_value_of_the_key_is_told_to_refuse_its_row() -> None:
    faults = (LineFault(2, "PID", "text.too_long"), LineFault(3, "NATION", "code.unknown"))
    told = Receipt("F43_99001_20261101083000.zip", "99001", "checked", None,
                   (MemberReceipt("PERSON.txt", "PERSON", (), 2, 1, 1, faults),))  # fmt: skip
    first, second = {finding.code: finding for finding in view_of(told).findings}.values()
    assert (first.code, first.refuses(first.places[0])) == ("text.too_long", True)
    assert (second.code, second.refuses(second.places[0])) == ("code.unknown", False)
    console = Console(file=io.StringIO(), width=200)
    show(console, told, Heading(), ["en"])
    assert console.file.getvalue().count("part of the key") == 1  # type: ignore[attr-defined]
