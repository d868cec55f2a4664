"""Names of many zips read at once: each zip's are what it tells when it is read alone."""

from __future__ import annotations

from datetime import datetime

import polars as pl
import pytest

from khlang.conform.member import Member
from khlang.conform.people import names_of, names_of_each
from khlang.conform.text.names import HOME, PERSON, PROVIDER, Names

LONG = "HOSPCODE|PID|HID|NAME|LNAME|HN|CID|TELEPHONE|SEX|BIRTH|D_UPDATE"
SHORT = "PID|CID|NAME|LNAME|D_UPDATE"
STAFF = "HOSPCODE|PROVIDER|REGISTERNO|COUNCIL|CID|PRENAME|NAME|LNAME|D_UPDATE"


def member(number: int, *lines: str, encoding: str = "utf-8") -> Member:
    body = "\r\n".join(lines).encode(encoding)
    return Member(f"R{number}", 1, f"0000{number}", datetime(2026, 11, 1), number, body)


ZIPS = [
    {"PERSON": [member(1, LONG, "00001|1|7|สมชาย|ใจดี|5|1|08|1|19800101|2026", "00001|1|7|สมชาย|ใจดี|5|1|08|1||2026")]},
    {},
    {"PERSON": [member(2, LONG, "00001|1|7|สมหญิง|ใจดี|5|1||2||", " 2 |3||ก|ข||||||", "|4||ค|ง||||||")]},
    {"PERSON": [member(3, SHORT, "9|1|มานะ|ก|2026", encoding="cp874")],
     "PROVIDER": [member(3, STAFF, "00003|A|||||หมอ|ดี|")]},
    {"PERSON": [member(4, LONG)], "HOME": [member(4, "no header of any kind")]},
    {"PROVIDER": [member(5, STAFF, "00005|A|||||หมอ|ดี|", "00005|B|||||||")], "HOME": [member(5, "")]},
    {"PERSON": [member(6, LONG, "00006|1|7|ก|ข|too|short"), member(6, LONG, "00006|2||ก|ข||||||")]},
]  # fmt: skip


def test_zips_read_together_tell_what_each_tells_alone() -> None:
    together = names_of_each(ZIPS)
    for members, stored in zip(ZIPS, together, strict=True):
        alone = names_of(members)
        empty = not (alone.people.height or alone.homes.height or alone.staff.height)
        assert (stored is None) == empty
        assert stored is None or Names.from_bytes(stored) == alone
    assert sum(stored is not None for stored in together) == 5


def test_nobody_is_told_by_no_zip() -> None:
    assert names_of_each([]) == [] and names_of_each([{}, {}]) == [None, None]


def test_many_stored_books_are_one_book_whatever_their_order() -> None:
    stored = [book for book in names_of_each(ZIPS) if book is not None]
    merged = Names.merge([Names.from_bytes(book) for book in stored])
    assert Names.from_parts(stored) == Names.from_parts([*reversed(stored), stored[0]]) == merged
    assert Names.from_parts([]) == Names.from_frames(None, None, None)


def test_a_book_in_the_older_form_is_read_beside_newer_ones() -> None:
    import io

    book = names_of(ZIPS[3])
    columns = {c.lower(): pl.String for c in (*PERSON, *HOME, *PROVIDER)}
    parts = {"people": book.people, "homes": book.homes, "staff": book.staff}
    marked = [frame.with_columns(pl.lit(part).alias("part")) for part, frame in parts.items()]
    older = io.BytesIO()
    pl.concat([pl.DataFrame(schema={**columns, "part": pl.String}), *marked], how="diagonal").write_ipc(older)
    assert Names.from_bytes(older.getvalue()) == book
    assert Names.from_parts([older.getvalue(), book.to_bytes()]) == book


@pytest.mark.parametrize("part", ["people", "homes", "staff"])
def test_a_stored_book_that_lacks_a_column_is_refused(part: str) -> None:
    import json
    import zlib

    from khlang.errors import PrivacyError

    with pytest.raises(PrivacyError, match=r"names\.unreadable"):
        Names.from_bytes(zlib.compress(json.dumps({part: {"hospcode": ["00001"]}}).encode()))
