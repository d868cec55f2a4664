"""Rows of one file -> typed, de-identified rows with every broken rule named at its place."""

from __future__ import annotations

from datetime import date

import pytest

from members import FACILITY, chronic, conformed, faults, member, values

GOOD = f"{FACILITY}|P1|20200131|E119|03|20260801120000"


def _row(**changed: str) -> str:
    cells = dict(
        zip(
            ("HOSPCODE", "PID", "DATE_DIAG", "CHRONIC", "TYPEDISCH", "D_UPDATE"), GOOD.split("|"), strict=True
        )
    )
    return "|".join((cells | changed).values())


def test_a_clean_row_is_accepted_without_a_fault() -> None:
    done = conformed("CHRONIC", member(chronic(GOOD)))
    assert faults(done) == []
    assert values(done, "date_diag") == [date(2020, 1, 31)]
    assert (done.members[0].delivered, done.members[0].accepted, done.members[0].refused) == (1, 1, 0)


@pytest.mark.parametrize(
    ("changed", "column", "code", "accepted"),
    [
        ({"PID": ""}, "PID", "key.missing", False),
        ({"DATE_DIAG": "31/01/2020"}, "DATE_DIAG", "key.unreadable", False),
        ({"DATE_DIAG": "00000000"}, "DATE_DIAG", "key.unreadable", False),
        ({"DATE_DIAG": "25630131"}, "DATE_DIAG", "date.buddhist", True),
        ({"DATE_DIAG": "๒๐๒๐0131"}, "DATE_DIAG", "digits.thai", True),
        ({"CHRONIC": "E11.9"}, "CHRONIC", "code.dots", True),
        ({"CHRONIC": " E119"}, "CHRONIC", "text.trimmed", True),
        ({"CHRONIC": "E1199999"}, "CHRONIC", "text.too_long", False),
        ({"TYPEDISCH": "3"}, "TYPEDISCH", "code.zeros", True),
        ({"TYPEDISCH": "77"}, "TYPEDISCH", "code.unknown", True),
        ({"HOSPCODE": "10002"}, "HOSPCODE", "row.facility", False),
        ({"D_UPDATE": ""}, "D_UPDATE", "required.missing", True),
        ({"D_UPDATE": "20260801250000"}, "D_UPDATE", "date.unreadable", True),
        ({"D_UPDATE": "20260801120060"}, "D_UPDATE", "date.unreadable", True),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_rule_is_named_at_its_line_and_column(
    changed: dict[str, str], column: str, code: str, accepted: bool
) -> None:
    done = conformed("CHRONIC", member(chronic(GOOD, _row(**({"PID": "P2"} | changed)))))
    assert faults(done) == [(3, column, code)]
    assert values(done, "_accepted") == [True, accepted]


@pytest.mark.parametrize("sent", ["25670229", "20240229"])
def test_29_february_is_read_in_both_eras(sent: str) -> None:
    done = conformed("CHRONIC", member(chronic(_row(DATE_DIAG=sent))))
    assert values(done, "date_diag") == [date(2024, 2, 29)]


def test_a_facility_code_that_lost_its_zeros_is_padded_before_it_is_compared() -> None:
    done = conformed("CHRONIC", member(chronic(_row(HOSPCODE="123")), hospcode="00123"))
    assert faults(done) == [(2, "HOSPCODE", "code.zeros")]
    assert values(done, "hospcode") == ["00123"]


def test_a_row_of_another_width_keeps_only_its_place() -> None:
    done = conformed("CHRONIC", member(chronic(GOOD, GOOD + "|extra", "", GOOD.replace("P1", "P3"))))
    assert faults(done) == [(3, None, "row.width")]
    broken = done.rows.filter(~done.rows["_accepted"]).to_dicts()[0]
    assert broken["hospcode"] == FACILITY and broken["pid"] is None and broken["_line"] == 3
    assert values(done, "_line") == [2, 3, 5]


def test_a_byte_order_mark_before_a_row_is_part_of_its_first_value_in_every_line() -> None:
    marked = _row(HOSPCODE="\ufeff" + FACILITY)
    done = conformed("CHRONIC", member(chronic(marked, GOOD, marked)))
    assert faults(done) == [(2, "HOSPCODE", "text.too_long"), (4, "HOSPCODE", "text.too_long")]
    assert values(done, "_accepted") == [False, True, False]


def test_of_repeated_keys_the_last_line_wins() -> None:
    done = conformed("CHRONIC", member(chronic(GOOD, _row(TYPEDISCH="01"), _row(PID="P2"))))
    assert faults(done) == [(2, None, "row.repeated")]
    assert values(done, "_repeated") == [True, False, False]


def test_a_refused_row_does_not_supersede_an_earlier_one() -> None:
    done = conformed("CHRONIC", member(chronic(GOOD, GOOD + "|extra")))
    assert values(done, "_repeated") == [False, False]


def test_members_with_equal_headers_are_parsed_together_and_told_apart() -> None:
    first, second = member(chronic(GOOD)), member(chronic(GOOD, _row(PID="")), receipt="R2")
    done = conformed("CHRONIC", first, second)
    assert [(m.receipt, m.delivered, m.refused) for m in done.members] == [("R1", 1, 0), ("R2", 2, 1)]
    assert not done.rows["_repeated"].any()


@pytest.mark.parametrize(
    ("body", "codes", "delivered"),
    [
        (b"", ("file.empty",), 0),
        (chronic(), (), 0),
        (chronic(GOOD, header="HOSPCODE|PID|CHRONIC|TYPEDISCH|D_UPDATE|SEX"), ("file.header",), 1),
        (chronic(GOOD, header="HOSPCODE|PID|PID|CHRONIC|TYPEDISCH|D_UPDATE"), ("file.header",), 1),
        (chronic(GOOD, header=" hospcode |Pid|date_diag|CHRONIC|TYPEDISCH|D_UPDATE"), (), 1),
        (chronic(GOOD, header="HCODE|PID|DATE_DIAG|CHRONIC|TYPEDISCH|D_UPDATE"), (), 1),
        (
            chronic(GOOD + "|x", header="HOSPCODE|PID|DATE_DIAG|CHRONIC|TYPEDISCH|D_UPDATE|MYCOLUMN"),
            ("file.column_unknown",),
            1,
        ),
    ],
)
def test_a_header_is_read_by_name(body: bytes, codes: tuple[str, ...], delivered: int) -> None:
    result = conformed("CHRONIC", member(body)).members[0]
    assert (result.codes, result.delivered) == (codes, delivered)


def test_an_unknown_column_is_never_loaded_and_known_by_its_place() -> None:
    header = "HOSPCODE|PID|DATE_DIAG|CHRONIC|TYPEDISCH|D_UPDATE|SECRET"
    done = conformed("CHRONIC", member(chronic(GOOD + "|1101700207030", header=header)))
    assert done.members[0].unknown_columns == (7,)
    assert "1101700207030" not in str(done.rows.to_dicts())


def test_without_a_header_columns_come_by_position() -> None:
    line = f"{FACILITY}|P1|20200131|E119|{FACILITY}|{FACILITY}||03|20260801120000"
    done = conformed("CHRONIC", member(line + "\n"))
    assert done.members[0].codes == ("file.headerless",)
    assert values(done, "chronic") == ["E119"]


def test_a_cid_with_a_wrong_check_digit_links_nobody_and_the_row_stays() -> None:
    header = "HOSPCODE|PID|CID|D_UPDATE"
    body = (
        f"{header}\n{FACILITY}|P1|1234567890121|20260801120000\n{FACILITY}|P2|1234567890122|20260801120000\n"
    )
    done = conformed("WOMEN", member(body))
    assert (3, "CID", "cid.checksum") in faults(done)
    assert [cid is None for cid in values(done, "cid")] == [False, True]


def test_the_same_person_is_one_pseudonym_in_every_facility_and_a_pid_is_not() -> None:
    header, row = "HOSPCODE|PID|CID|D_UPDATE", "|P1|1234567890121|20260801120000"
    here = conformed("WOMEN", member(f"{header}\n10001{row}\n"))
    there = conformed("WOMEN", member(f"{header}\n10002{row}\n", hospcode="10002"))
    assert values(here, "cid") == values(there, "cid")
    assert values(here, "pid") != values(there, "pid")


def test_names_contacts_and_addresses_do_not_leave_the_door() -> None:
    header = "HOSPCODE|PID|NAME|LNAME|SEX|BIRTH|TELEPHONE|D_UPDATE"
    done = conformed(
        "PERSON", member(f"{header}\n{FACILITY}|P1|สมมุติ|ทดสอบยิ่ง|1|19800101|0812345678|20260801120000\n")
    )
    told = str(done.rows.to_dicts())
    assert not any(secret in told for secret in ("สมมุติ", "ทดสอบ", "0812345678", "'P1'"))
    assert values(done, "birth") == [date(1980, 1, 1)]


@pytest.mark.parametrize(
    ("number", "becomes", "code"),
    [
        ("120", 120, None), ("-5", None, "number.range"), ("1e5", None, "number.unreadable"),
        ("NaN", None, "number.unreadable"), ("12.5", None, "text.too_long"), ("1234", None, "text.too_long"),
        ("301", None, "number.range"), ("๑๒๐", 120, "digits.thai"), ("+120", None, "number.unreadable"),
        ("120.", None, "number.unreadable"),
    ],
)  # fmt: skip
def test_numbers_keep_to_their_form_width_and_range(
    number: str, becomes: int | None, code: str | None
) -> None:
    header = "HOSPCODE|PID|DATE_SERV|SBP|D_UPDATE"
    done = conformed("CHRONICFU", member(f"{header}\n{FACILITY}|P1|20260801|{number}|20260801120000\n"))
    assert values(done, "sbp") == [becomes]
    assert [found for _, column, found in faults(done) if column == "SBP"] == ([code] if code else [])


def test_a_coordinate_in_thai_digits_is_a_number_that_is_put_right() -> None:
    header = "HOSPCODE|HID|LATITUDE|LONGITUDE|D_UPDATE"
    done = conformed("HOME", member(f"{header}\n{FACILITY}|H1|๑๘.๗๙๖๑๐๐|98.979300|20260801120000\n"))
    found = [(line, column, code) for line, column, code in faults(done) if column == "LATITUDE"]
    assert found == [(2, "LATITUDE", "digits.thai")]


def test_an_id_in_thai_digits_is_the_patient_it_names() -> None:
    done = conformed("CHRONIC", member(chronic("10001|๑๒|20260901|E119||", "10001|12|20260902|E119||")))
    assert len(set(values(done, "pid"))) == 1
    assert (2, "PID", "digits.thai") in faults(done)
