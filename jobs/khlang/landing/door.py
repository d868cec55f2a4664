"""The door: offered zips -> sealed in landing, recorded, judged; each with a receipt."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from typing import Self

from khlang.conform.unpack import Verdict, verify
from khlang.errors import StoreError
from khlang.lake.ledger import Delivery, Judged, Ledger, receipt_number
from khlang.lake.locks import writer
from khlang.lake.names import NameBooks
from khlang.lake.vault import Vault
from khlang.landing.offer import Examined, Offer, take_out
from khlang.landing.work import Failed, Stowing, Workers, write_names
from khlang.model.facility import Facility
from khlang.settings import Settings

CHUNK = 128
"""Zips stowed and settled together: few transactions, little memory."""

FEW = 96
"""Up to so many zips are taken by this process alone: others would take longer to start."""

AHEAD = 2
"""Chunks that are looked at before their turn comes."""

UNNAMED = "_unnamed"


def judge(
    verdict: Verdict, sender: str | None, registry: Mapping[str, Facility], closed_days: int
) -> str | None:
    """The code that refuses a zip: its own, else zip.sender, else facility.unknown; None: accept."""
    if verdict.code is not None or verdict.name is None:
        return verdict.code or "zip.name"
    if sender is not None and sender != verdict.name.hospcode:
        return "zip.sender"
    facility = registry.get(verdict.name.hospcode)
    takes = facility is not None and facility.may_send(verdict.name.sent_at.date(), closed_days)
    return None if takes else "facility.unknown"


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

    def take(self, offers: Iterable[Offer]) -> Iterator[Delivery | Failed]:
        """Take zips in the order given; yields each with its final state, a chunk at a time.

        One that fails does not stop the others. The ledger is written here, in the order of arrival; the zips
        pass through worker processes when they are many.
        """
        waiting = iter(offers)
        first = list(itertools.islice(waiting, FEW + 1))
        waiting = itertools.chain(first, waiting)
        chunks = iter(lambda: list(itertools.islice(waiting, CHUNK)), [])
        with Workers(self._settings, spread=len(first) > FEW) as workers:
            looking = deque(map(workers.look, itertools.islice(chunks, AHEAD)))
            while looking:
                looked = list(looking.popleft())
                with writer(self._settings, "landing"):
                    entered = self._enter([found for found in looked if isinstance(found, Examined)])
                    tried = workers.stow(entered)
                    looking.extend(map(workers.look, itertools.islice(chunks, 1)))
                    left = self._leave(entered, list(tried))
                yield from (failed for failed in looked if isinstance(failed, Failed))
                yield from left

    def finish(self) -> list[Delivery]:
        """Settle what a process that died left behind: what has its bytes in landing, from there.

        The rest was never acknowledged and is given up; it is still where it was offered.
        """
        # What is `received` while the lock is held belongs to nobody: a living door settles before it lets go.
        with writer(self._settings, "landing"):
            whole = []
            for delivery in self._ledger.unsettled():
                if (found := self._found(delivery)) is not None:
                    whole.append((delivery, found))
                else:
                    self._ledger.abandon(delivery.receipt)
            stored = self._judged(whole)
            unnamed = write_names(self._settings, [each for each in stored if each.told])
            settled = self._settle([each for each in stored if each.receipt not in unnamed])
        for failure in unnamed.values():
            raise failure.error
        return list(settled.values())

    def __enter__(self) -> Self:
        """The open door."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give connections back."""
        self._ledger.close()

    def _enter(self, found: Sequence[Examined]) -> list[Stowing]:
        """Record as received, with what will become of them."""
        arrivals = self._ledger.arrivals(len(found)) if found else []
        pairs = zip(found, arrivals, strict=True)
        judged = self._judged([(self._delivery(each, arrival), each) for each, arrival in pairs])
        self._ledger.receive([each.delivery for each in judged])
        return judged

    def _leave(self, entered: Sequence[Stowing], tried: Sequence[Failed | None]) -> list[Delivery | Failed]:
        """Settle what is safe in landing; it leaves the inbox."""
        stored = [each for each, failure in zip(entered, tried, strict=True) if failure is None]
        settled = self._settle(stored)
        take_out(each.found.offer for each in stored)
        if settled:
            first, last = entered[0].delivery.receipt, entered[-1].delivery.receipt
            self._ledger.audit("door", "receive", f"{first} .. {last}")
        pairs = zip(entered, tried, strict=True)
        return [failure or settled[each.receipt] for each, failure in pairs]

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

    def _judged(self, zips: Sequence[tuple[Delivery, Examined]]) -> list[Stowing]:
        """What the registry and the contents that are known already make of zips."""
        registry = self._ledger.registered({str(delivery.hospcode) for delivery, _ in zips})
        days = self._settings.closed_days
        judged = [
            (delivery, found, judge(found.verdict, delivery.sender, registry, days))
            for delivery, found in zips
        ]
        contents = [(str(delivery.hospcode), str(found.verdict.content)) for delivery, found, _ in judged]
        known = self._ledger.known_contents(contents)
        # Two of one content may stand in one chunk: either may be the one that is accepted.
        return [
            Stowing(delivery, found, code, told=code is None and content not in known)
            for (delivery, found, code), content in zip(judged, contents, strict=True)
        ]

    def _settle(self, stored: Sequence[Stowing]) -> dict[str, Delivery]:
        """The ledger's word on zips that are safe with their names; by receipt."""
        moved = self._ledger.settle([_verdict(each) for each in stored])
        for each in stored:
            receipt, hospcode = each.receipt, str(each.delivery.hospcode)
            if each.told and moved[receipt].state != "checked":
                self._books.remove(hospcode, receipt)
        return moved

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


def _verdict(each: Stowing) -> Judged:
    """What the ledger is told of a zip."""
    if each.code:
        return Judged(each.receipt, each.code)
    return Judged(each.receipt, None, each.found.verdict.content, each.found.verdict.entries)
