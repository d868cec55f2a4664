"""Bytes of a member -> lines: encodings, line ends, control characters."""

from __future__ import annotations

import pytest

from khlang.conform.decode import decode

THAI = "ไข้หวัด"


def _lines(body: bytes) -> list[str]:
    lines = decode(body)
    spans = zip(lines.starts, lines.ends, strict=True)
    return [lines.body[start:end].decode() for start, end in spans]


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
    assert decode(encoded).repaired is repaired


def test_a_line_of_no_encoding_is_bad_and_the_rest_is_read() -> None:
    lines = decode(THAI.encode() + b"\n\xff\xfe\xfd\xdb\n" + THAI.encode())
    assert lines.bad.tolist() == [False, True, False]
    assert not lines.repaired


@pytest.mark.parametrize("body", [b"a\r\nb\r\n", b"a\nb\n", b"a\nb", b"a\rb\r", b"a\rb"])
def test_every_line_end_gives_the_same_lines(body: bytes) -> None:
    assert _lines(body) == ["a", "b"]


@pytest.mark.parametrize("character", [b"\x00", b"\x07", b"\x1b", b"\x7f"])
def test_a_control_character_makes_its_line_bad(character: bytes) -> None:
    assert decode(b"ok\nbro" + character + b"ken\nok").bad.tolist() == [False, True, False]


def test_a_tab_is_a_blank_and_no_control_character() -> None:
    assert not decode(b"a\tb").bad.any()


def test_blank_lines_are_told_apart() -> None:
    assert decode(b"a\n\n  \nb").blank.tolist() == [False, True, True, False]
