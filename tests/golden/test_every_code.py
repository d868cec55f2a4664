"""One smallest example for every code of the fault catalogue: its exact place is told, and nothing else."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl
import pytest

from khlang.conform.conform import Rules, conform
from khlang.conform.dry import check
from khlang.conform.member import Member
from khlang.conform.pseudonym import Pseudonymiser
from khlang.conform.text.names import Names
from khlang.landing.door import Door
from khlang.landing.offer import Offer
from khlang.model.contract import contracts
from khlang.model.faults import catalogue
from khlang.model.policy import policy
from khlang.settings import Settings
from khlang.silver.orphan import _unmatched, links, rules
from landing_lake import lake
from zips import flagged, zipped

__all__ = ["lake"]

LIMITS = Settings()  # type: ignore[call-arg]
NAME = "F43_99001_20261101083000.zip"
Place = tuple[str, int | None, str | None, str]
"""Member, line, column, code."""

CHRONIC = "HOSPCODE|PID|DATE_DIAG|CHRONIC|TYPEDISCH|D_UPDATE"
GOOD = "99001|P1|20200131|E119|03|20260801120000"
VITAL = "HOSPCODE|PID|SEQ|DATE_SERV|WEIGHT|HEIGHT|WAIST_CM|SBP|DBP|FOOT|RETINA|D_UPDATE"
WOMEN = "HOSPCODE|PID|FPTYPE|NUMBERSON|D_UPDATE|CID"
ALLERGY = "HOSPCODE|PID|DATERECORD|DRUGALLERGY|DNAME|INFORMANT|INFORMHOSP|D_UPDATE"
NOTE = "99001|P1|20260901|A1|ฌาฏิพงฆ์ แพ้ยา|1|99001|20260901080000"
PERSON = "HOSPCODE|CID|PID|PRENAME|NAME|LNAME|SEX|BIRTH|NATION|TYPEAREA|D_UPDATE"
PATIENT = "99001|1234567890121|P1|003|ฌาฏิพงฆ์|ใจตัวอย่าง|1|19800101|099|1|20260901080000"


def sheet(*lines: str) -> bytes:
    """A member of these lines."""
    return "".join(f"{line}\r\n" for line in lines).encode()


def changed(**values: str) -> bytes:
    """CHRONIC with one row, in which some values are others."""
    cells = dict(zip(CHRONIC.split("|"), GOOD.split("|"), strict=True)) | values
    return sheet(CHRONIC, "|".join(cells.values()))


def vital(sbp: str) -> bytes:
    """CHRONICFU with one blood pressure."""
    return sheet(VITAL, f"99001|P1|V1|20260801|60|160|80|{sbp}|80|1|1|20260801120000")


@dataclass(frozen=True, slots=True)
class Example:
    """Members of a zip, and all that is reported of them."""

    members: Mapping[str, bytes]
    told: tuple[Place, ...]


def one(
    code: str, body: bytes, line: int | None, column: str | None = None, file: str = "CHRONIC"
) -> Example:
    """One member with one fault."""
    return Example({f"{file}.txt": body}, ((f"{file}.txt", line, column, code),))


IN_MEMBERS = [
    one("file.unknown", b"x", None, file="OFFICE"),
    one("file.empty", b"", None, file="EPI"),
    one("file.header", sheet(CHRONIC.replace("PID", "NUMBER"), GOOD), None),
    one("file.column_unknown", sheet(f"{CHRONIC}|NICKNAME", f"{GOOD}|x"), None),
    one("file.headerless", sheet("99001|P1|20200131|E119|99001|99001||03|20260801120000"), None),
    one("file.encoding", b"\xef\xbb\xbf" + sheet(CHRONIC, GOOD), None),
    one("row.width", sheet(CHRONIC, GOOD + "|x"), 2),
    one("row.encoding", sheet(CHRONIC, GOOD.replace("P1", "P\x00")), 2),
    one("row.facility", changed(HOSPCODE="99002"), 2, "HOSPCODE"),
    one("key.missing", changed(PID=""), 2, "PID"),
    one("key.unreadable", changed(DATE_DIAG="00000000"), 2, "DATE_DIAG"),
    one("row.repeated", sheet(CHRONIC, GOOD, GOOD), 2),
    one("required.missing", changed(TYPEDISCH=""), 2, "TYPEDISCH"),
    one("text.trimmed", changed(CHRONIC=" E119"), 2, "CHRONIC"),
    one("digits.thai", changed(DATE_DIAG="๒๐๒๐๐๑๓๑"), 2, "DATE_DIAG"),
    one("date.buddhist", changed(DATE_DIAG="25630131"), 2, "DATE_DIAG"),
    one("date.unreadable", changed(D_UPDATE="20260231120000"), 2, "D_UPDATE"),
    one("number.unreadable", vital("1e5"), 2, "SBP", "CHRONICFU"),
    one("text.too_long", vital("1200"), 2, "SBP", "CHRONICFU"),
    one("number.range", vital("999"), 2, "SBP", "CHRONICFU"),
    one("code.dots", changed(CHRONIC="E11.9"), 2, "CHRONIC"),
    one("code.zeros", changed(TYPEDISCH="3"), 2, "TYPEDISCH"),
    one("code.unknown", changed(TYPEDISCH="77"), 2, "TYPEDISCH"),
    one("value.form", vital("120").replace(b"|120|", b"|012345678|"), 2, "SBP", "CHRONICFU"),
    one("cid.checksum", sheet(WOMEN, "99001|P1|1|1|20260801120000|1234567890122"), 2, "CID", "WOMEN"),
    Example(
        {"PERSON.txt": sheet(PERSON, PATIENT), "DRUGALLERGY.txt": sheet(ALLERGY, NOTE)},
        (("DRUGALLERGY.txt", 2, "DNAME", "note.identifier"),),
    ),
    one("note.withheld", sheet(ALLERGY, NOTE), 2, "DNAME", "DRUGALLERGY"),
]  # fmt: skip

PERSON_ONLY = {"PERSON.txt": sheet(PERSON, PATIENT)}
BOMB = {"PERSON.txt": bytes(17 << 20)}
OF_ZIPS = {
    "zip.name": ("F43_99001.zip", zipped(PERSON_ONLY)),
    "zip.unreadable": (NAME, zipped(PERSON_ONLY)[:-9]),
    "zip.encrypted": (NAME, flagged(zipped(PERSON_ONLY), 0x1)),
    "zip.path": (NAME, zipped({"../PERSON.txt": PERSON_ONLY["PERSON.txt"]})),
    "zip.bomb": (NAME, zipped(BOMB)),
}
"""Code -> name and bytes of a zip that it refuses."""

BY_THE_LAKE = {
    "zip.sender": (NAME, zipped(PERSON_ONLY), "99002"),
    "facility.unknown": (NAME.replace("99001", "99998"), zipped(PERSON_ONLY), "99998"),
    "zip.duplicate": (NAME.replace("083000", "083001"), zipped(PERSON_ONLY, zipfile.ZIP_STORED), "99001"),
}
"""Code -> name, bytes and sender of a zip that comes behind an honest one."""


def shown(example: Example) -> str:
    """The code that an example is of."""
    return example.told[0][3]


def test_the_examples_hold_every_code_of_the_catalogue_once() -> None:
    codes = [shown(example) for example in IN_MEMBERS] + [*OF_ZIPS, *BY_THE_LAKE, "parent.missing"]
    assert sorted(codes) == sorted(code for code, fault in catalogue().items() if not fault.retired)


@pytest.mark.parametrize("example", IN_MEMBERS, ids=shown)
def test_a_fault_of_a_member_is_told_at_its_place_and_nothing_else_is(example: Example) -> None:
    receipt = check(io.BytesIO(zipped(example.members)), NAME, LIMITS)
    told = [(m.member, None, None, code) for m in receipt.members for code in m.codes]
    told += [(m.member, fault.line, fault.column, fault.code) for m in receipt.members for fault in m.faults]
    assert (receipt.state, tuple(told)) == ("checked", example.told)
    effect = catalogue()[shown(example)].effect
    refused = sum(member.refused or 0 for member in receipt.members)
    assert refused == (effect == "refuse" or shown(example) == "file.header")


@pytest.mark.parametrize("code", OF_ZIPS)
def test_a_code_of_a_zip_is_all_that_is_told_of_it(code: str) -> None:
    name, body = OF_ZIPS[code]
    receipt = check(io.BytesIO(body), name, LIMITS)
    assert (receipt.state, receipt.code, receipt.members) == ("rejected", code, ())


@pytest.mark.stack
def test_codes_that_need_the_lake_are_given_by_the_door(lake: Settings) -> None:
    honest = (NAME, zipped(PERSON_ONLY), "99001")
    came = datetime.now(UTC)
    zips = [honest, *BY_THE_LAKE.values(), *((name, body, None) for name, body in OF_ZIPS.values())]
    with Door(lake) as door:
        found = list(
            door.take(Offer(name, came, who, lambda b=body: io.BytesIO(b)) for name, body, who in zips)
        )
    codes = [delivery.code for delivery in found]
    assert codes == [None, *BY_THE_LAKE, *OF_ZIPS]
    assert [delivery.state for delivery in found].count("duplicate") == 1


def test_a_row_without_its_parent_is_found_by_silver_at_its_link() -> None:
    head = "HOSPCODE|PID|SEQ|DATE_SERV|DIAGTYPE|DIAGCODE|CLINIC|D_UPDATE"
    body = sheet(head, *(f"99001|P1|V{n}|20260801|1|E119|00100|20260801120000" for n in (1, 2)))
    visit = sheet("HOSPCODE|PID|SEQ|DATE_SERV|D_UPDATE", "99001|P1|V1|20260801|20260801120000")
    keys = Pseudonymiser.throwaway()

    def rows(file: str, content: bytes) -> pl.DataFrame:
        member = Member("R1", 1, "99001", datetime(2026, 11, 1), 1, content)
        return conform([member], Rules(contracts()[file], policy("lake"), keys, Names.merge([]))).rows

    rule = next(r for r in rules() if (r.contract.file, r.parent.file) == ("DIAGNOSIS_OPD", "SERVICE"))
    found = links(rule, _unmatched(rule, rows("DIAGNOSIS_OPD", body), rows("SERVICE", visit)))
    assert found.select("table_name", "parent", "_line", "column_name").rows() == [
        ("diagnosis_opd", "SERVICE", 3, rule.parent.columns[-1])
    ]
