"""Zips that are offered to the door: files of this machine, or objects of the inbox."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError

from khlang.conform.directory import Limits
from khlang.conform.unpack import Verdict, verify
from khlang.errors import KhlangError, StoreError
from khlang.lake.objects import Objects
from khlang.lake.sealing import WINDOW, RangeReader, digest
from khlang.lake.stores import boto
from khlang.lake.vault import fetcher
from khlang.settings import Settings

KEPT_BYTES = 1 << 20
"""Zips up to this size are held in memory from the look to the safe; larger ones are read again."""

MOST_TAKEN = 20_000
"""Zips that one run takes out of the inbox: what comes meanwhile does not wait for more than these."""

Entry = Any
"""An object as a listing tells it."""

MOST_REMOVED = 1000
"""Objects that S3 removes with one request."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A zip somewhere: its name, when it came, who is known to have put it there, and how to read it.

    `lying` is its place in the inbox, if it came that way: once it is safe in landing it is taken from there.
    """

    name: str
    came_at: datetime
    sender: str | None
    open: Callable[[], BinaryIO] = field(repr=False)
    lying: Lying | None = field(default=None, repr=False)

    def taken(self) -> None:
        """It is safe in landing."""
        take_out([self])


@dataclass(frozen=True, slots=True)
class Examined:
    """An offer that was read to its end: size, SHA-256, verdict, and its bytes if they are few."""

    offer: Offer
    size: int
    sha256: str
    verdict: Verdict
    kept: bytes | None = field(default=None, repr=False)

    def open(self) -> BinaryIO:
        """The zip once more."""
        return self.offer.open() if self.kept is None else io.BytesIO(self.kept)


def examine(offer: Offer, limits: Limits) -> Examined:
    """Read a zip to its end and judge it."""
    with offer.open() as source:
        size = source.seek(0, io.SEEK_END)
        source.seek(0)
        if size <= KEPT_BYTES:
            body = source.read()
            found = hashlib.sha256(body).hexdigest()
            return Examined(offer, len(body), found, verify(io.BytesIO(body), offer.name, limits), body)
        summed, size = digest(source)
        return Examined(offer, size, summed, verify(source, offer.name, limits))


def _open(path: Path) -> BinaryIO:
    return path.open("rb")


def from_files(paths: Iterable[Path]) -> list[Offer]:
    """Files of this machine, in the order given. Raises KhlangError zip.missing before anything is taken."""
    offers = []
    for path in paths:
        if not path.is_file():
            raise KhlangError("zip.missing", "there is no such file", "ไม่พบไฟล์นี้", path.name, "check the path")
        offers.append(Offer(path.name, datetime.now(UTC), None, partial(_open, path)))
    return offers


@dataclass(frozen=True, slots=True)
class Inbox:
    """What the inbox held at one listing: its zips in their turns; how many other things lie there."""

    offers: tuple[Offer, ...]
    others: int


def from_inbox(settings: Settings) -> Inbox:
    """List the inbox. What is not called .zip is left alone: an upload's temporary name, or no delivery.

    The first folder is the facility whose credential may write it; an operator may use any other folder.
    """
    try:
        lister = boto(settings, "landing").get_paginator("list_objects_v2")
        pages = lister.paginate(Bucket=settings.bucket("inbox"))
        listed = [entry for page in pages for entry in page.get("Contents", [])]
    except (BotoCoreError, ClientError):
        raise StoreError("store.read", "the inbox could not be listed", next_step="khlang status") from None
    zips = [entry for entry in listed if entry["Key"].lower().endswith(".zip")]
    zips.sort(key=lambda entry: (entry["LastModified"], entry["Key"]))
    taken = in_turns(zips)[:MOST_TAKEN]
    lying = [Lying(settings, entry["Key"], entry["ETag"], entry["Size"]) for entry in taken]
    came = [entry["LastModified"] for entry in taken]
    return Inbox(tuple(map(Lying.offer, lying, came)), len(listed) - len(zips))


def in_turns(listed: Iterable[Entry]) -> list[Entry]:
    """Every facility's first, then every one's second, each facility's in the order given.

    A facility that puts years of old zips into its folder waits for itself, not the others for it.
    """
    turns: Counter[str] = Counter()
    placed = []
    for place, entry in enumerate(listed):
        folder = entry["Key"].partition("/")[0]
        placed.append((turns[folder], place, entry))
        turns[folder] += 1
    return [entry for _, _, entry in sorted(placed, key=lambda one: one[:2])]


@dataclass(frozen=True, slots=True)
class Lying:
    """One object of the inbox at one content: a changed one is another offer, at the next listing."""

    settings: Settings = field(repr=False)
    key: str = field(repr=False)
    etag: str
    size: int

    def offer(self, came_at: datetime) -> Offer:
        """The object as an offer."""
        folder, _, name = self.key.rpartition("/")
        first = folder.partition("/")[0]
        sender = first if len(first) == 5 and first.isascii() and first.isdigit() else None
        return Offer(name, came_at, sender, self.open, self)

    def open(self) -> BinaryIO:
        """A seekable reader; raises StoreError store.changed when the content is no longer the listed one."""
        objects = Objects.of(self.settings, "landing")
        fetch = fetcher(objects, self.settings.bucket("inbox"), self.key, self.etag)
        if 0 < self.size <= WINDOW:
            return io.BytesIO(fetch(0, self.size))

        def _window(number: int) -> bytes:
            start = number * WINDOW
            return fetch(start, min(WINDOW, self.size - start))

        return io.BufferedReader(RangeReader(self.size, WINDOW, _window))  # type: ignore[return-value]

    @staticmethod
    def remove(lying: Sequence[Lying]) -> None:
        """Take objects of one inbox out, each unless another content stands there by now."""
        settings = lying[0].settings
        listed: Any = [{"Key": each.key, "ETag": each.etag} for each in lying]
        # They are safe in landing: what can not be removed now is found to be a duplicate at the next listing.
        with suppress(BotoCoreError, ClientError):
            client = boto(settings, "landing")
            client.delete_objects(Bucket=settings.bucket("inbox"), Delete={"Objects": listed, "Quiet": True})


def take_out(offers: Iterable[Offer]) -> None:
    """Offers that are safe in landing leave the inbox, many with one request."""
    lying = iter([offer.lying for offer in offers if offer.lying is not None])
    while some := list(islice(lying, MOST_REMOVED)):
        Lying.remove(some)
