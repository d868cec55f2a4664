"""A planted value is found wherever files can hold it: packed, in columns, in statistics, in what was deleted."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import random
import struct
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from khlang.lake.scan.files import outside_landing, scan_paths
from khlang.lake.scan.members import Walk
from khlang.lake.scan.report import Hit, Report
from khlang.settings import Settings

from .planted import CID, NAME, PHONE, SURNAME, VALUES, kinds, report


def _walked(content: bytes, told: Report | None = None) -> Report:
    told = told or report()
    Walk(told).file("file", io.BytesIO(content))
    return told


def _hits(content: bytes) -> list[Hit]:
    return _walked(content).hits()


def _parquet(**columns: pa.Array) -> bytes:
    return _written(pa.table(columns))


def _written(table: pa.Table, **options: object) -> bytes:
    body = io.BytesIO()
    pq.write_table(table, body, **{"compression": "zstd", "write_statistics": False, **options})  # type: ignore[arg-type]
    return body.getvalue()


def _zipped(content: bytes, name: str = "member.log") -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(name, content)
    return body.getvalue()


NOISE = b"2026-11-22 04:08:11 nothing to see\n" * 2000
LOG = NOISE + f"patient {CID} {NAME}\n".encode() + NOISE
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": bytes,
    "gzip": gzip.compress,
    "zstd": lambda content: pa.compress(content, "zstd", asbytes=True),
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zip": _zipped,
    "gzip in zip": lambda content: _zipped(gzip.compress(content)),
    "zip in zip in gzip": lambda content: gzip.compress(_zipped(_zipped(content))),
    "parquet in zip": lambda content: _zipped(_parquet(note=pa.array([content.decode()]))),
}


@pytest.mark.parametrize("packer", PACKERS)
def test_a_log_is_read_through_its_packing(packer: str) -> None:
    assert kinds(_hits(PACKERS[packer](LOG))) == {"cid": 1, "full_name": 1, "lname": 1}
    assert _hits(PACKERS[packer](NOISE)) == []


def test_names_and_comments_of_a_zip_are_searched() -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as packed:
        packed.writestr(f"{CID}.txt", b"x")
        packed.comment = NAME.encode()
    told = _walked(body.getvalue())
    assert {"cid", "full_name"} <= set(kinds(told.hits()))
    assert not any(value in str(told.hits()) for value in VALUES.values())


TEXT = [None, "x", NAME, "y", NAME]
COLUMNS: dict[str, tuple[pa.Array, str, int]] = {
    "string": (pa.array(TEXT), "full_name", 2),
    "large string": (pa.array(TEXT, pa.large_string()), "full_name", 2),
    "binary": (
        pa.array([None if v is None else v.encode("cp874") for v in TEXT], pa.binary()),
        "full_name",
        2,
    ),
    "fixed": (pa.array([CID.encode(), b"0" * 13], pa.binary(13)), "cid", 1),
    "list": (pa.array([[], ["x", CID], None, [CID, CID]]), "cid", 3),
    "struct": (pa.array([{"a": 1, "b": {"c": PHONE}}, None]), "phone", 1),
    "map": (pa.array([[("x", NAME)], [(CID, "y")]], pa.map_(pa.string(), pa.string())), "cid", 1),
    "list of structs": (pa.array([[{"column": "x", "code": SURNAME}]]), "lname", 1),
    "int64": (pa.array([int(CID), 5, None]), "cid", 1),
    "int without zeros": (pa.array([int(PHONE)]), "phone", 1),
    "float": (pa.array([float(CID), 0.5, float("nan")]), "cid", 1),
    "decimal": (pa.array([Decimal(CID), None], pa.decimal128(18, 2)), "cid", 1),
}


@pytest.mark.parametrize("column", COLUMNS)
def test_a_value_in_a_column_of_parquet_is_counted_at_its_column(column: str) -> None:
    array, kind, count = COLUMNS[column]
    hits = [hit for hit in _hits(_parquet(planted=array)) if "#planted" in hit.where]
    assert kinds(hits)[kind] == count


def test_statistics_and_metadata_of_parquet_are_searched() -> None:
    table = pa.table({"a": [CID, "x"]}).replace_schema_metadata({"note": NAME})
    named = pa.table({PHONE: ["x"]})
    footers = [hit for hit in _hits(_written(table, write_statistics=True)) if hit.where == "file#footer"]
    assert {"cid", "full_name"} <= {hit.kind for hit in footers}
    assert not [hit for hit in _hits(_parquet(a=pa.array([CID]))) if hit.where == "file#footer"]
    hits = _hits(_written(named))
    assert kinds(hits)["phone"] and PHONE not in str(hits)


def test_a_delta_log_and_its_checkpoint_are_searched() -> None:
    stats = json.dumps({"numRecords": 1, "minValues": {"cid": CID}})
    action = {"add": {"path": "a.parquet", "stats": stats}}
    assert kinds(_hits(json.dumps(action).encode())) == {"cid": 1}
    checkpoint = _hits(_parquet(add=pa.array([action["add"], None])))
    assert [hit.count for hit in checkpoint if hit.where == "file#add.stats"] == [1]


def _lz4_blocks(content: bytes) -> bytes:
    """As Spark spills: LZ4Block, method, sizes, checksum, block, twice, cut in the middle of the content."""
    blocks = b""
    for part in (content[: len(content) // 2], content[len(content) // 2 :]):
        packed = pa.compress(part, "lz4_raw", asbytes=True)
        blocks += b"LZ4Block" + bytes([0x25]) + struct.pack("<III", len(packed), len(part), 0) + packed
    return blocks


DELETED: dict[str, bytes] = {
    "parquet": _parquet(note=pa.array([LOG.decode()])),
    "parquet, snappy": _written(pa.table({"note": [LOG.decode()]}), compression="snappy"),
    "parquet without its end": _parquet(note=pa.array([LOG.decode()]))[:-40],
    "gzip": gzip.compress(LOG),
    "zstd": pa.compress(LOG, "zstd", asbytes=True),
    "lz4": _lz4_blocks(f"{'.' * 2000}{CID} {NAME}{'.' * 2030}".encode()),
}


@pytest.mark.parametrize("member", DELETED)
def test_what_a_volume_still_holds_packed_is_read(member: str) -> None:
    volume = b"\x03\0\0\0" + bytes(range(256)) * 40
    hits = _hits(volume + DELETED[member] + volume + DELETED[member] + volume)
    assert {"cid", "full_name", "lname"} <= {hit.kind for hit in hits}
    assert _hits(volume * 3) == []


def test_a_parquet_file_that_was_read_already_is_not_read_again_in_its_volume() -> None:
    walk = Walk(report())
    walk.file("s3", io.BytesIO(DELETED["parquet"]))
    before = walk.report.totals["sources"]
    walk.file("volume", io.BytesIO(b"\0" * 64 + DELETED["parquet"] + b"\0" * 64))
    assert {hit.where.partition("!")[0] for hit in walk.report.hits()} == {"s3#note"}
    assert walk.report.totals["sources"] == before + 1


@pytest.mark.parametrize("packer", ["gzip", "zip", "zstd"])
def test_a_broken_member_is_told_and_read_as_far_as_it_goes(packer: str) -> None:
    rest = random.Random(3).randbytes(400_000)
    content = PACKERS[packer](f"{CID} ".encode() + rest)
    told = _walked(content[: len(content) // 2])
    assert told.undecoded and not told.unread
    if packer == "gzip":
        assert [hit.count for hit in told.hits() if hit.where == "file!inflated"] == [1]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a value in every folder."""
    for name in ("landing", "keys", "logs/old", "tmp"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "a.log").write_bytes(LOG)
    (tmp_path / "secrets.json").write_text(f'{{"a": "{CID}"}}')
    return tmp_path


def test_all_of_the_home_but_landing_and_keys_is_searched(home: Path) -> None:
    told = report()
    (home / "logs" / f"{CID}.pid").touch()
    os.mkfifo(home / "run.fifo")
    (home / "link").symlink_to(home / "landing")
    (home / "logs" / "link").symlink_to(home / "landing" / "a.log")
    scan_paths(Walk(told), outside_landing(Settings(home=home)))  # type: ignore[call-arg]
    places = {hit.where.removeprefix(str(home)) for hit in told.hits()}
    assert places == {"/logs/old/a.log", "/tmp/a.log", "/logs (its name)"}
    assert not told.unread


def test_the_file_of_the_values_is_no_leak_of_them(home: Path) -> None:
    told = report()
    scan_paths(Walk(told), [home / "tmp"], spare=[home / "tmp" / "a.log"])
    assert told.hits() == []


def test_a_file_that_may_not_be_read_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = report()

    def refused(path: Path, mode: str) -> io.BytesIO:
        raise PermissionError(str(path))

    monkeypatch.setattr(Path, "open", refused)
    scan_paths(Walk(told), [home / "tmp"])
    assert told.unread == {str(home / "tmp" / "a.log"): "PermissionError"}
    monkeypatch.undo()
    scan_paths(Walk(told), [home / "nowhere"])
    assert str(home / "nowhere") in told.unread
