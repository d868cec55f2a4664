"""The door: offered zips -> sealed in landing, recorded, judged; each with a receipt."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC
from typing import Self

from khlang.conform.unpack import Unpacked, Verdict, verify
from khlang.errors import KhlangError, StoreError
from khlang.lake.ledger import Delivery, Judged, Ledger, receipt_number
from khlang.lake.locks import writer
from khlang.lake.names import NameBooks, names_of
from khlang.lake.vault import Vault
from khlang.landing.offer import Examined, Offer, examine
from khlang.settings import Settings

CHUNK = 64
"""Zips examined, stored and settled together: few transactions, little memory."""

THREADS = 8
UNNAMED = "_unnamed"


@dataclass(frozen=True, slots=True)
class Failed:
    """An offer that could not be stored: it stays where it is and is taken the next time."""

    receipt: str
    error: KhlangError


@dataclass(frozen=True, slots=True)
class _Stored:
    """A zip whose bytes are safe in landing, with what the door says about it."""

    delivery: Delivery
    verdict: Verdict
    code: str | None
    examined: Examined


def judge(verdict: Verdict, sender: str | None, registry: frozenset[str]) -> str | None:
    """The code that refuses a zip: its own, else zip.sender, else facility.unknown; None: accept."""
    if verdict.code is not None or verdict.name is None:
        return verdict.code or "zip.name"
    if sender is not None and sender != verdict.name.hospcode:
        return "zip.sender"
    return None if verdict.name.hospcode in registry else "facility.unknown"


def place_of(hospcode: str | None, sha256: str, receipt: str) -> str:
    """Where a zip lies in landing."""
    return f"{hospcode or UNNAMED}/{sha256}/{receipt}"


class Door:
    """Takes zips for one lake; open one per process and `take` what is offered."""

    def __init__(self, settings: Settings) -> None:
        """Connect to landing and the ledger; raises when either or the keys are missing."""
        self._settings = settings
        self._ledger = Ledger.open(settings)
        self._vault = Vault(settings)
        self._books = NameBooks(settings)
        self._pool = ThreadPoolExecutor(THREADS, "door")

    def take(self, offers: Iterable[Offer]) -> Iterator[Delivery | Failed]:
        """Take zips in the order given; yields each with its final state, a chunk at a time.

        One that fails does not stop the others.
        """
        waiting = iter(offers)
        while chunk := list(itertools.islice(waiting, CHUNK)):
            looked = list(self._pool.map(self._examine, chunk))
            with writer(self._settings, "landing"):
                entered = self._enter([found for found in looked if isinstance(found, Examined)])
            yield from (failed for failed in looked if isinstance(failed, Failed))
            yield from entered

    def finish(self) -> list[Delivery]:
        """Settle what a process that died left behind: what has its bytes in landing, from there.

        The rest was never acknowledged and is given up; it is still where it was offered.
        """
        # What is `received` while the lock is held belongs to nobody: a living door settles before it lets go.
        with writer(self._settings, "landing"):
            whole = []
            for delivery in self._ledger.unsettled():
                if (found := self._found(delivery)) is None:
                    self._ledger.abandon(delivery.receipt)
                    continue
                code = judge(found.verdict, delivery.sender, self._registry())
                whole.append(_Stored(delivery, found.verdict, code, found))
            return list(self._settle(whole).values())

    def __enter__(self) -> Self:
        """The open door."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give threads and connections back."""
        self._pool.shutdown()
        self._ledger.close()

    def _examine(self, offer: Offer) -> Examined | Failed:
        """Read an offer; one that changed or went meanwhile is left for the next time."""
        try:
            return examine(offer, self._settings)
        except KhlangError as error:
            return Failed("", error)

    def _enter(self, found: Sequence[Examined]) -> list[Delivery | Failed]:
        """Record as received, store, settle."""
        registry = self._registry()
        arrivals = self._ledger.arrivals(len(found)) if found else []
        deliveries = [self._delivery(*pair) for pair in zip(found, arrivals, strict=True)]
        self._ledger.receive(deliveries)
        tried = list(self._pool.map(self._store, deliveries, found, itertools.repeat(registry)))
        stored = [result for result in tried if isinstance(result, _Stored)]
        settled = self._settle(stored)
        for result in stored:
            result.examined.offer.taken()
        if settled:
            self._ledger.audit("door", "receive", f"{deliveries[0].receipt} .. {deliveries[-1].receipt}")
        return [settled[r.delivery.receipt] if isinstance(r, _Stored) else r for r in tried]

    def _delivery(self, found: Examined, arrival: int) -> Delivery:
        """The ledger's row of a zip that is about to be stored; outside landing a strange name is not shown."""
        receipt, named = receipt_number(arrival), found.verdict.name
        hospcode = named.hospcode if named else None
        key = self._vault.new_key(receipt)
        return Delivery(
            receipt=receipt,
            arrival=arrival,
            arrived_at=found.offer.came_at.astimezone(UTC),
            hospcode=hospcode,
            name=found.offer.name if named else receipt,
            name_time=named.sent_at if named else None,
            sent_at=named.sent_at if named else None,
            size=found.size,
            sha256=found.sha256,
            place=place_of(hospcode, found.sha256, receipt),
            wrapped_key=key.wrapped,
            key_version=key.version,
            sender=found.offer.sender,
        )

    def _store(self, delivery: Delivery, found: Examined, registry: frozenset[str]) -> _Stored | Failed:
        try:
            with found.open() as source:
                self._vault.put(delivery, source)
        except KhlangError as error:
            return Failed(delivery.receipt, error)
        code = judge(found.verdict, delivery.sender, registry)
        return _Stored(delivery, found.verdict, code, found)

    def _settle(self, stored: Sequence[_Stored]) -> dict[str, Delivery]:
        """Name books first, then the ledger: an accepted delivery never lacks its names."""
        booked = self._book(stored)
        moved = self._ledger.settle(
            [
                Judged(s.delivery.receipt, s.code)
                if s.code
                else Judged(s.delivery.receipt, None, s.verdict.content, s.verdict.entries)
                for s in stored
            ]
        )
        for receipt, hospcode in booked.items():
            if moved[receipt].state != "checked":
                self._books.remove(hospcode, receipt)
        return moved

    def _book(self, stored: Sequence[_Stored]) -> dict[str, str]:
        """Write the names of what will be accepted; receipt -> facility of each fragment."""
        fresh: dict[tuple[str, str], _Stored] = {}
        for s in stored:
            if s.code is None:
                fresh.setdefault((str(s.delivery.hospcode), str(s.verdict.content)), s)
        for known in self._ledger.known_contents(fresh):
            del fresh[known]
        list(self._pool.map(self._write_names, fresh.values()))
        return {s.delivery.receipt: hospcode for (hospcode, _), s in fresh.items()}

    def _write_names(self, stored: _Stored) -> None:
        with stored.examined.open() as source, Unpacked(source, self._settings) as unpacked:
            names = names_of(unpacked, stored.verdict.entries, stored.delivery)
        if names.people.height or names.homes.height or names.staff.height:
            self._books.write(str(stored.delivery.hospcode), stored.delivery.receipt, names)

    def _registry(self) -> frozenset[str]:
        """Codes of the facilities in force."""
        return frozenset(facility.hospcode for facility in self._ledger.facilities())

    def _found(self, delivery: Delivery) -> Examined | None:
        """A delivery's bytes as landing holds them; None unless they are all there."""
        if not self._vault.holds(delivery):
            return None
        offer = Offer(
            delivery.name, delivery.arrived_at, delivery.sender, lambda: self._vault.reader(delivery)
        )
        try:
            self._vault.confirm(delivery)
            with offer.open() as source:
                verdict = verify(source, delivery.name, self._settings)
        except StoreError as error:
            if error.code == "store.read":  # the store fails: nothing is given up for that
                raise
            return None
        return Examined(offer, delivery.size, delivery.sha256, verdict)
