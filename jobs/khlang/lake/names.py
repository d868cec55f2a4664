"""The name book: per facility, who its patients, homes and staff ever were; sealed, in the landing zone."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable

import polars as pl
from botocore.exceptions import BotoCoreError, ClientError

from khlang.conform.member import Member
from khlang.conform.parse import Sheet, parse, read_sheet
from khlang.conform.text.names import Names
from khlang.conform.unpack import Entry, Unpacked
from khlang.errors import StoreError
from khlang.lake.keys import NAME_BOOK, KeyStore
from khlang.lake.ledger import Delivery
from khlang.lake.sealing import new_key, open_key, seal, unseal
from khlang.lake.stores import boto
from khlang.lake.vault import fetcher
from khlang.model.contract import contracts
from khlang.settings import Settings

_HEAD = struct.Struct(">IH")  # version of the name-book key, length of the wrapped data key
_FILES = ("PERSON", "HOME", "PROVIDER")


def names_of(unpacked: Unpacked, entries: Iterable[Entry], delivery: Delivery) -> Names:
    """Names in an accepted zip: its PERSON, HOME and PROVIDER members, read as conform reads them."""
    found = list(entries)
    frames = {file: _frame(unpacked, [e for e in found if e.file == file], file, delivery) for file in _FILES}
    return Names.from_frames(frames["PERSON"], frames["HOME"], frames["PROVIDER"])


def _frame(unpacked: Unpacked, entries: list[Entry], file: str, delivery: Delivery) -> pl.DataFrame | None:
    """Text columns of one file; refused rows are in it too, their names must be scrubbed like any other."""
    if delivery.hospcode is None or delivery.name_time is None:
        return None
    place = (delivery.hospcode, delivery.name_time, delivery.arrival)
    frames = []
    for entry in entries:
        member = Member(delivery.receipt, entry.position, *place, unpacked.body(entry.position))
        sheet = read_sheet(member, contracts()[file])
        if isinstance(sheet, Sheet):
            frames.append(parse([sheet]).frame.with_columns(_facility(sheet, delivery.hospcode)))
    return pl.concat(frames, how="diagonal") if frames else None


def _facility(sheet: Sheet, hospcode: str) -> pl.Expr:
    """HOSPCODE as conform reads it: lost zeros put back, the delivering facility where it is blank."""
    if "HOSPCODE" not in sheet.fields:
        return pl.lit(hospcode).alias("HOSPCODE")
    text = pl.col("HOSPCODE").str.strip_chars().str.zfill(5)
    return (
        pl.when(text.is_null() | (text == "00000")).then(pl.lit(hospcode)).otherwise(text).alias("HOSPCODE")
    )


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
