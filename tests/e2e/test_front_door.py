"""The front door as a clerk uses it: the command, its words, its exit codes."""

from __future__ import annotations

import io
import json
import zipfile
from importlib.resources import files
from pathlib import Path

import pytest

from khlang.model.faults import catalogue
from lakes import Lake

pytestmark = pytest.mark.stack

MEMBERS = {"PERSON.txt": b"HOSPCODE|PID|NAME\n99001|1|x\n", "1101700203451.pdf": b"%"}


@pytest.fixture(scope="module")
def registered(stores: Lake) -> Lake:
    """A lake that knows the facilities of the sample."""
    sample = files("khlang.catalog") / "facilities" / "sample.csv"
    told = stores.run("facilities", "load", str(sample))
    assert "added" in told
    return stores


def _zip(folder: Path, name: str, members: dict[str, bytes]) -> Path:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as made:
        for member, content in members.items():
            made.writestr(member, content)
    path = folder / name
    path.write_bytes(body.getvalue())
    return path


def test_the_registry_is_loaded_listed_and_loaded_again_without_a_change(registered: Lake) -> None:
    sample = str(files("khlang.catalog") / "facilities" / "sample.csv")
    assert "0 added, 0 changed, 3 unchanged" in registered.run("facilities", "load", sample)
    listed = registered.json_lines("facilities", "list")
    assert {"99001", "99002", "99003"} <= {row["hospcode"] for row in listed}


def test_a_registry_with_a_fault_is_refused_by_line_and_column(registered: Lake, tmp_path: Path) -> None:
    wrong = tmp_path / "facilities.csv"
    sample = (files("khlang.catalog") / "facilities" / "sample.csv").read_text("utf-8")
    wrong.write_text(sample.replace(",50,", ",5,", 1), "utf-8")
    registered.run("facilities", "load", str(wrong), expect=[3])


def test_a_zip_is_delivered_and_its_receipt_asked_for(registered: Lake, tmp_path: Path) -> None:
    path = _zip(tmp_path, "F43_99001_20261101120000.zip", MEMBERS)
    (told,) = registered.json_lines("deliver", str(path))
    assert (told["zip"], told["facility"], told["state"], told["code"]) == (
        path.name,
        "99001",
        "checked",
        None,
    )
    asked = registered.run("receipt", told["receipt"], "--json")
    assert json.loads(asked) == {
        "zip": path.name, "facility": "99001", "state": "checked", "code": None,
        "members": [
            {"member": "PERSON.txt", "table": "PERSON", "codes": [], "delivered": None, "accepted": None,
             "refused": None, "faults": []},
            {"member": "unknown-2", "table": None, "codes": ["file.unknown"], "delivered": None, "accepted": None,
             "refused": None, "faults": []},
        ],
    }  # fmt: skip
    shown = registered.run("receipt", told["receipt"], "--lang", "th")
    assert told["receipt"] in shown and "ตรวจผ่าน รอนำเข้า" in shown and "1101700203451" not in shown


def test_a_facilitys_deliveries_are_listed_newest_first_for_people_and_machines(
    registered: Lake, tmp_path: Path
) -> None:
    numbers = []
    for second in (40, 41):
        path = _zip(tmp_path, f"F43_99003_202611011200{second}.zip", {f"{second}.txt": b"x"})
        (told,) = registered.json_lines("deliver", str(path))
        numbers.append(told["receipt"])
    listed = registered.json_lines("receipts", "99003")
    assert [row["receipt"] for row in listed][:2] == numbers[::-1]
    assert {row["facility"] for row in listed} == {"99003"}
    assert set(listed[0]) == {
        "receipt", "zip", "facility", "arrived_at", "state", "code", "duplicate_of", "files", "delivered",
        "accepted", "refused",
    }  # fmt: skip
    assert (listed[0]["state"], listed[0]["files"], listed[0]["delivered"]) == ("checked", 1, None)
    shown = registered.run("receipts", "99003")
    assert all(number in shown for number in numbers) and "ตรวจผ่าน รอนำเข้า" in shown
    page = tmp_path / "list.html"
    registered.run("receipts", "99003", "--html", str(page))
    assert all(number in page.read_text("utf-8") for number in numbers)
    assert registered.json_lines("receipts", "54321") == []


def test_a_receipt_and_a_check_are_written_as_pages(registered: Lake, tmp_path: Path) -> None:
    own = MEMBERS | {"HOME.txt": b"HOSPCODE|HID\n99001|1\n"}  # another content than the other tests
    path = _zip(tmp_path, "F43_99002_20261101120050.zip", own)
    (told,) = registered.json_lines("deliver", str(path))
    page = tmp_path / "receipt.html"
    registered.run("receipt", told["receipt"], "--html", str(page))
    text = page.read_text("utf-8")
    assert (
        told["receipt"] in text
        and "unknown-2" in text
        and "1101700203451" not in text
        and "<script" not in text
    )
    registered.run("check", str(path), "--html", str(page))
    text = page.read_text("utf-8")
    assert "row.facility" in text and "PERSON" in text and "ยังไม่ได้ส่ง" in text
    registered.run("check", str(path), str(path), "--html", str(page), expect=[2])


def test_a_folder_of_zips_is_delivered_and_a_refused_one_shows_in_the_exit_code(
    registered: Lake, tmp_path: Path
) -> None:
    _zip(tmp_path, "F43_99002_20261101120000.zip", MEMBERS)
    _zip(tmp_path, "1101700203451.zip", MEMBERS)
    told = registered.run("deliver", str(tmp_path), expect=[5])
    assert "zip.name" in told and "checked" in told and "1101700203451" not in told
    fault, squeezed = catalogue()["zip.name"], "".join(told.split())
    assert all(
        "".join(words.split()) in squeezed for words in (fault.en, fault.fix_en, fault.th, fault.fix_th)
    )


def test_a_delivery_is_withdrawn_once(registered: Lake, tmp_path: Path) -> None:
    path = _zip(tmp_path, "F43_99003_20261101120000.zip", {"PERSON.txt": b"HOSPCODE|PID\n99003|1\n"})
    (told,) = registered.json_lines("deliver", str(path))
    registered.run("withdraw", told["receipt"], "--cause", "wrong month")
    registered.run("withdraw", told["receipt"], "--cause", "wrong month", expect=[1])
    assert json.loads(registered.run("receipt", told["receipt"], "--json"))["state"] == "withdrawn"


def test_an_unknown_receipt_and_a_missing_file_are_named(registered: Lake, tmp_path: Path) -> None:
    for asked in (("receipt", "nonsense"), ("withdraw", "nonsense", "--cause", "wrong month")):
        told = registered.told(*asked, expect=[2])
        assert (
            "receipt.unknown" in told and "ไม่พบใบรับเลขที่ nonsense" in told and "next: check the number" in told
        )
    gone = tmp_path / "gone.zip"
    assert str(gone) in registered.told("deliver", str(gone), expect=[2])


def test_what_a_hasty_hand_types_is_refused_with_the_next_step(registered: Lake, tmp_path: Path) -> None:
    path = _zip(tmp_path, "F43_99002_20261101120070.zip", MEMBERS)
    before = path.read_bytes()
    assert "html.name" in registered.told("check", "--html", str(path), str(path), expect=[2])
    assert path.read_bytes() == before, "the zip is not written over"
    assert "html.name" in registered.told("receipts", "99002", "--html", str(path), expect=[2])
    registry = tmp_path / "facilities.csv"
    registry.write_bytes("ชื่อ".encode("cp874"))
    assert "facilities.encoding" in registered.told("facilities", "load", str(registry), expect=[2])
    assert "withdraw.cause" in registered.told("withdraw", "R0000001-AAAAA", "--cause", " ", expect=[2])


def test_an_empty_inbox_is_nothing_new(registered: Lake) -> None:
    registered.run("run", "landing", expect=[99])


def test_keys_are_shown_by_id_and_age_and_never_by_their_bytes(registered: Lake) -> None:
    stored = json.loads((registered.home / "keys" / "keys.json").read_text())["keys"]
    told = registered.run("keys", "show") + registered.run("keys", "show", "--json")
    assert all(key["purpose"] in told and key["key"] not in told for key in stored)
    assert not any(key["key"][:12] in told for key in stored)
