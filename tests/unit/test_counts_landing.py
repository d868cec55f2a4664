"""What the door and the readers of landing ask of the stores: so many requests a zip, so many statements a chunk."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import polars as pl
import pytest
from botocore.httpsession import URLLib3Session
from sqlalchemy import Engine, event

from khlang.conform.unpack import Unpacked
from khlang.errors import PrivacyError
from khlang.lake.ledger import Ledger
from khlang.lake.names import NameBooks, books
from khlang.lake.vault import open_many
from khlang.landing import job
from khlang.landing.deliver import deliver, deliver_all
from khlang.settings import Settings

from .landing_lake import lake, ledger
from .test_door import HEAD, client, fresh, inbox, name_of, put, written

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["client", "inbox", "lake", "ledger"]
pytestmark = pytest.mark.stack


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Requests to the stores by method and what they are for, statements to the database as `SQL`."""
    counts: Counter[str] = Counter()
    real = URLLib3Session.send

    def send(session: URLLib3Session, request: Any) -> Any:
        bucket, _, key = urlsplit(request.url).path.removeprefix("/").partition("/")
        zone = "names" if key.startswith("_names/") else bucket.rpartition("-")[2]
        counts[f"{request.method} {zone}"] += 1
        return real(session, request)

    def execute(*_: object) -> None:
        counts["SQL"] += 1

    event.listen(Engine, "before_cursor_execute", execute)
    with monkeypatch.context() as patched:
        patched.setattr(URLLib3Session, "send", send)
        try:
            yield counts
        finally:
            event.remove(Engine, "before_cursor_execute", execute)


def offered(lake: Settings, client: S3Client, folder: Path, count: int) -> None:
    for _ in range(count):
        path = fresh(folder)
        put(client, lake, f"99001/{path.name}", path.read_bytes())


def test_a_zip_costs_four_requests_and_a_chunk_of_them_as_many_statements_as_one(
    lake: Settings, client: S3Client, inbox: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements = []
    for zips in (1, 12):
        offered(lake, client, tmp_path, zips)
        with counted(monkeypatch) as counts:
            done = job.run(lake)
        assert done is not None and done.checked == zips
        statements.append(counts.pop("SQL"))
        assert counts == {
            "GET inbox": 1 + zips, "PUT landing": zips, "GET landing": zips, "PUT names": zips, "POST inbox": 1,
        }  # fmt: skip
    assert statements[0] == statements[1] <= 24


def test_many_zips_are_opened_by_one_query_and_one_request_each(
    lake: Settings,
    ledger: Ledger,
    client: S3Client,
    inbox: set[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    offered(lake, client, tmp_path, 9)
    job.run(lake)
    places = [delivery.place for delivery in ledger.deliveries()][-9:]
    with counted(monkeypatch) as counts:
        for place, sealed in open_many(lake, places):
            with sealed, Unpacked(sealed, lake) as unpacked:
                assert b"PID" in unpacked.body(1), place
    assert counts == {"SQL": 1, "GET landing": 9}


def test_the_books_of_many_facilities_are_found_by_one_query(
    lake: Settings, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver_all(lake, [fresh(tmp_path, hospcode=f"9900{1 + n % 3}") for n in range(6)])
    told = [d for d in ledger.deliveries() if d.state == "checked"]
    with counted(monkeypatch) as counts:
        names = books(lake, ["99001", "99002", "99003"])
    assert counts == {"SQL": 1, "GET names": len(told)}
    assert names.people.height == len(told)


def test_zips_come_in_the_order_asked_for_and_an_unknown_one_is_named(
    lake: Settings, ledger: Ledger, tmp_path: Path
) -> None:
    from khlang.errors import SettingsError

    taken = deliver_all(lake, [fresh(tmp_path) for _ in range(7)])
    places = [delivery.place for delivery in reversed(taken)]
    found = [
        (place, io.BytesIO(sealed.read()).getbuffer().nbytes) for place, sealed in open_many(lake, places)
    ]
    assert found == [(delivery.place, delivery.size) for delivery in reversed(taken)]
    with pytest.raises(SettingsError, match=r"receipt\.unknown"):
        next(iter(open_many(lake, ["99001/x/R0000000-XXXXX"])))


def test_a_name_fragment_that_is_gone_is_written_again_from_its_zip(
    lake: Settings, ledger: Ledger, tmp_path: Path
) -> None:
    receipt, shelf = deliver(lake, fresh(tmp_path, hospcode="99002")).receipt, NameBooks(lake)
    told = shelf.of([("99002", receipt)])
    shelf.remove("99002", receipt)
    healed = books(lake, ["99002"])
    assert told.people.height == 1
    assert healed.people.filter(pl.col("pid").is_in(told.people["pid"].implode())).height == 1
    assert shelf.of([("99002", receipt)]) == told


def test_a_zip_of_an_older_release_that_named_nobody_gets_its_empty_book(
    lake: Settings, ledger: Ledger, tmp_path: Path
) -> None:
    named_nobody = written(tmp_path, {"PERSON.txt": f"{HEAD}\r\n".encode()}, name_of("99003"))
    receipt, shelf = deliver(lake, named_nobody).receipt, NameBooks(lake)
    shelf.remove("99003", receipt)
    assert ledger.told_by(["99003"], ["PERSON"])[-1] == ("99003", receipt)
    books(lake, ["99003"])
    assert shelf.of([("99003", receipt)]).people.is_empty()


def test_a_name_fragment_whose_zip_is_gone_too_fails_closed(
    lake: Settings, ledger: Ledger, client: S3Client, tmp_path: Path
) -> None:
    delivery, shelf = deliver(lake, fresh(tmp_path, hospcode="99003")), NameBooks(lake)
    shelf.remove("99003", delivery.receipt)
    zip_of = {"Bucket": lake.bucket("landing"), "Key": delivery.place}
    marker = client.delete_object(**zip_of)["VersionId"]
    try:
        with pytest.raises(PrivacyError, match=r"names\.missing"):
            books(lake, ["99003"])
    finally:
        client.delete_object(**zip_of, VersionId=marker)
    assert books(lake, ["99003"]).people.height >= 1
