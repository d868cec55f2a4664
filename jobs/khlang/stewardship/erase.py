"""Erasing persons: from the question to the certificate; every step can be cut off and goes on where it was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from itertools import groupby
from typing import Any

from khlang.bronze.work import rules_for
from khlang.lake.evidence import digests
from khlang.lake.inforce import lake_keys
from khlang.lake.ledger import Delivery, Ledger
from khlang.lake.locks import Held, writer
from khlang.model.contract import contracts
from khlang.settings import Settings
from khlang.stewardship.books import cids, rewrite_fragments, thinner
from khlang.stewardship.landing import Group, looked_at
from khlang.stewardship.needle import Needle
from khlang.stewardship.redact import NOBODYS, Reading
from khlang.stewardship.subject import Asked, found_since, subject
from khlang.stewardship.sweep import sweep

BEHIND = {"silver": "khlang.silver.job", "gold": "khlang.gold.job", "publish": "khlang.shares.job"}
"""Zones behind bronze -> the job that lets them follow."""

CHUNK = 24
"""Deliveries of a facility that change in one transaction."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Done:
    """What a run did: deliveries by outcome, name books and files of tables that went, in the whole lake.

    `known`: the citizen ids that landing was searched for; in memory only.
    """

    outcomes: Mapping[str, int]
    books: int
    files_removed: Mapping[str, int]
    receipts: tuple[str, ...]
    erasures: tuple[int, ...]
    known: frozenset[str] = field(repr=False)


@contextmanager
def quiet(settings: Settings, ledger: Ledger, zone: str, job: str) -> Iterator[Held]:
    """The zone's lock while no batch of it is unfinished: one that a job left is completed first.

    A batch that began before an erasure and goes on after it would count lines that are not there any more.
    """
    while True:
        with writer(settings, zone) as held:
            ledger.require_one_key()
            if not ledger.has_open_batch(zone):
                yield held
                return
        import_module(job).run(settings)


def ask(settings: Settings, ledger: Ledger, asked: Asked, cause: str, asked_by: str, actor: str) -> int:
    """Record whose data are erased; from now on bronze leaves them out. The number of the erasure."""
    while import_module(BEHIND["silver"]).run(settings) is not None:
        pass
    with quiet(settings, ledger, "bronze", "khlang.bronze.job"):
        return ledger.ask_erasure(subject(settings, ledger, asked), cause, asked_by, actor)


def pending(
    settings: Settings,
    ledger: Ledger,
    known: Collection[str] = (),
    zones: Sequence[str] = tuple(BEHIND),
    say: Say = lambda _: None,
) -> Done | None:
    """Apply every tombstone to all that holds it: landing, bronze, the zones behind, old versions of tables.

    `known`: citizen ids that somebody told. None when there is nothing to do. Certificates are not written here.
    """
    _widen(settings, ledger)
    ledger.queue_unread()
    erasures = tuple(one.id for one in ledger.erasures(open_only=True))
    searched_for = frozenset(known)
    if ledger.erasure_queue():
        with quiet(settings, ledger, "bronze", "khlang.bronze.job") as held:
            searched_for = _landing(settings, ledger, held, known, say)
    looked = ledger.erasure_looked()
    if not looked and not erasures:
        return None
    say("name books")
    books = _books(settings, ledger, [one for one, _ in looked])
    for zone in zones:
        say(zone)
        while import_module(BEHIND[zone]).run(settings) is not None:
            pass
    say("old versions")
    removed = sweep(settings, ledger)
    outcomes: dict[str, int] = defaultdict(int)
    for _, outcome in looked:
        outcomes[outcome] += 1
    return Done(
        dict(outcomes), books, removed, tuple(one.receipt for one, _ in looked), erasures, searched_for
    )


def finish(ledger: Ledger, done: Done, proofs: Mapping[int, Mapping[str, Any]]) -> None:
    """The ledger's word on it, once it is proved."""
    ledger.finish_erasures(done.receipts, proofs)


def _widen(settings: Settings, ledger: Ledger) -> None:
    """Patients that deliveries told to be an erased person's: their rows that were loaded before are queued."""
    found = ledger.found_later()
    if found:
        ledger.widen_erasure(found_since(settings, ledger, found), found)


def _facility(delivery: Delivery) -> str:
    return delivery.hospcode or delivery.sender or NOBODYS


def _landing(
    settings: Settings, ledger: Ledger, held: Held, known: Collection[str], say: Say
) -> frozenset[str]:
    """Landing and bronze, facility by facility; the citizen ids that were searched for."""
    waiting = sorted(ledger.erasure_queue(), key=lambda one: (_facility(one), one.arrival))
    told = searched(settings, ledger, {_facility(one) for one in waiting}) | set(known)
    for hospcode, mine in groupby(waiting, _facility):
        reading = _reading(settings, ledger, hospcode, Needle.of(told))
        deliveries = list(mine)
        for start in range(0, len(deliveries), CHUNK):
            say(f"landing and bronze: {hospcode}, {start} of {len(deliveries)}")
            chunk = deliveries[start : start + CHUNK]
            with looked_at(Group(settings, ledger, reading), chunk) as (kept, versions, reread):
                held.check()
                ledger.commit_erased(kept, versions, reread, digests())
    return frozenset(told)


def searched(settings: Settings, ledger: Ledger, hospcodes: Collection[str]) -> set[str]:
    """The erased persons' citizen ids as the name books of these facilities tell them; held in memory only."""
    keys, tombstones = lake_keys(settings, ledger), ledger.tombstones()
    person = contracts()["PERSON"]
    found: set[str] = set()
    for hospcode in sorted(hospcodes):
        found |= cids(rules_for(settings, [hospcode], ledger.key_in_force())(person).names, keys, tombstones)
    return found


def _reading(settings: Settings, ledger: Ledger, hospcode: str, needle: Needle) -> Reading:
    keys = lake_keys(settings, ledger)
    rules = rules_for(settings, [hospcode], ledger.key_in_force())
    names = rules(contracts()["PERSON"]).names
    return Reading(settings, rules, thinner(names, keys, ledger.tombstones()), needle)


def _books(settings: Settings, ledger: Ledger, looked: Sequence[Delivery]) -> int:
    """Name books of every facility that was looked at, once all its deliveries were."""
    keys, tombstones = lake_keys(settings, ledger), ledger.tombstones()
    waiting = {_facility(one) for one in ledger.erasure_queue()}
    hospcodes = {_facility(one) for one in looked} - waiting
    return sum(rewrite_fragments(settings, hospcode, keys, tombstones) for hospcode in sorted(hospcodes))
