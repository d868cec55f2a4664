"""The name book: per facility, who its patients, homes and staff ever were; sealed, in the landing zone."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial

from botocore.exceptions import BotoCoreError, ClientError

from khlang.conform.member import Member
from khlang.conform.people import TELLING, Told, names_of_each
from khlang.conform.text.names import Names
from khlang.conform.unpack import Entry, Unpacked
from khlang.errors import KhlangError, PrivacyError, StoreError
from khlang.lake.keys import NAME_BOOK, KeyStore
from khlang.lake.ledger import DeliveredMember, Delivery, Ledger
from khlang.lake.objects import CHANGED, GONE, Objects, Refused
from khlang.lake.sealing import new_key, open_key, rewrapped, seal, unseal
from khlang.lake.stores import boto
from khlang.lake.vault import AHEAD, open_sealed
from khlang.settings import Settings

_HEAD = struct.Struct(">IH")  # version of the name-book key, length of the wrapped data key


NOBODY = Names.from_frames(None, None, None).to_bytes()
"""The book of a zip whose PERSON, HOME or PROVIDER names nobody: a lost book is told from an empty one."""


def telling(unpacked: Unpacked, entries: Iterable[Entry | DeliveredMember], delivery: Delivery) -> Told:
    """PERSON, HOME and PROVIDER members of an accepted zip: conform reads the names in them.

    Large ones are read from the zip, which must stay open for it.
    """
    told: dict[str, list[Member]] = {}
    for entry in entries:
        if entry.file in TELLING and delivery.hospcode is not None and delivery.name_time is not None:
            place = (entry.position, delivery.hospcode, delivery.name_time, delivery.arrival)
            member = unpacked.member(entry.bytes, delivery.receipt, *place)
            told.setdefault(entry.file, []).append(member)
    return told


def _context(hospcode: str, receipt: str) -> str:
    return f"names/{hospcode}/{receipt}"


class NameBooks:
    """Fragments `_names/<facility>/<receipt>` in bucket landing: written by the door, read by workers.

    They are not locked: erasing a person writes them anew.
    """

    def __init__(self, settings: Settings) -> None:
        """Clients, bucket and the name books' own key."""
        self._settings = settings
        self._objects = Objects.of(settings, "landing")
        self._bucket = settings.bucket("landing")
        self._keys = KeyStore.open(settings)

    def write(self, hospcode: str, receipt: str, plain: bytes) -> None:
        """Seal the names of one delivery (`Names.to_bytes`); writing them again replaces them."""
        context = _context(hospcode, receipt)
        key = new_key(self._keys.renewed(), context, NAME_BOOK)
        pieces = seal(io.BytesIO(plain), len(plain), key, context)
        body = _HEAD.pack(key.version, len(key.wrapped)) + key.wrapped + b"".join(pieces)
        try:
            self._objects.put(self._bucket, f"_{context}", body, {})
        except Refused as refused:
            raise _failed("store.write", "a name book could not be written") from refused

    def remove(self, hospcode: str, receipt: str) -> None:
        """Take a fragment back: its delivery turned out to be a duplicate."""
        boto(self._settings, "landing").delete_object(
            Bucket=self._bucket, Key=f"_{_context(hospcode, receipt)}"
        )

    def every(self) -> Iterator[tuple[str, str]]:
        """(facility, receipt) of every fragment."""
        for place in self._keys_below("_names/"):
            hospcode, _, receipt = place.partition("/")
            yield hospcode, receipt

    def version(self, hospcode: str, receipt: str) -> int | None:
        """Version of the key that a fragment is wrapped under; None when it is gone."""
        place = f"_{_context(hospcode, receipt)}"
        try:
            return int(_HEAD.unpack(self._objects.get(self._bucket, place, (0, _HEAD.size)))[0])
        except StoreError as error:
            if error.code == "store.changed":
                return None
            raise

    def rewrap(self, hospcode: str, receipt: str) -> bool:
        """A fragment's data key wrapped under the newest key; True when it was under an older one.

        Written only over the content that was read: who writes or erases it meanwhile is asked again. The
        superseded content goes, which the store would keep as an earlier version.
        """
        context = _context(hospcode, receipt)
        place = {"Bucket": self._bucket, "Key": f"_{context}"}
        client = boto(self._settings, "landing")
        newest = self._keys.key(NAME_BOOK).version
        while True:
            try:
                found = client.get_object(**place)  # type: ignore[arg-type]
                body = found["Body"].read()
                version, length = _HEAD.unpack_from(body)
                if version >= newest:
                    return False
                start = _HEAD.size + length
                key = rewrapped(self._keys, body[_HEAD.size : start], version, context, NAME_BOOK)
                fresh = _HEAD.pack(key.version, len(key.wrapped)) + key.wrapped + body[start:]
                client.put_object(**place, Body=fresh, IfMatch=found["ETag"])  # type: ignore[arg-type]
                client.delete_object(**place, VersionId=found["VersionId"])  # type: ignore[arg-type]
                return True
            except ClientError as refused:
                code = refused.response["Error"]["Code"]
                if code in GONE:
                    return False
                if code not in CHANGED:
                    raise _failed("store.write", "a name book could not be rewrapped") from refused

    def read(self, hospcode: str) -> Names:
        """All fragments of a facility as one; raises when any of them can not be read (fails closed)."""
        return Names.from_parts([self._fragment(hospcode, receipt) for receipt in self.receipts(hospcode)])

    def of(
        self, told: Sequence[tuple[str, str]], again: Callable[[NameBooks, str], bytes] | None = None
    ) -> Names:
        """The fragments of these (facility, receipt) as one; one that is missing is made `again`, else fails closed."""
        with ThreadPoolExecutor(AHEAD, "names") as pool:
            return Names.from_parts(list(pool.map(lambda place: self._told(place[0], place[1], again), told)))

    def receipts(self, hospcode: str) -> list[str]:
        """Receipts of a facility's fragments, sorted."""
        return sorted(self._keys_below(f"_{_context(hospcode, '')}"))

    def _keys_below(self, prefix: str) -> list[str]:
        """What stands below a prefix, without it."""
        lister = boto(self._settings, "landing").get_paginator("list_objects_v2")
        pages = lister.paginate(Bucket=self._bucket, Prefix=prefix)
        try:
            listed = [entry for page in pages for entry in page.get("Contents", [])]
        except (BotoCoreError, ClientError) as refused:
            raise _failed("store.read", "the name books could not be listed") from refused
        return [entry["Key"].removeprefix(prefix) for entry in listed]

    def _told(self, hospcode: str, receipt: str, again: Callable[[NameBooks, str], bytes] | None) -> bytes:
        """A fragment that the door wrote: when it is gone, its people would stand in texts unknown."""
        try:
            return self._fragment(hospcode, receipt)
        except StoreError as error:
            if error.code != "store.changed":
                raise
        try:
            if again is not None:
                return again(self, receipt)
        except KhlangError as error:
            if isinstance(error, StoreError) and error.code != "store.changed":
                raise  # the store does not answer: another try may find the zip
        raise PrivacyError(
            "names.missing", "names that a delivery told are gone, and its zip can not be read: no text is cleared",
            th="รายชื่อที่มากับไฟล์ส่งข้อมูลหายไป และอ่านไฟล์ต้นฉบับไม่ได้", place=receipt,
            next_step="restore bucket landing, the zip or its prefix _names, from its versions or its backup",
        ) from None  # fmt: skip

    def _fragment(self, hospcode: str, receipt: str) -> bytes:
        """A fragment as it was before it was sealed."""
        context = _context(hospcode, receipt)
        body = self._objects.get(self._bucket, f"_{context}")
        version, length = _HEAD.unpack_from(body)
        start = _HEAD.size + length
        key = open_key(self._keys, body[_HEAD.size : start], version, context, NAME_BOOK)
        sealed = body[start:]
        with unseal(lambda at, count: sealed[at : at + count], len(sealed), key, context) as plain:
            return plain.read()


def _failed(code: str, words: str) -> StoreError:
    return StoreError(code, words, next_step="khlang status")


@cache
def _opened(settings: Settings, process: int) -> tuple[NameBooks, Ledger]:
    """One shelf of books and one ledger a process; a forked child makes its own."""
    return NameBooks(settings), Ledger.open(settings)


def books(settings: Settings, hospcodes: Iterable[str]) -> Names:
    """Every name that these facilities ever told, as one; opened by reference, in the process that needs it.

    One query tells which deliveries told them, each fragment is one request, a few at a time.
    """
    shelf, ledger = _opened(settings, os.getpid())
    return shelf.of(ledger.told_by(hospcodes, TELLING), partial(_again, settings, ledger))


def _again(settings: Settings, ledger: Ledger, shelf: NameBooks, receipt: str) -> bytes:
    """The names that a delivery told, from its zip in landing, and sealed beside it once more.

    Its fragment was lost; or an older release wrote none, since the zip named nobody.
    """
    delivery = ledger.delivery(receipt)
    with open_sealed(settings, delivery.place) as source, Unpacked(source, settings) as unpacked:
        (book,) = names_of_each([telling(unpacked, ledger.members([receipt]), delivery)])
    shelf.write(str(delivery.hospcode), receipt, book or NOBODY)
    return book or NOBODY


def book(settings: Settings, hospcode: str) -> Names:
    """Every name that the facility ever told."""
    return books(settings, [hospcode])
