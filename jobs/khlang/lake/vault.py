"""Zips of landing: put once under lock, read back before they count, opened by reference."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from khlang.errors import StoreError
from khlang.lake.keys import KeyStore
from khlang.lake.ledger import Delivery, Ledger
from khlang.lake.objects import CHANGED, GONE, Objects, Refused
from khlang.lake.sealing import DataKey, Fetch, digest, new_key, open_key, seal, sealed_size, unseal
from khlang.lake.stores import boto
from khlang.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART = 16 << 20
"""Objects up to this size go in one call, larger ones in parts of it."""

AHEAD = 4
"""Zips that are fetched while the one before them is read."""

_UNTIL = "x-amz-object-lock-retain-until-date"


def code_of(error: ClientError) -> str:
    """The store's own word for what it refused."""
    return str(error.response.get("Error", {}).get("Code", ""))


def fetcher(objects: Objects, bucket: str, key: str, etag: str | None = None) -> Fetch:
    """Exact ranges of an object. `etag` pins one content.

    Raises StoreError store.changed when the object is not that content any more, store.read when it fails.
    """
    return lambda start, length: objects.get(bucket, key, (start, length), etag)


def _parts(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Pieces -> parts of exactly PART bytes, the last one shorter."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        while len(waiting) >= PART:
            yield bytes(waiting[:PART])
            del waiting[:PART]
    yield bytes(waiting)


class Vault:
    """Landing's sealed zips: `put` is safe to repeat, nothing is ever overwritten."""

    def __init__(self, settings: Settings) -> None:
        """Clients, bucket, keys and the days that an object stays locked."""
        self._settings = settings
        self._objects = Objects.of(settings, "landing")
        self.bucket = settings.bucket("landing")
        self._keys = KeyStore.open(settings)
        self._days = settings.landing_lock_days

    @property
    def client(self) -> S3Client:
        """For what is no single GET or PUT; made when it is needed, which costs 0.3 s of a core."""
        return boto(self._settings, "landing")

    def new_key(self, receipt: str) -> DataKey:
        """A data key for one delivery."""
        return new_key(self._keys.renewed(), receipt)

    def put(self, delivery: Delivery, source: BinaryIO) -> None:
        """Seal and store a zip, then read it back and compare; raises StoreError unless all bytes are there.

        What stands there already is kept: it is ours (the place names the receipt) and is compared like new.
        """
        source.seek(0)
        key = self._key(delivery)
        try:
            size = delivery.lying[1]
            self._store(delivery.place, seal(source, size, key, delivery.receipt), size)
        except (Refused, ClientError) as error:
            code = error.code if isinstance(error, Refused) else code_of(error)
            if code not in CHANGED:
                raise StoreError("store.write", f"the store refused a zip: {code}") from None
        except (BotoCoreError, HTTPClientError):
            raise StoreError("store.write", "the store does not answer", next_step="khlang status") from None
        self.confirm(delivery)

    def confirm(self, delivery: Delivery) -> None:
        """Read a stored zip to its end; raises StoreError unless it is what was received."""
        with self.reader(delivery) as stored:
            if digest(stored) != delivery.lying:
                raise StoreError(
                    "vault.differs", "a stored zip is not what was received", place=delivery.receipt
                )

    def holds(self, delivery: Delivery) -> bool:
        """Whether the zip's object is there."""
        try:
            self.client.head_object(Bucket=self.bucket, Key=delivery.place)
        except ClientError as error:
            if code_of(error) in GONE:
                return False
            raise StoreError("store.read", f"the store refused a look: {code_of(error)}") from None
        return True

    def reader(self, delivery: Delivery) -> BinaryIO:
        """The zip as received: a seekable file, every byte authenticated; nothing is written to disk."""
        fetch = fetcher(self._objects, self.bucket, delivery.place)
        return unseal(fetch, sealed_size(delivery.lying[1]), self._key(delivery), delivery.receipt)

    def _key(self, delivery: Delivery) -> DataKey:
        if not delivery.wrapped_key:
            raise StoreError(
                "vault.shredded", "the key of this zip was destroyed: it held an erased person",
                "กุญแจของชุดข้อมูลนี้ถูกทำลายแล้วตามคำขอลบข้อมูล", delivery.receipt, "nothing: this is final",
            )  # fmt: skip
        return open_key(self._keys, delivery.wrapped_key, delivery.key_version, delivery.receipt)

    def _store(self, place: str, pieces: Iterator[bytes], size: int) -> None:
        """One conditional PUT, or a conditional multipart upload; locked against change and removal."""
        until = datetime.now(UTC) + timedelta(days=self._days)
        target: Any = {"Bucket": self.bucket, "Key": place}
        lock: Any = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}
        if sealed_size(size) <= PART:
            locked = {"x-amz-object-lock-mode": "COMPLIANCE", _UNTIL: f"{until:%Y-%m-%dT%H:%M:%SZ}"}
            self._objects.put(self.bucket, place, b"".join(pieces), {"If-None-Match": "*", **locked})
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


def open_many(settings: Settings, places: Sequence[str]) -> Iterator[tuple[str, BinaryIO]]:
    """(place, zip) for many places, in their order: one query for all, the next few fetched ahead.

    Close each before the next one is taken: few of them then lie in memory.
    """
    vault, ledger = _opened(settings, os.getpid())
    receipts = [place.rpartition("/")[2] for place in places]
    known = {delivery.receipt: delivery for delivery in ledger.deliveries(receipts)}
    wanted = iter([known.get(receipt) or ledger.delivery(receipt) for receipt in receipts])
    pool = ThreadPoolExecutor(AHEAD, "vault")
    try:
        coming = deque(pool.submit(vault.reader, delivery) for delivery in islice(wanted, AHEAD))
        for place in places:
            found = coming.popleft().result()
            coming.extend(pool.submit(vault.reader, delivery) for delivery in islice(wanted, 1))
            yield place, found
    finally:
        pool.shutdown(cancel_futures=True)
