"""Bytes of a member -> lines: encodings, line ends, control characters."""

from __future__ import annotations

import pytest

from khlang.conform.decode import Lines, lines, plain

THAI = "ไข้หวัด"


def _read(body: bytes) -> Lines:
    return lines([plain(body).text])


def _lines(body: bytes) -> list[str]:
    found = _read(body)
    return [found.body[start:end].decode() for start, end in zip(found.starts, found.ends, strict=True)]


@pytest.mark.parametrize(
    ("encoded", "repaired"),
    [
        (THAI.encode(), False),
        (b"\xef\xbb\xbf" + THAI.encode(), True),
        (THAI.encode("cp874"), True),
        (THAI.encode("utf-16"), True),
    ],
    ids=["utf-8", "bom", "cp874", "utf-16"],
)
def test_thai_comes_out_right_from_every_encoding(encoded: bytes, repaired: bool) -> None:
    assert _lines(encoded) == [THAI]
    assert plain(encoded).repaired is repaired


def test_a_line_of_no_encoding_is_bad_and_the_rest_is_read() -> None:
    found = plain(THAI.encode() + b"\n\xff\xfe\xfd\xdb\n" + THAI.encode())
    assert found.failing == (1,)
    assert not found.repaired


@pytest.mark.parametrize("body", [b"a\r\nb\r\n", b"a\nb\n", b"a\nb", b"a\rb\r", b"a\rb"])
def test_every_line_end_gives_the_same_lines(body: bytes) -> None:
    assert _lines(body) == ["a", "b"]


@pytest.mark.parametrize("character", [b"\x00", b"\x07", b"\x1b", b"\x7f"])
def test_a_control_character_makes_its_line_bad(character: bytes) -> None:
    assert _read(b"ok\nbro" + character + b"ken\nok").bad.tolist() == [False, True, False]


def test_a_tab_is_a_blank_and_no_control_character() -> None:
    assert not _read(b"a\tb").bad.any()


def test_blank_lines_are_told_apart() -> None:
    assert _read(b"a\n\n  \nb").blank.tolist() == [False, True, True, False]


def test_lines_of_several_texts_keep_their_text_and_number() -> None:
    found = lines([b"a\nb\n", b"c", b"d\n\ne"])
    assert found.owner.tolist() == [0, 0, 1, 2, 2, 2]
    assert found.number.tolist() == [0, 1, 0, 0, 1, 2]
    assert [found.body[s:e] for s, e in zip(found.starts, found.ends, strict=True)] == [
        b"a", b"b", b"c", b"d", b"", b"e"
    ]  # fmt: skip
