"""Quirks of zips, members, headers and lines: each by its id, handled by a rule or reported by a code."""

from __future__ import annotations

import io
from datetime import date, datetime

from khlang.conform.faultlog import FaultLog
from khlang.conform.naming import file_of, zip_name
from khlang.conform.parse import Sheet, parse, read_sheet
from khlang.conform.typed import typed_frame
from khlang.conform.unpack import verify
from khlang.model.contract import contracts
from members import FACILITY, conformed, faults, member, values
from quirk_cases import CHRONIC, LIMITS, checked, chronic, codes, current, row
from zips import zipped


def test_quirk_zip_name_is_reported() -> None:
    for name in ("X_F43_10001_20261101083000.zip", "F43_10001.zip"):
        assert checked({"PERSON.txt": b""}, name).code == "zip.name"


def test_quirk_zip_name_date_is_handled() -> None:
    named = zip_name("F43_10001_20260930235959.zip")
    assert named is not None and named.sent_at == datetime(2026, 9, 30, 23, 59, 59)
    newer, older = datetime(2026, 10, 1), datetime(2026, 9, 1)
    found = current((newer, 1, chronic(row(TYPEDISCH="01"))), (older, 2, chronic(row(TYPEDISCH="02"))))
    assert found["typedisch"].to_list() == ["01"]


def test_quirk_folder_in_zip_is_handled() -> None:
    flat, deep = ({name: b"x"} for name in ("PERSON.txt", "F43_10001_20261101083000/a/PERSON.txt"))
    found = [
        verify(io.BytesIO(zipped(each)), "F43_10001_20261101083000.zip", LIMITS) for each in (flat, deep)
    ]
    assert found[0].content == found[1].content and found[1].entries[0].file == "PERSON"


def test_quirk_file_case_is_handled() -> None:
    assert {file_of(name) for name in ("person.txt", "PERSON.txt", "PERSON.TXT", "Person.Txt")} == {"PERSON"}


def test_quirk_suffix_in_name_is_handled() -> None:
    assert file_of("accident_07487_20251001085344.txt") == "ACCIDENT"
    assert file_of("drug_opd_07487_20251001085344.txt") == "DRUG_OPD"
    assert (file_of("drugallergy.txt"), file_of("drug.txt")) == ("DRUGALLERGY", None)


def test_quirk_other_files_is_reported() -> None:
    found = checked({"OFFICE.txt": b"x", "CHRONIC.txt": "\n".join([CHRONIC, row()]).encode()})
    assert [(m.codes, m.accepted) for m in found.members] == [(("file.unknown",), None), ((), 1)]


def test_quirk_missing_files_is_reported() -> None:
    found = checked({"EPI.txt": b"", "CHRONIC.txt": CHRONIC.encode()})
    assert [(m.table, m.codes, m.refused) for m in found.members] == [
        ("EPI", ("file.empty",), 0),
        ("CHRONIC", (), 0),
    ]


def test_quirk_header_none_is_reported() -> None:
    done = conformed("CHRONIC", member(f"{FACILITY}|P1|20200131|E119|||20210101|01|20260801120000"))
    assert codes(done) == ("file.headerless",) and values(done, "date_disch") == [date(2021, 1, 1)]


def test_quirk_header_case_is_handled() -> None:
    done = chronic(row(), header=" hospcode | Pid|date_diag|CHRONIC |TypeDisch|d_update ")
    assert (codes(done), faults(done), values(done, "chronic")) == ((), [], ["E119"])


def test_quirk_header_alias_is_handled() -> None:
    for alias in ("hoscode", "hcode", "pcucode"):
        assert codes(chronic(row(), header=CHRONIC.replace("HOSPCODE", alias))) == ()
    service = contracts()["SERVICE"].aliases
    clinical = contracts()["CLINICAL_REFER"].aliases
    assert (service["DATE_SERRV"], clinical["CLINICALVALUE"]) == ("DATE_SERV", "CLINICALVAULE")


def test_quirk_old_layouts_is_handled() -> None:
    layouts = contracts()["PERSON"].layouts
    assert [len(layout.columns) for layout in layouts][:1] == [31] and len(layouts) >= 2
    for layout in layouts:
        line = "|".join(FACILITY if name == "HOSPCODE" else "" for name in layout.columns)
        done = conformed("PERSON", member("|".join(layout.columns) + "\n" + line))
        named = {column for _, column, _ in faults(done)}
        assert codes(done) == () and named <= set(layout.columns)


def test_quirk_hospcode9_absent_is_handled() -> None:
    assert not [c.file for c in contracts().values() if {"HOSPCODE9"} & set(c.key)]
    done = chronic(row())
    assert faults(done) == [] and values(done, "hospcode9") == [None]


def test_quirk_encoding_is_reported() -> None:
    text = "HOSPCODE|HID|HOUSE|VILLANAME\n" + f"{FACILITY}|1|๑/๒|บ้านน้ำใส"
    for encoding, expected in (
        ("utf-8", ()),
        *((e, ("file.encoding",)) for e in ("utf-8-sig", "cp874", "utf-16")),
    ):
        done = conformed("HOME", member(text.encode(encoding)))
        assert (codes(done), done.members[0].delivered) == (expected, 1)


def test_quirk_line_end_is_handled() -> None:
    for end in ("\r\n", "\n", "\r"):
        for last in ("", end):
            done = chronic(row(), row(PID="P2") + last, end=end)
            assert (faults(done), done.members[0].accepted) == ([], 2)


def test_quirk_line_break_inside_is_reported() -> None:
    done = chronic(row(), row(TYPEDISCH="0\n3"), row(CHRONIC="E1|19"), row(PID="P2"))
    assert faults(done) == [(line, None, "row.width") for line in (3, 4, 5)] and done.members[0].accepted == 2


def test_quirk_backslash_quote_is_handled() -> None:
    texts = ['a"b', '"a', "a\\", "\\|"[0], '""']
    lines = [f"{FACILITY}|service|{text}|2026080112000{n}" for n, text in enumerate(texts)]
    body = member("\n".join(["HOSPCODE|TABLENAME|DATA_CORRECT|D_UPDATE", *lines]))
    sheet = read_sheet(body, contracts()["DATA_CORRECT"], {})
    assert isinstance(sheet, Sheet)
    typed = typed_frame(parse([sheet]), contracts()["DATA_CORRECT"], FaultLog())
    assert typed["DATA_CORRECT"].to_list() == texts


def test_quirk_field_count_is_reported() -> None:
    done = chronic(row() + "|x", row(PID="P2"), row()[:-15])
    assert faults(done) == [(2, None, "row.width"), (4, None, "row.width")] and done.members[0].accepted == 1
