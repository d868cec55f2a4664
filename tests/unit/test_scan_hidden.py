"""Where somebody might hide a value from the scan: two packings at once, cells without anything between, volumes."""

from __future__ import annotations

import base64
import io
import os
import sqlite3
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from khlang.lake.scan.files import scan_paths
from khlang.lake.scan.members import Walk

from .planted import CID, NAME, PHONE, VALUES, kinds, report, search

TEXT = f"patient {NAME} {CID} seen"
OTHERS = ("9870001234575", "9870001234583", "9870001234591")
"""Numbers that nobody looks for."""


def _found(content: bytes) -> dict[str, int]:
    told = report()
    Walk(told).file("file", io.BytesIO(content))
    return kinds(told.hits())


def _zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", method) as made:
        for name, content in members:
            made.writestr(name, content)
    return body.getvalue()


@pytest.mark.parametrize("wide", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "pack", [base64.b64encode, base64.urlsafe_b64encode, bytes.hex], ids=lambda p: p.__name__
)
def test_utf16_inside_base64_and_hex_is_read(pack: Callable[[bytes], str | bytes], wide: str) -> None:
    packed = pack(TEXT.encode(wide))
    content = packed if isinstance(packed, bytes) else packed.encode()
    assert {search().kinds[one.index] for one in search().find(b'{"text": "' + content + b'"}')} >= {
        "cid",
        "full_name",
    }


@pytest.mark.parametrize(
    "told",
    ["".join(f"&#{ord(mark)};" for mark in NAME), "".join(f"&#x{ord(mark):X};" for mark in NAME),
     "".join(f"={byte:02X}" for byte in NAME.encode()), "".join(f"&#{ord(mark)};" for mark in CID),
     "".join(f"%{byte:02x}" for byte in CID.encode()), "".join(f"&#x{ord(mark):02x};" for mark in CID)],
    ids=["decimal", "hexadecimal", "quoted printable", "digits", "percent digits", "short hexadecimal"],
)  # fmt: skip
def test_entities_and_quoted_letters_are_read(told: str) -> None:
    assert search().find(f"<td>{told}</td>".encode())


@pytest.mark.parametrize("place", range(4))
def test_numbers_side_by_side_in_a_column_of_arrow_are_told_apart(place: int) -> None:
    cells = [*OTHERS[:place], CID, *OTHERS[place:]]
    assert _found(pa.array(cells).buffers()[2].to_pybytes()) == {"cid": 1}


def test_a_number_across_two_others_is_not_found() -> None:
    assert _found(f"1{CID}{OTHERS[0][:-1]}".encode()) == {}


def test_arrow_files_and_streams_are_read() -> None:
    table = pa.table({"cid": [*OTHERS, CID], "name": ["x", "y", NAME, "z"]})
    for made in (pa.ipc.new_file, pa.ipc.new_stream):
        body = io.BytesIO()
        with made(body, table.schema) as writer:
            writer.write_table(table)
        assert _found(body.getvalue()).keys() >= {"cid", "full_name"}


def test_the_rows_of_sqlite_are_read_one_cell_at_a_time(tmp_path: Path) -> None:
    made = sqlite3.connect(tmp_path / "a.db")
    made.execute("create table seen (hn text, cid text, phone text, name text)")
    made.execute("insert into seen values ('12345', ?, ?, ?)", (CID, PHONE, NAME))
    made.commit()
    made.close()
    assert _found((tmp_path / "a.db").read_bytes()).keys() >= {"cid", "phone", "full_name"}


def test_a_zip_in_a_zip_in_a_zip_is_read() -> None:
    inner = _zipped(("a.txt", TEXT.encode()))
    assert "cid" in _found(_zipped(("b.zip", _zipped(("c.zip", inner)))))


@pytest.mark.parametrize("before", [b"\0" * 500, b"plain text\n" * 800], ids=["volume", "log"])
def test_a_member_of_a_zip_is_read_where_no_directory_names_it(before: bytes) -> None:
    packed = _zipped(("sheet1.xml", b"<v>" + TEXT.encode() + b"</v>"))
    cut = packed[: packed.index(b"PK\x01\x02")]
    assert "cid" in _found(before + cut + b"\0" * 100)


def test_a_spreadsheet_is_read() -> None:
    sheet = f"<row><c><v>{CID}</v></c><c t='inlineStr'><is><t>{NAME}</t></is></c></row>".encode()
    assert _found(_zipped(("xl/worksheets/sheet1.xml", sheet))).keys() >= {"cid", "full_name"}


def test_a_packed_stream_of_a_pdf_is_read() -> None:
    stream = zlib.compress(f"BT ({CID}) Tj ET".encode() * 3)
    body = b"%PDF-1.7\n1 0 obj\n<</Filter/FlateDecode>>\nstream\r\n" + stream + b"\r\nendstream\nendobj\n"
    assert "cid" in _found(body)


def test_a_member_with_members_behind_bytes_of_no_kind_is_read() -> None:
    import gzip

    body = gzip.compress(b"\0" * 600 + gzip.compress(TEXT.encode()))
    assert "cid" in _found(body)


def test_names_of_empty_folders_and_of_what_links_point_to_are_read(tmp_path: Path) -> None:
    (tmp_path / "seen" / f"patient {CID}").mkdir(parents=True)
    os.symlink(f"../gone/{PHONE}", tmp_path / "seen" / "link")
    told = report()
    scan_paths(Walk(told), [tmp_path / "seen"])
    assert kinds(told.hits()) == {"cid": 1, "phone": 1}
    assert not any(value in hit.where for hit in told.hits() for value in VALUES.values())
