"""A member that is read in pieces gives what it gives when it is read whole, wherever the pieces are cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from khlang.conform import decode, parse, stream
from khlang.conform.conform import Rules, conform
from khlang.conform.decode import plain
from khlang.conform.large import conform_large, marked
from khlang.conform.stream import Read, Survey, pieces
from khlang.conform.text.names import Names
from khlang.model.contract import contracts
from khlang.model.policy import policy
from members import FACILITY, KEYS, member

RULES = Rules(contracts()["CHRONIC"], policy("lake"), KEYS, Names.merge([]))
HEADER = "HOSPCODE|PID|DATE_DIAG|CHRONIC|TYPEDISCH|D_UPDATE"

LINES = st.lists(
    st.sampled_from(
        [
            "", "  ", "short|line", f"{FACILITY}|P1|20200131|E119|03|20260801120000", "ไข้\rหวัด", "a\x00b",
            f"{FACILITY}|P1|20200131|E119|01|20260801120000", f"{FACILITY}|P2|25630131|E11.9|3|",
            f"{FACILITY}|P3|๒๐๒๐0131|E119|77|20260801120000", f"{FACILITY}||20200131|E119|03|20260801120000",
            "10002|P4|20200131|E119|03|20260801120000", f"{FACILITY}|P5|bad|E119|03|20260801120000",
        ]
    ),
    max_size=30,
)  # fmt: skip
ENDS = st.sampled_from(["\r\n", "\n", "\r"])
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "cp874", "utf-16"])


def _read(body: bytes, chunk: int) -> Read:
    def _chunks() -> Iterator[bytes]:
        return (body[at : at + chunk] for at in range(0, len(body), chunk))

    return _chunks


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(alphabet="กไ้a|\r\n\ufffd", max_size=80).map(str.encode),
        st.builds(lambda text, of: text.encode(of), st.text(alphabet="กไ้a|\r\n ", max_size=80), ENCODINGS),
    ),
    st.integers(1, 17),
    st.integers(1, 40),
)
@example(b"a\rb", 1, 1)
@example(b"a\r\nb\r", 1, 1)
@example(b"\xff\xfea\x00\n", 1, 1)
@example(b"\xef\xbb\xbf\xff\r\xa1", 3, 1)
@example(b"\xe0\xb9", 1, 1)
def test_a_text_read_in_pieces_is_the_whole_text(body: bytes, chunk: int, most: int) -> None:
    body = body if chunk > 2 else body.removeprefix(b"\xef\xbb\xbf")  # a first chunk holds the mark
    whole = plain(body)
    survey = Survey.of(_read(body, max(chunk, 3))())
    found = list(pieces(_read(body, max(chunk, 3)), survey, most))
    assert b"".join(piece.text for piece in found) == whole.text
    assert {piece.repaired for piece in found} <= {whole.repaired} and survey.repaired == whole.repaired
    failing, gone = [], 0
    for piece in found:
        failing += [gone + index for index in piece.failing]
        gone += piece.text.count(b"\n")
    assert tuple(failing) == whole.failing


@settings(max_examples=150, deadline=None)
@given(LINES, ENDS, ENCODINGS, st.booleans(), st.integers(1, 400), st.booleans())
def test_a_member_conformed_in_pieces_gives_the_same_rows_and_the_same_account(
    lines: list[str], end: str, encoding: str, ended: bool, most: int, headed: bool
) -> None:
    text = end.join([*([HEADER] if headed else []), *lines]) + (end if ended else "")
    body = text.encode(encoding, errors="ignore")
    whole = conform([member(body)], RULES)
    taken: list[pl.DataFrame] = []
    large = conform_large(member(b""), _read(body, 7), RULES, lambda _, rows: taken.append(rows), most)
    for piece, replaced in large.repeated.items():
        taken[piece] = marked(taken[piece], replaced)
    together = pl.concat([whole.rows.clear(), *taken])
    assert together.sort("_line").equals(whole.rows.sort("_line"))
    assert large.result == replace(whole.members[0])


def test_a_line_that_is_too_long_is_refused_and_the_others_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (decode, parse, stream):
        monkeypatch.setattr(module, "LONGEST_LINE", 100)
    good = f"{FACILITY}|P{{}}|20200131|E119|03|20260801120000"
    fits = good.format("9").ljust(100)
    for long in ("x" * 101, "x" * 5000, good.format("8" * 200), "ไ" * 34, "x" * 100 + "\r" + "y"):
        body = "\r\n".join([HEADER, good.format(1), long, fits, good.format(2)]).encode()
        whole = conform([member(body)], RULES)
        taken: list[pl.DataFrame] = []
        large = conform_large(member(b""), _read(body, 64), RULES, lambda _, rows: taken.append(rows), 90)  # noqa: B023
        assert pl.concat(taken).sort("_line").equals(whole.rows.sort("_line")), long[:10]
        assert large.result.faults["row.width", None] == 1 and large.result.refused == 1
        assert (large.result.delivered, large.result.accepted) == (4, 3)


@pytest.mark.parametrize("end", ["\n", "\r"])
@pytest.mark.parametrize(
    ("encoding", "wrong"), [("utf-8", b"\xff"), ("utf-16", b"\x00\xd8|\x00")], ids=["bytes", "utf-16"]
)
def test_a_line_that_is_too_long_is_named_so_even_where_its_end_can_not_be_decoded(
    monkeypatch: pytest.MonkeyPatch, encoding: str, wrong: bytes, end: str
) -> None:
    for module in (decode, parse, stream):
        monkeypatch.setattr(module, "LONGEST_LINE", 100)
    good = f"{FACILITY}|P1|20200131|E119|03|20260801120000"
    body = end.join([HEADER, good, "ก" * 500]).encode(encoding) + wrong
    whole = conform([member(body)], RULES)
    taken: list[pl.DataFrame] = []
    large = conform_large(member(b""), _read(body, 64), RULES, lambda _, rows: taken.append(rows), 90)
    assert whole.members[0].faults == {("row.width", None): 1} and whole.members[0].accepted == 1
    assert large.result == whole.members[0]
    assert pl.concat(taken).sort("_line").equals(whole.rows.sort("_line"))


def test_a_first_line_that_is_too_long_is_no_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse, "LONGEST_LINE", 100)
    for body, rows in ((b"x" * 200, 1), (HEADER.encode() + b"|" * 200 + b"\n1\n", 2)):
        account = conform([member(body)], RULES).members[0]
        assert (account.codes, account.delivered, account.refused) == (("file.header",), rows, rows)
