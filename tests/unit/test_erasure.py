"""Erasure, piece by piece: lines keep their bytes, rows of the erased keep only their place, nothing else moves."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import polars as pl
import pytest

from khlang.conform.conform import Rules, conform
from khlang.conform.erased import Tombstones
from khlang.conform.member import Member
from khlang.conform.stream import Survey
from khlang.conform.text.names import Names
from khlang.errors import SettingsError, StoreError
from khlang.lake.ledger import Ledger, Met
from khlang.model.contract import contracts
from khlang.model.policy import policy
from khlang.stewardship import compare
from khlang.stewardship.books import cids, thinner
from khlang.stewardship.compare import Changes, Sides, compared, moved
from khlang.stewardship.lines import Shape, edited
from khlang.stewardship.needle import Needle
from khlang.stewardship.rewrite import MOVED, _keep_marks, without_them
from khlang.stewardship.rezip import Remade

from .erased_lake import CID, FIRST, NAME, OTHER, PERSON, SERVICE, SPELLED, person, sheet, visit
from .landing_lake import unwritten
from .members import KEYS, SENT, faults
from .zips import zipped

__all__ = ["unwritten"]
AT = "99001"
WHO = KEYS.of("person", pl.Series([CID]))[0]
P1, P2 = KEYS.of("patient", pl.Series([f"{AT}:P1", f"{AT}:P2"]))
GONE = Tombstones(frozenset({WHO}), frozenset({P1}))


def _member(body: bytes) -> Member:
    return Member("R1", 1, AT, SENT, 1, body)


def _rules(file: str, tombstones: Tombstones = GONE, names: Names | None = None) -> Rules:
    return Rules(contracts()[file], policy("lake"), KEYS, names or Names.merge([]), tombstones=tombstones)


def _read(body: bytes, size: int = 7) -> Iterator[bytes]:
    return (body[at : at + size] for at in range(0, len(body), size))


TEXT = "a|b\r\nกข|d\r\n\r\ne|f"
BODIES = {
    "utf-8": TEXT.encode(), "mark": b"\xef\xbb\xbf" + TEXT.encode(), "cp874": TEXT.encode("cp874"),
    "utf-16-le": TEXT.encode("utf-16"), "utf-16-be": b"\xfe\xff" + TEXT.encode("utf-16-be"),
    "returns": TEXT.replace("\n", "").encode(), "lines": TEXT.encode() + b"\r\n\xff\xfe|x\r\n",
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("size", [2, 3, 7, 1000])
def test_lines_that_are_not_edited_keep_their_bytes_in_every_encoding(name: str, size: int) -> None:
    body = BODIES[name]
    shape = Shape.of(Survey.of(_read(body, size)), body[:4])
    assert b"".join(edited(_read(body, size), shape, {})) == body
    left = b"".join(edited(_read(body, size), shape, {1: None, 2: {0: "x"}}))
    lines, before = shape.split(left), shape.split(body)
    assert len(lines) == len(before) and lines[2:] == before[2:]
    encoding = shape.encoding
    assert lines[0].removeprefix(shape.mark).decode(encoding).strip("\r") == "<ERASED>"
    assert lines[1].decode(encoding).strip("\r") == "x|d"
    assert lines[0].startswith(shape.mark) and lines[1].endswith("\r".encode(encoding)) == (name != "returns")


def test_a_line_that_never_ends_is_dropped_or_kept_without_being_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("khlang.stewardship.lines.LONGEST_LINE", 100)
    body = b"a\n" + b"x" * 5000 + b"\nb\n"
    shape = Shape.of(Survey.of(_read(body)), body[:4])
    assert b"".join(edited(_read(body), shape, {})) == body
    assert b"".join(edited(_read(body), shape, {2: None})) == b"a\n<ERASED>\nb\n"


def test_the_marked_line_is_told_as_erased_wherever_it_stands() -> None:
    header, row = (
        "HOSPCODE|PID|DATE_DIAG|CHRONIC|TYPEDISCH|D_UPDATE",
        f"{AT}|P2|20200131|E119|03|20260801120000",
    )
    done = conform([_member(sheet(header, "<ERASED>", row, "<ERASED>|||||", "<ERASED>x"))], _rules("CHRONIC"))
    assert faults(done) == [(2, None, "row.erased"), (4, None, "row.erased"), (5, None, "row.width")]
    rows = done.rows.filter(pl.col("_line") == 2)
    assert rows["hospcode"].to_list() == [AT] and rows["_key"].null_count() == 1
    assert (done.members[0].delivered, done.members[0].accepted, done.members[0].refused) == (4, 1, 3)


def test_rows_of_an_erased_person_keep_only_their_place_and_others_lose_the_single_value() -> None:
    done = conform([_member(FIRST["PERSON.txt"])], _rules("PERSON"))
    everybody = conform([_member(FIRST["PERSON.txt"])], _rules("PERSON", Tombstones()))
    assert faults(done) == [(2, None, "row.erased")]
    assert done.rows.sort("_line")["father"].to_list() == [None, None, None]
    assert everybody.rows["father"].to_list()[1] == WHO
    kept = [c for c in done.rows.columns if c not in ("father", "_row")]
    last = pl.col("_line") > 2
    assert done.rows.filter(last).select(kept).equals(everybody.rows.filter(last).select(kept))
    assert done.members[0].holds_erased and not everybody.members[0].holds_erased


def test_a_new_patient_number_of_an_erased_person_is_told_and_a_spared_patient_only_loses_the_cid() -> None:
    body = sheet(PERSON, person("P9", CID), person("P2", OTHER))
    done = conform([_member(body)], _rules("PERSON"))
    (new,) = KEYS.of("patient", pl.Series([f"{AT}:P9"]))
    assert done.members[0].found == (("patient", new),) and faults(done) == [(2, None, "row.erased")]
    spared = conform([_member(body)], _rules("PERSON", replace(GONE, spared=frozenset({new}))))
    assert not faults(spared) and spared.rows["cid"].to_list()[0] is None and not spared.members[0].found


def test_details_of_a_referral_go_with_the_patient_who_was_referred() -> None:
    told = conform([_member(FIRST["REFER_HISTORY.txt"])], _rules("REFER_HISTORY")).members[0].found
    referrals = frozenset(pseudonym for kind, pseudonym in told if kind == "referral")
    assert KEYS.of("referral", pl.Series([f"{AT}:F1"]))[0] in referrals
    done = conform(
        [_member(FIRST["CARE_REFER.txt"])], _rules("CARE_REFER", replace(GONE, referrals=referrals))
    )
    assert faults(done) == [(2, None, "row.erased")]


def _names(*people: dict[str, str]) -> Names:
    return Names.from_frames(pl.DataFrame([{"HOSPCODE": AT, **one} for one in people]), None, None)


PEOPLE = _names(
    {"PID": "P1", "CID": CID, "NAME": NAME, "HID": "7"}, {"PID": "P2", "CID": OTHER, "NAME": "กขคง", "HID": "7"},
    {"PID": "P3", "CID": "", "NAME": "งงงง", "HID": "8"},
)  # fmt: skip


def _compared(file: str, body: bytes, needle: str = CID) -> Changes | None:
    sides = Sides.of(_rules(file, names=PEOPLE), thinner(PEOPLE, KEYS, GONE))
    read = partial(_read, body, 11)
    return compared(replace(_member(b""), read=read), read, sides, Needle.of({needle}))


def test_a_note_that_is_scrubbed_only_because_of_the_erased_name_is_kept_scrubbed() -> None:
    body = FIRST["DRUGALLERGY.txt"]
    changes = _compared("DRUGALLERGY", body)
    assert changes is not None
    left = b"".join(changes.redacted(partial(_read, body))())
    assert NAME.encode() not in left and b"<NAME>" in left and left.count(b"\n") == body.count(b"\n")
    again = conform([_member(left)], _rules("DRUGALLERGY", names=thinner(PEOPLE, KEYS, GONE)))
    before = conform([_member(body)], _rules("DRUGALLERGY", Tombstones(), PEOPLE))
    assert again.rows.sort("_line")["dname"].to_list()[0] == before.rows["dname"].to_list()[0]
    assert again.rows.sort("_line")["_row"].to_list()[0] == before.rows["_row"].to_list()[0]


def test_the_citizen_id_goes_from_other_lines_in_any_spelling() -> None:
    body = FIRST["SERVICE.txt"]
    changes = _compared("SERVICE", body)
    assert changes is not None
    left = b"".join(changes.redacted(partial(_read, body))()).decode("cp874").split("\r\n")
    assert SPELLED not in "".join(left) and CID not in "".join(left)
    before = body.decode("cp874").split("\r\n")
    assert [at for at, line in enumerate(left) if line == before[at]] == [0, 1, 6]
    assert left[3] == before[3].replace(SPELLED, "<CID>") and left[2] == left[4] == left[5] == "<ERASED>"


def test_a_member_read_in_pieces_is_redacted_as_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [visit(f"P{n % 3 + 1}", f"V{n}", CID if n % 3 == 0 else "") for n in range(60)]
    body = sheet(SERVICE, *rows)
    whole = _compared("SERVICE", body)
    monkeypatch.setattr(compare, "read_sheets", partial(compare.read_sheets, most=300))
    pieces = _compared("SERVICE", body)
    assert whole is not None and pieces is not None and whole.edits == pieces.edits
    assert sorted(whole.edits) == [n + 2 for n in range(60) if n % 3 == 0]


def test_a_member_without_the_person_is_left_alone() -> None:
    assert _compared("SERVICE", sheet(SERVICE, visit("P2", "V1", OTHER))) is None


def test_a_redaction_that_would_change_another_row_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = compare.Changes.redacted
    broken = {3: {1: "P7"}}

    def _wrong(self: Changes, read: object) -> object:
        return genuine(replace(self, edits=self.edits | broken), read)  # type: ignore[arg-type]

    monkeypatch.setattr(compare.Changes, "redacted", _wrong)
    with pytest.raises(StoreError, match=r"erasure\.differs"):
        _compared("SERVICE", sheet(SERVICE, visit("P1", "V1"), visit("P2", "V2", OTHER)))


def test_a_headerless_member_keeps_its_layout_when_its_first_line_goes() -> None:
    row = f"{AT}|{{}}|20200131|E119|99001|99001||03|20260801120000"
    body = "\r\n".join([row.format("P1"), row.format("P2")]).encode()
    changes = _compared("CHRONIC", body)
    assert changes is not None
    left = b"".join(changes.redacted(partial(_read, body))())
    assert left.split(b"\r\n")[0] == b"<ERASED>" + b"|" * 8
    done = conform([_member(left)], _rules("CHRONIC"))
    assert done.members[0].codes == ("file.headerless",) and done.members[0].accepted == 1


def test_the_book_without_the_person_is_the_same_book_when_nobody_of_it_is_erased() -> None:
    assert thinner(PEOPLE, KEYS, Tombstones(frozenset({"p1.nobody"}))) is PEOPLE
    left = thinner(PEOPLE, KEYS, GONE)
    assert left.people["pid"].to_list() == ["P2", "P3"] and cids(PEOPLE, KEYS, GONE) == {CID}


def test_stored_rows_are_rewritten_as_conform_gives_them() -> None:
    before = conform([_member(FIRST["PERSON.txt"])], _rules("PERSON", Tombstones())).rows
    after = conform([_member(FIRST["PERSON.txt"])], _rules("PERSON")).rows
    stored = before.with_columns(pl.lit("b1").alias("_batch")).with_row_index("at")
    left = without_them(stored, contracts()["PERSON"], GONE, pl.DataFrame(schema=MOVED), {"R1": AT})
    assert left.sort("at").drop("at", "_batch").equals(after.sort("_line"))


PROVIDER = "HOSPCODE|PROVIDER|CID|NAME|LNAME|SEX|BIRTH|PROVIDERTYPE|STARTDATE|D_UPDATE"


def test_an_id_that_goes_from_a_line_of_staff_goes_from_bronze_as_well() -> None:
    row = f"{AT}|{{}}|{{}}|ฟฟฟ|ฟฟฟ|1|19800101|01|20200101|20260901080000"
    body = sheet(PROVIDER, row.format("D1", CID), row.format("D2", OTHER))
    changes = _compared("PROVIDER", body)
    assert changes is not None and list(changes.edits) == [2]
    left = b"".join(changes.redacted(partial(_read, body))())
    before = conform([_member(body)], _rules("PROVIDER", Tombstones())).rows
    after = conform([_member(left)], _rules("PROVIDER")).rows
    told = moved(changes, contracts()["PROVIDER"]).with_columns(
        _receipt=pl.lit("R1"), _member=pl.lit(1, pl.Int32)
    )
    stored = before.with_columns(pl.lit("b1").alias("_batch")).with_row_index("at")
    rows = without_them(stored, contracts()["PROVIDER"], GONE, told.select(list(MOVED)), {"R1": AT})
    assert rows.sort("at").drop("at", "_batch").equals(after.sort("_line"))
    assert rows["cid"].null_count() == 1 and before["cid"].null_count() == 0


def test_a_rewritten_file_keeps_folder_range_and_mark() -> None:
    path = "bronze-1/aa-again-00001-99001-99001.parquet"
    once = _keep_marks(path, "0123abcd")
    assert once == "bronze-1/erased-0123abcd-aa-again-00001-99001-99001.parquet"
    assert _keep_marks(once, "ffffffff") == once.replace("0123abcd", "ffffffff")


def test_a_remade_zip_reads_the_same_each_time_and_keeps_order_names_and_methods() -> None:
    with zipfile.ZipFile(io.BytesIO(zipped(FIRST))) as opened:
        members = [(item, partial(_read, FIRST[item.filename])) for item in opened.infolist()]
    made = Remade(members, b"c")
    first, second = made.read(1 << 20), (made.seek(0), made.read(10), made.read(1 << 20))
    assert hashlib.sha256(first).digest() == hashlib.sha256(b"".join(second[1:])).digest()
    with zipfile.ZipFile(io.BytesIO(first)) as again:
        assert {item.filename: again.read(item) for item in again.infolist()} == FIRST
        assert list(FIRST) == again.namelist() and again.comment == b"c"


def test_what_is_no_citizen_id_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    from khlang.settings import Settings
    from khlang.stewardship.subject import by_cid, by_pseudonym

    with pytest.raises(SettingsError, match=r"erasure\.cid") as refused:
        by_cid(Settings(), "1234567890122")  # type: ignore[call-arg]
    assert "1234567890122" not in str(refused.value)
    for who, which in (("l1." + "a" * 22, ""), ("", "P1"), ("somebody", "")):
        with pytest.raises(SettingsError, match=r"erasure\.subject"):
            by_pseudonym(who, which)


@pytest.mark.stack
def test_tombstones_of_a_batch_are_kept_once_and_adopted_when_they_were_looked_up(ledger: Ledger) -> None:
    from sqlalchemy.orm import Session

    from khlang.lake.ledger import Subject
    from khlang.lake.ledger.erasure import tell_met

    ledger.ask_erasure(
        Subject("p1.a", (("person", "p1.a"), ("patient", "l1.a")), ()), "cause", "office", "test"
    )
    for _ in range(2):
        with Session(ledger.engine) as session, session.begin():
            tell_met(session, Met((), (("patient", "l1.b"),)))
    assert ledger.tombstones() == Tombstones(frozenset({"p1.a"}), frozenset({"l1.a", "l1.b"}))
    assert ledger.found_later() == {"l1.b"}
    ledger.widen_erasure(Subject("", (("referral", "r1.c"),), ()), {"l1.b"})
    assert not ledger.found_later() and ledger.tombstones().referrals == {"r1.c"}
    assert ledger.verify_audit() is None
