"""The door on real stores: what is offered is safe, sealed, judged, recorded, and said once."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from khlang.errors import KhlangError, StoreError
from khlang.lake import stores as addresses
from khlang.lake.ledger import Delivery, Ledger
from khlang.lake.names import book
from khlang.lake.vault import PART, Vault, open_sealed
from khlang.landing.deliver import deliver, deliver_all
from khlang.settings import Settings

from .landing_lake import lake, ledger
from .zips import zipped

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["lake", "ledger"]
pytestmark = pytest.mark.stack

HEAD = "HOSPCODE|PID|HID|NAME|LNAME|HN|CID|TELEPHONE|SEX|BIRTH|D_UPDATE"


def person(pid: int, name: str = "สมหญิง", hospcode: str = "99001") -> bytes:
    row = f"{hospcode}|{pid:06d}|1|{name}|ทดสอบ|{pid}||0812345678|2|19800101|20261101083000"
    return f"{HEAD}\r\n{row}\r\n".encode()


@pytest.fixture
def client(lake: Settings) -> S3Client:
    return addresses.boto(lake, "landing")


_second = iter(range(1, 10**6))


def name_of(hospcode: str = "99001", at: int | None = None) -> str:
    """A zip name of a time that no other test uses."""
    number = next(_second) if at is None else at
    return f"F43_{hospcode}_{datetime(2026, 11, 1) + timedelta(seconds=number):%Y%m%d%H%M%S}.zip"


def written(folder: Path, members: dict[str, bytes], name: str | None = None) -> Path:
    path = folder / (name or name_of())
    path.write_bytes(zipped(members))
    return path


_pid = iter(range(1, 10**6))


def fresh(folder: Path, name: str | None = None, hospcode: str = "99001") -> Path:
    """A zip that nobody has sent before."""
    return written(folder, {"PERSON.txt": person(next(_pid), hospcode=hospcode)}, name or name_of(hospcode))


def put(client: S3Client, lake: Settings, key: str, body: bytes) -> None:
    client.put_object(Bucket=lake.bucket("inbox"), Key=key, Body=body)


@pytest.fixture
def inbox(lake: Settings, client: S3Client) -> Iterator[set[str]]:
    """Keys that lie in the inbox when the set is asked; emptied before and after."""

    class Keys(set[str]):
        def __iter__(self) -> Iterator[str]:
            listed = client.list_objects_v2(Bucket=lake.bucket("inbox")).get("Contents", [])
            return iter([entry["Key"] for entry in listed])

    for key in Keys():
        client.delete_object(Bucket=lake.bucket("inbox"), Key=key)
    yield Keys()
    for key in Keys():
        client.delete_object(Bucket=lake.bucket("inbox"), Key=key)


def test_a_delivered_zip_comes_back_byte_for_byte_and_is_sealed(
    lake: Settings, client: S3Client, tmp_path: Path
) -> None:
    path = fresh(tmp_path)
    found = deliver(lake, path)
    assert (found.state, found.code, found.hospcode, found.name) == ("checked", None, "99001", path.name)
    assert found.place == f"99001/{found.sha256}/{found.receipt}"
    with open_sealed(lake, found.place) as sealed, zipfile.ZipFile(sealed) as opened:
        assert opened.namelist() == ["PERSON.txt"]
        sealed.seek(0)
        assert sealed.read() == path.read_bytes()
    stored = client.get_object(Bucket=lake.bucket("landing"), Key=found.place)["Body"].read()
    assert b"PK\x03\x04" not in stored and b"PERSON" not in stored


def test_a_delivered_zip_can_be_neither_removed_nor_overwritten(
    lake: Settings, client: S3Client, tmp_path: Path
) -> None:
    found = deliver(lake, fresh(tmp_path))
    place = {"Bucket": lake.bucket("landing"), "Key": found.place}
    head = client.head_object(**place)
    assert head["ObjectLockMode"] == "COMPLIANCE" and head["ObjectLockRetainUntilDate"] > head["LastModified"]
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(**place, VersionId=head["VersionId"])
    with Vault(lake).reader(found) as before:
        whole = before.read()
    forged = io.BytesIO(bytes(found.size))
    with pytest.raises(ClientError, match="PreconditionFailed"):
        client.put_object(**place, Body=forged.getvalue(), IfNoneMatch="*")
    with pytest.raises(StoreError, match=r"vault\.differs"):
        Vault(lake).put(_with(found, sha256="0" * 64), forged)
    with Vault(lake).reader(found) as after:
        assert after.read() == whole


def _with(delivery: Delivery, **changed: object) -> Delivery:
    from dataclasses import replace

    return replace(delivery, **changed)  # type: ignore[arg-type]


def test_an_altered_object_is_noticed_when_it_is_read(
    lake: Settings, client: S3Client, tmp_path: Path
) -> None:
    found = deliver(lake, fresh(tmp_path))
    place = {"Bucket": lake.bucket("landing"), "Key": found.place}
    body = bytearray(client.get_object(**place)["Body"].read())
    body[-20] ^= 1
    client.put_object(**place, Body=bytes(body))  # a new version on top: the lock keeps the old one
    with pytest.raises(StoreError, match=r"vault\.tampered"), open_sealed(lake, found.place) as sealed:
        sealed.read()


def test_a_large_zip_goes_in_parts_and_is_read_by_ranges(
    lake: Settings, client: S3Client, tmp_path: Path
) -> None:
    import random

    noise = random.Random(1).randbytes(PART + 3_000_000).hex().encode()
    path = tmp_path / name_of()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as made:
        made.writestr("PERSON.txt", person(next(_pid)))
        made.writestr("NOTE.txt", noise)
    found = deliver(lake, path)
    assert found.state == "checked"
    etag = client.head_object(Bucket=lake.bucket("landing"), Key=found.place)["ETag"]
    assert re.search(r"-[0-9]+\"$", etag), "a large object is uploaded in parts"
    with open_sealed(lake, found.place) as sealed, zipfile.ZipFile(sealed) as opened:
        assert opened.read("NOTE.txt") == noise


def test_the_same_members_again_are_a_duplicate_however_they_come(lake: Settings, tmp_path: Path) -> None:
    members = {"PERSON.txt": person(next(_pid)), "readme.pdf": b"%"}
    first = deliver(lake, written(tmp_path, members))
    in_folder = {f"x/{name}": body for name, body in reversed(members.items())}
    again = tmp_path / name_of()
    again.write_bytes(zipped(in_folder, zipfile.ZIP_STORED))
    for path in (written(tmp_path, members), again):
        found = deliver(lake, path)
        assert (found.state, found.code, found.duplicate_of) == ("duplicate", "zip.duplicate", first.receipt)


def test_refused_zips_are_kept_and_only_their_code_is_told(lake: Settings, tmp_path: Path) -> None:
    bad_name = tmp_path / "สมชาย-1101700203451.zip"
    bad_name.write_bytes(zipped({"PERSON.txt": person(next(_pid))}))
    torn = written(tmp_path, {"PERSON.txt": person(next(_pid))})
    torn.write_bytes(torn.read_bytes()[:-9])
    strange = fresh(tmp_path, hospcode="99998")
    found = deliver_all(lake, [bad_name, torn, strange])
    assert [(d.state, d.code) for d in found] == [
        ("rejected", "zip.name"), ("rejected", "zip.unreadable"), ("rejected", "facility.unknown"),
    ]  # fmt: skip
    assert found[0].name == found[0].receipt and found[0].place.startswith("_unnamed/")
    assert "1101700203451" not in repr(found[0])
    for delivery, path in zip(found, (bad_name, torn, strange), strict=True):
        with open_sealed(lake, delivery.place) as sealed:
            assert sealed.read() == path.read_bytes()


def test_a_missing_file_stops_before_anything_is_taken(
    lake: Settings, ledger: Ledger, tmp_path: Path
) -> None:
    before = len(ledger.deliveries())
    with pytest.raises(KhlangError, match=r"zip\.missing"):
        deliver_all(lake, [fresh(tmp_path), tmp_path / "gone.zip"])
    assert len(ledger.deliveries()) == before


def test_zips_arrive_in_the_order_given_over_many_chunks(lake: Settings, tmp_path: Path) -> None:
    paths = [fresh(tmp_path, hospcode=f"9900{1 + n % 3}") for n in range(130)]
    told: list[str] = []
    found = deliver_all(lake, paths, lambda delivery: told.append(delivery.name))
    assert told == [path.name for path in paths]
    arrivals = [delivery.arrival for delivery in found]
    assert arrivals == sorted(arrivals) and {delivery.state for delivery in found} == {"checked"}


def test_names_of_accepted_zips_and_of_no_others_are_in_the_facilitys_book(
    lake: Settings, tmp_path: Path
) -> None:
    before = book(lake, "99002").people.height
    members = {"PERSON.txt": person(7, "มาลี", "99002")}
    deliver(lake, written(tmp_path, members, name_of("99002")))
    deliver(lake, written(tmp_path, members, name_of("99002")))
    torn = written(tmp_path, {"PERSON.txt": person(8, "มานะ", "99002")}, name_of("99002"))
    torn.write_bytes(torn.read_bytes()[:-9])
    deliver(lake, torn)
    names = book(lake, "99002")
    assert names.known("99002", "000007") and not names.known("99002", "000008")
    assert names.people.height == before + 1


def test_names_are_read_from_padded_blank_and_old_encodings(lake: Settings, tmp_path: Path) -> None:
    rows = [" 99003 |11||ก|ข||||||", "|12||ค|ง||||||", "99003|13||จ|ฉ|"]
    body = "\n".join([HEAD, *rows]).encode("cp874")
    deliver(lake, written(tmp_path, {"Person.TXT": body}, name_of("99003")))
    names = book(lake, "99003")
    assert names.known("99003", "11") and names.known("99003", "12")


def test_a_name_book_is_sealed_and_a_damaged_one_is_not_read_as_empty(
    lake: Settings, client: S3Client, tmp_path: Path
) -> None:
    found = deliver(lake, written(tmp_path, {"PERSON.txt": person(9, "สมปอง")}, name_of()))
    place = {"Bucket": lake.bucket("landing"), "Key": f"_names/99001/{found.receipt}"}
    body = client.get_object(**place)["Body"].read()
    assert "สมปอง".encode() not in body and b"000009" not in body
    client.put_object(**place, Body=body[:-1] + bytes([body[-1] ^ 1]))
    with pytest.raises(StoreError, match=r"vault\.tampered"):
        book(lake, "99001")
    client.put_object(**place, Body=body)
    assert book(lake, "99001").known("99001", "000009")
