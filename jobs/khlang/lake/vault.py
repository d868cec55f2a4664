"""Zips of landing: put once under lock, read back before they count, opened by reference."""

from __future__ import annotations

import base64
import hashlib
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from khlang.errors import StoreError
from khlang.lake.keys import KeyStore
from khlang.lake.ledger import Delivery, Ledger
from khlang.lake.sealing import DataKey, Fetch, digest, new_key, open_key, seal, sealed_size, unseal
from khlang.lake.stores import boto
from khlang.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART = 16 << 20
"""Objects up to this size go in one call, larger ones in parts of it."""

_GONE = {"404", "NoSuchKey", "NotFound"}
_CHANGED = {"412", "PreconditionFailed"}
_PAUSES = (0.2, 1.0, 3.0)


def code_of(error: ClientError) -> str:
    """The store's own word for what it refused."""
    return str(error.response.get("Error", {}).get("Code", ""))


def fetcher(client: S3Client, bucket: str, key: str, etag: str | None = None) -> Fetch:
    """Exact ranges of an object; a short answer is asked for again. `etag` pins one content.

    Raises StoreError store.changed when the object is not that content any more, store.read when it fails.
    """
    pinned: dict[str, Any] = {"IfMatch": etag} if etag else {}

    def _fetch(start: int, length: int) -> bytes:
        for pause in (*_PAUSES, None):
            try:
                span = f"bytes={start}-{start + length - 1}"
                answer = client.get_object(Bucket=bucket, Key=key, Range=span, **pinned)
                if len(piece := answer["Body"].read()) == length:
                    return piece
            except ClientError as error:
                if code_of(error) in _CHANGED | _GONE | {"InvalidRange"}:
                    raise StoreError("store.changed", "an object changed or went while it was read") from None
            except (BotoCoreError, HTTPClientError, OSError):
                pass  # dropped in the middle of the answer: asked for again
            if pause is not None:
                time.sleep(pause)
        raise StoreError("store.read", "an object could not be read", next_step="khlang status")

    return _fetch


def _parts(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Pieces -> parts of exactly PART bytes, the last one shorter."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        while len(waiting) >= PART:
            yield bytes(waiting[:PART])
            del waiting[:PART]
    yield bytes(waiting)


def _checksum(body: bytes) -> str:
    """SHA-256 as S3 wants it: the store refuses a body that differs."""
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


class Vault:
    """Landing's sealed zips: `put` is safe to repeat, nothing is ever overwritten."""

    def __init__(self, settings: Settings) -> None:
        """Client, bucket, keys and the days that an object stays locked."""
        self.client = boto(settings, "landing")
        self.bucket = settings.bucket("landing")
        self._keys = KeyStore.open(settings)
        self._days = settings.landing_lock_days

    def new_key(self, receipt: str) -> DataKey:
        """A data key for one delivery."""
        return new_key(self._keys, receipt)

    def put(self, delivery: Delivery, source: BinaryIO) -> None:
        """Seal and store a zip, then read it back and compare; raises StoreError unless all bytes are there.

        What stands there already is kept: it is ours (the place names the receipt) and is compared like new.
        """
        source.seek(0)
        key = self._key(delivery)
        try:
            self._store(delivery.place, seal(source, delivery.size, key, delivery.receipt), delivery.size)
        except ClientError as error:
            if code_of(error) not in _CHANGED:
                raise StoreError("store.write", f"the store refused a zip: {code_of(error)}") from None
        except (BotoCoreError, HTTPClientError):
            raise StoreError("store.write", "the store does not answer", next_step="khlang status") from None
        self.confirm(delivery)

    def confirm(self, delivery: Delivery) -> None:
        """Read a stored zip to its end; raises StoreError unless it is what was received."""
        with self.reader(delivery) as stored:
            if digest(stored) != (delivery.sha256, delivery.size):
                raise StoreError(
                    "vault.differs", "a stored zip is not what was received", place=delivery.receipt
                )

    def holds(self, delivery: Delivery) -> bool:
        """Whether the zip's object is there."""
        try:
            self.client.head_object(Bucket=self.bucket, Key=delivery.place)
        except ClientError as error:
            if code_of(error) in _GONE:
                return False
            raise StoreError("store.read", f"the store refused a look: {code_of(error)}") from None
        return True

    def reader(self, delivery: Delivery) -> BinaryIO:
        """The zip as received: a seekable file, every byte authenticated; nothing is written to disk."""
        fetch = fetcher(self.client, self.bucket, delivery.place)
        return unseal(fetch, sealed_size(delivery.size), self._key(delivery), delivery.receipt)

    def _key(self, delivery: Delivery) -> DataKey:
        return open_key(self._keys, delivery.wrapped_key, delivery.key_version, delivery.receipt)

    def _store(self, place: str, pieces: Iterator[bytes], size: int) -> None:
        """One conditional PUT, or a conditional multipart upload; locked against change and removal."""
        until = datetime.now(UTC) + timedelta(days=self._days)
        target: Any = {"Bucket": self.bucket, "Key": place}
        lock: Any = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}
        if sealed_size(size) <= PART:
            body = b"".join(pieces)
            self.client.put_object(
                **target, **lock, Body=body, IfNoneMatch="*", ChecksumSHA256=_checksum(body)
            )
            return
        upload = self.client.create_multipart_upload(**target, **lock)["UploadId"]
        try:
            done = [self._part(target, upload, n, body) for n, body in enumerate(_parts(pieces), 1)]
            self.client.complete_multipart_upload(
                **target, UploadId=upload, MultipartUpload={"Parts": done}, IfNoneMatch="*"
            )
        except BaseException:
            self.client.abort_multipart_upload(**target, UploadId=upload)
            raise

    def _part(self, target: Any, upload: str, number: int, body: bytes) -> Any:
        """One part; the store checks its MD5 or checksum header, the read-back checks everything."""
        sent = self.client.upload_part(
            Bucket=target["Bucket"], Key=target["Key"], UploadId=upload, PartNumber=number, Body=body
        )
        return {"PartNumber": number, "ETag": sent["ETag"]}


@cache
def _opened(settings: Settings, process: int) -> tuple[Vault, Ledger]:
    """One vault and one ledger a process; a forked child makes its own."""
    return Vault(settings), Ledger.open(settings)


def open_sealed(settings: Settings, place: str) -> BinaryIO:
    """A zip of landing by its place `<facility>/<sha256>/<receipt>`: how workers open what they read."""
    vault, ledger = _opened(settings, os.getpid())
    return vault.reader(ledger.delivery(place.rpartition("/")[2]))
