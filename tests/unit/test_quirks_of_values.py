"""Quirks of values, keys, persons and repeated deliveries: each by its id, handled, kept or reported."""

from __future__ import annotations

import io
from datetime import date, datetime

import polars as pl

from khlang.conform.text.names import Names
from khlang.conform.unpack import verify
from khlang.model.calendar import fiscal_year
from khlang.model.contract import contracts
from khlang.model.mart import functions
from khlang.silver.current import classify, latest
from khlang.silver.link import decided, keyed, links_of, with_person_key
from khlang.silver.orphan import _unmatched, rules
from members import FACILITY, KEYS, Conformed, conformed, faults, member, values
from quirk_cases import CHRONIC, GOOD, LIMITS, caveat, chronic, current, row, told
from zips import zipped


def test_quirk_too_long_is_reported() -> None:
    done, found = told("CHRONIC", **GOOD, HOSP_RX="10001-2")
    assert found == [("HOSP_RX", "text.too_long")] and values(done, "_accepted") == [True]


def test_quirk_buddhist_year_is_reported() -> None:
    done = chronic(row(DATE_DIAG="25630131"), row(PID="P2", DATE_DIAG="23990131"))
    assert faults(done) == [(2, "DATE_DIAG", "date.buddhist")]
    assert values(done, "date_diag") == [date(2020, 1, 31), date(2399, 1, 31)]


def test_quirk_unknown_birth_is_kept() -> None:
    done, found = told("PERSON", PID="1", BIRTH="20260101")
    assert found == [] and values(done, "birth") == [date(2026, 1, 1)] and caveat("PERSON", "1 January")


def test_quirk_zero_date_is_reported() -> None:
    for zero in ("00000000", "0000-00-00"):
        done = chronic(row(DATE_DIAG=zero))
        assert faults(done) == [(2, "DATE_DIAG", "key.unreadable")] and values(done, "_accepted") == [False]
        _, found = told("CHRONIC", **GOOD, DATE_DISCH=zero)
        assert found == [("DATE_DISCH", "date.unreadable")]


def test_quirk_date_format_is_reported() -> None:
    done, found = told("CHRONIC", **GOOD, DATE_DISCH="2026-08-01")
    assert found == [("DATE_DISCH", "date.unreadable")] and values(done, "date_disch") == [None]


def test_quirk_d_update_now_is_handled() -> None:
    newer = chronic(row(D_UPDATE="20260801000000", TYPEDISCH="01"))
    older = chronic(row(D_UPDATE="20261231000000"))
    found = current((datetime(2026, 10, 1), 1, newer), (datetime(2026, 9, 1), 2, older))
    assert found["typedisch"].to_list() == ["01"]


def test_quirk_d_update_visit_is_handled() -> None:
    first, second = chronic(row()), chronic(row(TYPEDISCH="01"))
    found = current((datetime(2026, 9, 1), 1, first), (datetime(2026, 10, 1), 2, second))
    assert found["typedisch"].to_list() == ["01"]


def test_quirk_d_update_bad_is_reported() -> None:
    done = chronic(
        row(D_UPDATE=""), row(PID="P2", D_UPDATE="25690801120000"), row(PID="P3", D_UPDATE="20991231000000")
    )
    assert faults(done) == [(2, "D_UPDATE", "required.missing"), (3, "D_UPDATE", "date.buddhist")]
    assert done.members[0].accepted == 3


def test_quirk_resend_is_handled() -> None:
    name, members = "F43_10001_20261101083000.zip", {"CHRONIC.txt": row().encode()}
    again = {"x/CHRONIC.txt": row().encode()}
    assert len({verify(io.BytesIO(zipped(each)), name, LIMITS).content for each in (members, again)}) == 1
    state = current((datetime(2026, 9, 1), 1, chronic(row())))
    found = classify(current((datetime(2026, 10, 1), 2, chronic(row(), row(PID="P2")))), state)
    assert sorted(found["_status"]) == ["new", "unchanged"]


def test_quirk_key_change_is_handled() -> None:
    key = contracts()["LABFU"].key
    assert "SEQ" not in key and "DATE_DIAG" in contracts()["CHRONIC"].key
    done, found = told("PROVIDER", PROVIDER="S1", COUNCIL="01", NAME="ก", LNAME="ข")
    assert done.members[0].codes == () and not [code for _, code in found if code == "key.missing"]


def test_quirk_key_too_narrow_is_reported() -> None:
    done = chronic(row(TYPEDISCH="01"), row())
    assert faults(done) == [(2, None, "row.repeated")] and done.rows.height == 2
    assert latest(done.rows.filter("_accepted"))["_line"].to_list() == [3]


def test_quirk_service_key_is_handled() -> None:
    assert contracts()["SERVICE"].key == ("HOSPCODE", "PID", "SEQ", "DATE_SERV")


def test_quirk_deletes_is_kept() -> None:
    state = current((datetime(2026, 9, 1), 1, chronic(row(), row(PID="P2"))))
    found = classify(current((datetime(2026, 10, 1), 2, chronic(row()))), state)
    assert found["_status"].to_list() == ["unchanged"] and caveat("DATA_CORRECT", "no delete marker")


def test_quirk_pid_forms_is_handled() -> None:
    found = values(chronic(row(PID="000012"), row(PID="12")), "pid")
    assert len(set(found)) == 2 and found[0] == KEYS.of("patient", pl.Series([f"{FACILITY}:000012"]))[0]


def _women(cid: str, hospcode: str = FACILITY) -> Conformed:
    line = f"{hospcode}|P1|1|1|20260801120000|{cid}"
    return conformed(
        "WOMEN", member("HOSPCODE|PID|FPTYPE|NUMBERSON|D_UPDATE|CID\n" + line, hospcode=hospcode)
    )


def test_quirk_one_person_many_is_handled() -> None:
    rows = pl.concat([_women("1234567890121", hospcode).rows for hospcode in (FACILITY, "10002")])
    found = with_person_key(rows, links_of(keyed(rows.select("hospcode", "pid", "cid"), decided([]))))[
        "person_key"
    ]
    assert found.n_unique() == 1 and rows["pid"].n_unique() == 2


def test_quirk_cid_missing_is_reported() -> None:
    blank, wrong = _women(""), _women("1234567890122")
    assert [code for _, column, code in faults(wrong) if column == "CID"] == ["cid.checksum"]
    for done in (blank, wrong):
        assert values(done, "cid") == [None] and done.members[0].accepted == 1


def test_quirk_typearea_default_is_kept() -> None:
    done, found = told("PERSON", PID="1", TYPEAREA="1")
    assert (values(done, "typearea"), found) == (["1"], []) and caveat("PERSON", "guess TYPEAREA")


def test_quirk_defaults_is_kept() -> None:
    done, found = told("PERSON", PID="1", SEX="2", EDUCATION="09", NATION="999")
    assert [values(done, name) for name in ("sex", "education", "nation")] == [["2"], ["09"], ["999"]]
    assert found == [] and caveat("PERSON", "defaults")


def test_quirk_carry_over_is_kept() -> None:
    done = chronic(row(), row(PID="P2"), row(PID="P3"))
    assert (faults(done), done.members[0].accepted) == ([], 3)


def test_quirk_phone_is_handled() -> None:
    numbers = "0812345678, 0898765432"
    done, _ = told("PERSON", PID="1", TELEPHONE=numbers, MOBILE=numbers)
    assert (values(done, "telephone"), values(done, "mobile")) == ([None], [None])
    assert "0812345678" not in str(done.rows.to_dicts())


def test_quirk_leading_zero_is_reported() -> None:
    done, found = told("EPI", PID="1", DATE_SERV="20260801", VACCINETYPE="41")
    assert ("VACCINETYPE", "code.zeros") in found and values(done, "vaccinetype") == ["041"]
    done = conformed("CHRONIC", member(f"{CHRONIC}\n{row(HOSPCODE='7476')}", hospcode="07476"))
    assert faults(done) == [(2, "HOSPCODE", "code.zeros")] and values(done, "hospcode") == ["07476"]


def test_quirk_icd_dot_is_reported() -> None:
    done = chronic(row(CHRONIC="E11.9"), row(CHRONIC="e119", PID="P2"))
    assert faults(done) == [(2, "CHRONIC", "code.dots")] and values(done, "chronic") == ["E119", "e119"]


def test_quirk_local_codes_is_reported() -> None:
    done, found = told("DRUG_OPD", PID="1", SEQ="1", DATE_SERV="20260801", CLINIC="00100", DIDSTD="LOCAL-7")
    assert values(done, "didstd") == ["LOCAL-7"] and ("DIDSTD", "code.unknown") not in found
    _, found = told("LABFU", PID="1", DATE_SERV="20260801", LABTEST="X1")
    assert ("LABTEST", "code.unknown") in found


def test_quirk_instype_unknown_is_reported() -> None:
    for sent, code in (("", "required.missing"), ("ZZZZ", "code.unknown")):
        done, found = told("SERVICE", PID="1", SEQ="1", DATE_SERV="20260801", INSTYPE=sent)
        assert found == [("INSTYPE", code)] and values(done, "_accepted") == [True]


def test_quirk_specialpp_old_is_kept() -> None:
    done, found = told("SPECIALPP", PID="1", DATE_SERV="20260801", PPSPECIAL="1A0009")
    assert (found, values(done, "ppspecial")) == ([], ["1A0009"]) and caveat("SPECIALPP", "Withdrawn codes")


def test_quirk_referral_orphans_is_reported() -> None:
    rule = next(r for r in rules() if (r.contract.file, r.parent.file) == ("CHRONIC", "PERSON"))
    person = conformed("PERSON", member(f"HOSPCODE|PID\n{FACILITY}|P1")).rows
    children = chronic(row(), row(PID="P2")).rows
    assert children["_accepted"].all() and _unmatched(rule, children, person)["_line"].to_list() == [3]


def test_quirk_village_letters_is_handled() -> None:
    for village in ("A0", "Z9", "99"):
        done, found = told("HOME", HID="1", VILLAGE=village)
        assert (found, values(done, "village")) == ([], [village])


def test_quirk_labresult_text_is_handled() -> None:
    person = pl.DataFrame({"HOSPCODE": [FACILITY], "PID": ["1"], "NAME": ["สมมุติ"], "LNAME": ["ตัวอย่าง"]})
    names = Names.from_frames(person, None, None)
    line = f"{FACILITY}|1|20260801|0531601|"
    body = f"HOSPCODE|PID|DATE_SERV|LABTEST|LABRESULT\n{line}trace\n{line}7.2"
    assert values(conformed("LABFU", member(body), names=names), "labresult") == ["trace", "7.2"]
    calls = {call["call"]: call["gives"] for call in functions()["number_of"].examples}
    assert "" in calls.values() and any(gives for gives in calls.values())


def test_quirk_na_text_is_kept() -> None:
    for sent in ("00000", "99999"):
        done, found = told("CHRONIC", **GOOD, HOSP_RX=sent, HOSP9_RX="N/A")
        assert (found, values(done, "hosp_rx"), values(done, "hosp9_rx")) == ([], [sent], ["N/A"])


def test_quirk_year_boundary_is_handled() -> None:
    assert (fiscal_year(date(2025, 10, 1)), fiscal_year(date(2026, 9, 30)), fiscal_year(date(2026, 10, 1))) == (
        2569, 2569, 2570,
    )  # fmt: skip


def test_quirk_admission_late_is_handled() -> None:
    header = "HOSPCODE|PID|AN|DATETIME_ADMIT|DATETIME_DISCH|RW"
    stays = [f"{FACILITY}|1|A1|20260801080000|20260805080000|{weight}" for weight in ("", "1.2345")]
    before, after = (conformed("ADMISSION", member(f"{header}\n{stay}")) for stay in stays)
    assert [code for _, column, code in faults(before) if column == "RW"] == ["required.missing"]
    found = current((datetime(2026, 9, 1), 1, before), (datetime(2026, 12, 1), 2, after))
    assert [str(weight) for weight in found["rw"]] == ["1.2345"]


def test_quirk_mib_limits_is_handled() -> None:
    halves = [chronic(row()), chronic(row(PID="P2"))]
    found = current(*((datetime(2026, 9, 1 + n), n, half) for n, half in enumerate(halves)))
    assert found.height == 2 and LIMITS.max_member_bytes > 64 << 20
