"""Known values are found in every spelling, by whole numbers, across windows; clean bytes give nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from khlang.errors import SettingsError
from khlang.lake.scan import report as reports
from khlang.lake.scan.canaries import Canaries
from khlang.lake.scan.digits import plain_digits
from khlang.lake.scan.report import Source, found_in

from .planted import CID, EMAIL, HN, LATIN, NAME, PASSPORT, PHONE, SURNAME, VALUES, canaries, report, search

THAI = str.maketrans("0123456789", "๐๑๒๓๔๕๖๗๘๙")
WIDE = str.maketrans("0123456789", "０１２３４５６７８９")
SEARCH = search()

SPELLED: dict[str, Callable[[str], bytes]] = {
    "utf-8": lambda value: value.encode(),
    "cp874": lambda value: value.encode("cp874"),
    "utf-16le": lambda value: value.encode("utf-16-le"),
    "utf-16be": lambda value: value.encode("utf-16-be"),
    "base64 at 0": lambda value: base64.b64encode(value.encode()),
    "base64 at 1": lambda value: base64.b64encode(b"." + value.encode()),
    "base64 at 2": lambda value: base64.b64encode(b".." + value.encode()),
    "base64 of cp874": lambda value: base64.b64encode(b"." + value.encode("cp874")),
    "base64 of addresses": lambda value: base64.urlsafe_b64encode(b"\xfb\xff\xfe" + value.encode()),
    "base64 in lines": lambda value: base64.encodebytes(b"-" * 50 + value.encode()),
    "hex": lambda value: value.encode().hex().encode(),
    "hex in capitals": lambda value: b"A" + value.encode().hex().upper().encode(),
    "hex of cp874": lambda value: value.encode("cp874").hex().encode(),
}
ESCAPED: dict[str, Callable[[str], bytes]] = {
    "json": lambda value: json.dumps(value).encode(),
    "json in json": lambda value: json.dumps(json.dumps(value)).encode(),
    "address": lambda value: quote(value).encode(),
    "python": lambda value: repr(value.encode()).encode(),
    "python, cp874": lambda value: repr(value.encode("cp874")).encode(),
}


def _kinds(content: bytes) -> set[str]:
    return {SEARCH.kinds[found.index] for found in SEARCH.find(content)}


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("spelling", SPELLED)
def test_a_value_is_found_in_every_spelling(kind: str, spelling: str) -> None:
    spelled = SPELLED[spelling](VALUES[kind])
    for before, behind in ((b"", b""), (b"id=", b"|"), (b"\x1f\x03", b"\n\x1f\x03"), (b'{"note":"', b'"}')):
        assert kind in _kinds(before + spelled + behind), before


@pytest.mark.parametrize("kind", ["full_name", "lname", "email"])
@pytest.mark.parametrize("escape", ESCAPED)
def test_a_name_is_found_behind_escapes(kind: str, escape: str) -> None:
    assert kind in _kinds(b"at " + ESCAPED[escape](VALUES[kind]) + b" end")


@pytest.mark.parametrize(
    "written",
    [
        "9-8700-01234-56-7", "9 8700 01234 56 7", "9.8700.01234.56.7", "9-8700 01234-56 7", "9 8 7 0 0 0 1 2 3 4 5 6 7",
        "9 - 8700 - 01234 - 56 - 7", CID.translate(THAI), "9-8700-01234-56-7".translate(THAI),
        "987000๑๒๓๔567", f"นาย{CID}ได้", f"HN{CID}x",
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_citizen_id_is_found_however_it_is_written(written: str, encoding: str) -> None:
    assert "cid" in _kinds(f"ก {written} ข".encode(encoding, "ignore"))


@pytest.mark.parametrize(
    "written",
    [
        CID.translate(WIDE),
        "98700\u200b01234567",
        "9\u00a08700\u00a001234567",
        "9\u20118700\u201301234\u201356\u20137",
    ],
)
def test_unusual_digits_and_separators_are_known(written: str) -> None:
    assert _kinds(f"ก{written}ข".encode()) == {"cid"}


@pytest.mark.parametrize("written", ["9-8700-01234-56-7".translate(THAI), "โทร ๐๙๙-๐๐๐๑๒๓๔"])
def test_thai_digits_are_found_in_cp874(written: str) -> None:
    assert _kinds(written.encode("cp874")) & {"cid", "phone"}


@pytest.mark.parametrize(
    "written", ["099-000-1234", "(099) 000-1234", "099 0001234", "099.000.1234", "+099-0001234"]
)
def test_a_phone_number_is_found_with_its_separators(written: str) -> None:
    assert _kinds(written.encode()) == {"phone"}


@pytest.mark.parametrize(
    "chance",
    [
        f"1{HN}", f"{HN}0", f"1{PHONE}", f"{PHONE}๐", "770 001 234", "770001.234", "0.990001234", "770001\n234",
        "0990|001234", "9870001|234567", "9870001, 234567", f"{CID[:-1]}", f"{CID[1:]}", f"66{CID}",
        f"{CID}0", f"{CID}๐", f"04:08:11.{HN}", f"{CID[:7]}.{CID[7:]}", "2026-11-22 04:08:11.770001",
    ],
)  # fmt: skip
def test_digits_that_only_look_alike_are_not_found(chance: str) -> None:
    assert _kinds(f"x {chance} y".encode()) == set()


def test_a_byte_of_a_binary_file_that_looks_like_a_thai_digit_hides_no_number() -> None:
    assert _kinds(b"\xf3" + CID.encode() + b"\xf8") == {"cid"}


def test_a_hospital_number_stands_alone_or_dashed() -> None:
    for written in (HN, f"HN:{HN}.", f"77-{HN[2:]}"):
        assert _kinds(written.encode()) == {"hn"}


def test_letters_count_in_either_case() -> None:
    assert _kinds(f"{LATIN.lower()} {PASSPORT.lower()} {EMAIL.upper()}".encode()) == {
        "latin",
        "passport",
        "email",
    }


def test_a_numeric_column_loses_zeros_and_is_searched_so() -> None:
    found = SEARCH.find_numerals(f"{int(PHONE)}\x1e{CID}\x1e12345".encode())
    assert {(SEARCH.kinds[one.index], one.spelling) for one in found} == {
        ("phone", "number without zeros"), ("cid", "number"),
    }  # fmt: skip


def test_clean_bytes_give_nothing() -> None:
    chance = random.Random(7)
    log = "".join(
        f"2026-11-22 04:08:{n % 60:02} I{chance.randrange(10**6)} 127.0.0.1:{chance.randrange(10**5)} PUT /bronze/"
        f"{hashlib.sha256(str(n).encode()).hexdigest()}.parquet {chance.randrange(10**9)} {chance.random()} ผู้ป่วยนอก\n"
        for n in range(3000)
    )
    assert SEARCH.find(log.encode()) == []
    assert SEARCH.find(chance.randbytes(2_000_000)) == []
    assert SEARCH.find(base64.b64encode(chance.randbytes(300_000))) == []
    assert SEARCH.find(b"") == []


def test_a_find_names_its_spelling_and_its_place() -> None:
    content = b"....." + base64.b64encode(b"." + NAME.encode()) + b" " + CID.translate(THAI).encode()
    found = {SEARCH.kinds[one.index]: (one.start, one.spelling) for one in SEARCH.find(content)}
    assert found["full_name"] == (5, "base64, utf-8")
    assert found["cid"] == (content.index(b" ") + 1, "utf-8 thai digits")


@pytest.mark.parametrize("spelling", ["utf-8", "utf-16le", "base64 at 1", "hex"])
def test_a_value_over_the_edge_of_a_window_is_found_once(
    spelling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "OWN", 4096)
    for value in (CID, SURNAME):
        spelled = SPELLED[spelling](value)
        for shift in range(-len(spelled) - 2, 3):
            content = b"~" * (4096 + shift) + spelled + b"~" * 9000
            pieces = [content[at : at + 1000] for at in range(0, len(content), 1000)]
            found = list(found_in(search(one=value), pieces))
            assert [one.start for one in found] == [4096 + shift], (value, shift)


def test_a_number_is_not_cut_free_of_its_neighbours_by_the_edge_of_a_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reports, "OWN", 4096)
    for shift in range(-12, 3):
        content = b"~" * (4096 + shift) + HN.encode() + b"5" + b"~" * 9000
        assert list(found_in(SEARCH, [content])) == []


def test_a_report_counts_and_shows_no_value() -> None:
    told = report()
    told.take(Source(f"logs/{CID}.log", [f"{CID} {CID} {NAME}".encode()]))
    told.name("logs", f"{CID}.log")
    hits = told.hits()
    assert {(hit.kind, hit.count, hit.values) for hit in hits if hit.where == "logs/***.log"} == {
        ("cid", 2, 1), ("full_name", 1, 1), ("lname", 1, 1),
    }  # fmt: skip
    assert {hit.kind for hit in hits if hit.where == "logs (its name)"} == {"cid"}
    assert not any(value in str(hits) for value in VALUES.values())
    assert not any(value in repr(canaries()) for value in VALUES.values())


def test_a_mark_is_no_plain_digest_and_depends_on_all_values() -> None:
    plain = hashlib.sha256(CID.encode()).hexdigest()
    marks = {canaries().mark(0), canaries(cid=CID).mark(0)}
    assert len(marks) == 2 and not any(plain.startswith(mark) for mark in marks)


def test_a_value_of_two_kinds_is_told_once_with_both() -> None:
    told = report(cid=CID, insid="9-8700-01234-56-7")
    told.take(Source("log", [CID.encode()]))
    assert [(hit.kind, hit.count) for hit in told.hits()] == [("cid+insid", 1)]


def test_canaries_are_read_from_parquet_csv_and_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        f"kind,value,scan\ncid,{CID},true\npid,000001,false\nhn,12,true\n", "utf-8"
    )
    (tmp_path / "b.txt").write_text(f"{CID}\n\n{NAME}\n", "utf-8")
    first, second = Canaries.read(tmp_path / "a.csv"), Canaries.read(tmp_path / "b.txt")
    assert (first.kinds, first.values, first.rows, first.skipped) == (("cid",), (CID,), (1,), 2)
    assert second.values == (CID, NAME)


@pytest.mark.parametrize("text", ["kind,what\ncid,1\n", "kind,value,scan\ncid,12,true\n"])
def test_a_file_without_a_value_to_search_for_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(SettingsError):
        Canaries.read(tmp_path / "a.csv")
    with pytest.raises(SettingsError):
        Canaries.read(tmp_path / "missing.csv")


def test_digits_of_a_value_are_known_without_separators_and_plus() -> None:
    assert plain_digits("+66 99-000๑๒๓๔") == "66990001234"
    assert plain_digits("M0012345") is None and plain_digits("-") is None and plain_digits("1" * 19) is None
