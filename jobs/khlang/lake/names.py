"""The name book: per facility, who its patients, homes and staff ever were; sealed, in the landing zone."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable

from botocore.exceptions import BotoCoreError, ClientError

from khlang.conform import people
from khlang.conform.member import Member
from khlang.conform.people import TELLING
from khlang.conform.text.names import Names
from khlang.conform.unpack import Entry, Unpacked
from khlang.errors import StoreError
from khlang.lake.keys import NAME_BOOK, KeyStore
from khlang.lake.ledger import Delivery
from khlang.lake.sealing import new_key, open_key, seal, unseal
from khlang.lake.stores import boto
from khlang.lake.vault import fetcher
from khlang.settings import Settings

_HEAD = struct.Struct(">IH")  # version of the name-book key, length of the wrapped data key


def names_of(unpacked: Unpacked, entries: Iterable[Entry], delivery: Delivery) -> Names:
    """Names in an accepted zip: its PERSON, HOME and PROVIDER members, read as conform reads them."""
    told: dict[str, list[Member]] = {file: [] for file in TELLING}
    for entry in entries:
        if entry.file in told and delivery.hospcode is not None and delivery.name_time is not None:
            place = (delivery.hospcode, delivery.name_time, delivery.arrival)
            body = unpacked.body(entry.position)
            told[entry.file].append(Member(delivery.receipt, entry.position, *place, body))
    return people.names_of(told)


def _context(hospcode: str, receipt: str) -> str:
    return f"names/{hospcode}/{receipt}"


class NameBooks:
    """Fragments `_names/<facility>/<receipt>` in bucket landing: written by the door, read by workers.

    They are not locked: erasing a person writes them anew.
    """

    def __init__(self, settings: Settings) -> None:
        """Client, bucket and the name books' own key."""
        self._client = boto(settings, "landing")
        self._bucket = settings.bucket("landing")
        self._keys = KeyStore.open(settings)

    def write(self, hospcode: str, receipt: str, names: Names) -> None:
        """Seal the names of one delivery; writing them again replaces them."""
        context, plain = _context(hospcode, receipt), names.to_bytes()
        key = new_key(self._keys, context, NAME_BOOK)
        pieces = seal(io.BytesIO(plain), len(plain), key, context)
        body = _HEAD.pack(key.version, len(key.wrapped)) + key.wrapped + b"".join(pieces)
        try:
            self._client.put_object(Bucket=self._bucket, Key=f"_{context}", Body=body)
        except (BotoCoreError, ClientError) as refused:
            raise _failed("store.write", "a name book could not be written") from refused

    def remove(self, hospcode: str, receipt: str) -> None:
        """Take a fragment back: its delivery turned out to be a duplicate."""
        self._client.delete_object(Bucket=self._bucket, Key=f"_{_context(hospcode, receipt)}")

    def read(self, hospcode: str) -> Names:
        """All fragments of a facility as one; raises when any of them can not be read (fails closed)."""
        return Names.merge(
            [self._fragment(hospcode, receipt, size) for receipt, size in self._list(hospcode)]
        )

    def _list(self, hospcode: str) -> list[tuple[str, int]]:
        """(receipt, size) of a facility's fragments, sorted."""
        prefix = f"_{_context(hospcode, '')}"
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        try:
            listed = [entry for page in pages for entry in page.get("Contents", [])]
        except (BotoCoreError, ClientError) as refused:
            raise _failed("store.read", "the name books could not be listed") from refused
        return sorted((entry["Key"].removeprefix(prefix), entry["Size"]) for entry in listed)

    def _fragment(self, hospcode: str, receipt: str, size: int) -> Names:
        context = _context(hospcode, receipt)
        body = fetcher(self._client, self._bucket, f"_{context}")(0, size)
        version, length = _HEAD.unpack_from(body)
        start = _HEAD.size + length
        key = open_key(self._keys, body[_HEAD.size : start], version, context, NAME_BOOK)
        sealed = body[start:]
        with unseal(lambda at, count: sealed[at : at + count], len(sealed), key, context) as plain:
            return Names.from_bytes(plain.read())


def _failed(code: str, words: str) -> StoreError:
    return StoreError(code, words, next_step="khlang status")


def book(settings: Settings, hospcode: str) -> Names:
    """Every name that the facility ever told; opened by reference, in the process that needs it."""
    return NameBooks(settings).read(hospcode)
