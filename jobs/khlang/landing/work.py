"""Offered zips -> looked at, and stowed in landing with their names: here, or spread over worker processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Generic, Self, TypeVar

from khlang.conform.people import TELLING, Told, names_of_each
from khlang.conform.stream import PIECE_BYTES
from khlang.conform.unpack import Unpacked
from khlang.errors import KhlangError, StoreError
from khlang.lake.ledger import Delivery
from khlang.lake.names import NOBODY, NameBooks, telling
from khlang.lake.pool import processes
from khlang.lake.vault import Vault
from khlang.landing.offer import Examined, Offer, examine
from khlang.settings import Settings

A = TypeVar("A")
T = TypeVar("T")

PART = 16
"""Zips that a worker gets at once."""

TELLING_BYTES = 32 << 20
"""Inflated bytes of members whose names are read at once."""

THREADS = 4
"""Zips that a process works on at once: the others wait for the store."""


@dataclass(frozen=True, slots=True)
class Failed:
    """An offer that could not be stored: it stays where it is and is taken the next time."""

    receipt: str
    error: KhlangError


@dataclass(frozen=True, slots=True)
class Stowing:
    """A zip that is about to be put into landing. `code` refuses it; `told`: its names are kept with it."""

    delivery: Delivery
    found: Examined = field(repr=False)
    code: str | None
    told: bool

    @property
    def receipt(self) -> str:
        """Its number."""
        return self.delivery.receipt


@dataclass(frozen=True, slots=True)
class _Tools:
    """What a process works with: it opens stores and keys itself."""

    vault: Vault
    books: NameBooks
    threads: ThreadPoolExecutor


@cache
def _tools(settings: Settings, process: int) -> _Tools:
    return _Tools(Vault(settings), NameBooks(settings), ThreadPoolExecutor(THREADS, "door"))


def _each(settings: Settings, work: Callable[[A], T], on: Sequence[tuple[str, A]]) -> list[T | Failed]:
    """Work on several (receipt, thing) at once; what fails fails alone."""

    def _tried(one: tuple[str, A]) -> T | Failed:
        try:
            return work(one[1])
        except KhlangError as error:
            return Failed(one[0], error)

    return list(_tools(settings, os.getpid()).threads.map(_tried, on))


def look(settings: Settings, offers: Sequence[Offer]) -> list[Examined | Failed]:
    """Read offers to their ends; one that changed or went meanwhile is left for the next time."""
    return _each(settings, lambda offer: examine(offer, settings), [("", offer) for offer in offers])


def stow(settings: Settings, zips: Sequence[Stowing]) -> list[Failed | None]:
    """Put zips into landing, then their names: an accepted delivery never lacks them. None for a success."""
    vault = _tools(settings, os.getpid()).vault
    tried = _each(settings, lambda each: store(vault, each), [(each.receipt, each) for each in zips])
    stored = [each for each, failure in zip(zips, tried, strict=True) if failure is None]
    unnamed = write_names(settings, [each for each in stored if each.told])
    return [failure or unnamed.get(each.receipt) for each, failure in zip(zips, tried, strict=True)]


def store(vault: Vault, each: Stowing) -> None:
    """One zip."""
    with each.found.open() as source:
        vault.put(each.delivery, source)


def write_names(settings: Settings, zips: Sequence[Stowing]) -> dict[str, Failed]:
    """The names that zips tell, sealed beside them; receipt -> failure of those whose names are not written.

    Members of many zips are read together: most have a few dozen rows, and a call costs more than those do.
    """
    books = _tools(settings, os.getpid()).books
    failures: dict[str, Failed] = {}
    for some in _batches(zips):
        named = _large_book(settings, some[0]) if _is_large(some[0]) else _books_of(settings, some)
        sealing = [(each[0].receipt, each) for each in named if not isinstance(each, Failed)]
        written = _each(settings, partial(_write, books), sealing)
        failures |= {each.receipt: each for each in (*named, *written) if isinstance(each, Failed)}
    return failures


def _is_large(each: Stowing) -> bool:
    """Whether a zip tells names in a member that is read in pieces."""
    entries = each.found.verdict.entries
    return any(entry.file in TELLING and entry.bytes > PIECE_BYTES for entry in entries)


def _batches(zips: Sequence[Stowing]) -> Iterator[list[Stowing]]:
    """Zips whose telling members fit into memory together; one with a large member alone."""
    some: list[Stowing] = []
    size = 0
    for each in zips:
        own = sum(entry.bytes for entry in each.found.verdict.entries if entry.file in TELLING)
        if some and (size + own > TELLING_BYTES or _is_large(each) or _is_large(some[0])):
            yield some
            some, size = [], 0
        some.append(each)
        size += own
    if some:
        yield some


def _books_of(settings: Settings, some: Sequence[Stowing]) -> list[tuple[Stowing, bytes] | Failed]:
    """Each zip that tells names with its book; the failures beside them."""

    def _read(each: Stowing) -> Told:
        with each.found.open() as source, Unpacked(source, settings) as unpacked:
            return telling(unpacked, each.found.verdict.entries, each.delivery)

    read = _each(settings, _read, [(each.receipt, each) for each in some])
    told = [(each, told) for each, told in zip(some, read, strict=True) if not isinstance(told, Failed)]
    named = zip(told, names_of_each([names for _, names in told]), strict=True)
    failed = [each for each in read if isinstance(each, Failed)]
    return [*failed, *((each, book or NOBODY) for (each, found), book in named if book or found)]


def _large_book(settings: Settings, each: Stowing) -> list[tuple[Stowing, bytes] | Failed]:
    """The same for one zip whose members are read from it piece by piece."""

    def _read(each: Stowing) -> bytes | None:
        with each.found.open() as source, Unpacked(source, settings) as unpacked:
            return names_of_each([telling(unpacked, each.found.verdict.entries, each.delivery)])[0]

    (book,) = _each(settings, _read, [(each.receipt, each)])
    if isinstance(book, Failed):
        return [book]
    return [(each, book or NOBODY)]


def _write(books: NameBooks, sealing: tuple[Stowing, bytes]) -> None:
    each, book = sealing
    books.write(str(each.delivery.hospcode), each.receipt, book)


class Results(Generic[T]):
    """Answers that are on their way, in the order of what was asked."""

    def __init__(self, parts: list[Future[list[T]]]) -> None:
        """One future for each part of what was asked."""
        self._parts = parts

    def __iter__(self) -> Iterator[T]:
        """Each when it has come; raises StoreError door.worker when a worker process was killed."""
        with _told_apart():
            for part in self._parts:
                yield from part.result()


@contextmanager
def _told_apart() -> Iterator[None]:
    """A worker that was killed is a failure with a name."""
    try:
        yield
    except BrokenProcessPool:
        raise StoreError(
            "door.worker", "a worker process of the door was ended from outside",
            "โปรเซสย่อยของงานรับข้อมูลถูกหยุดจากภายนอก",
            next_step="run it again: it goes on where it was cut off; look for a lack of memory",
        ) from None  # fmt: skip


class Workers:
    """Looks at zips and stows them: in this process, or in others, two for each core.

    The others are started from a process that has no threads and no connections; each opens stores and keys
    itself. They end when this process does, however it ends.
    """

    def __init__(self, settings: Settings, spread: bool) -> None:
        """`spread` over processes, which take two seconds to start."""
        self._settings, self._pool = settings, _processes() if spread else None

    def look(self, offers: Sequence[Offer]) -> Results[Examined | Failed]:
        """Read offers to their ends."""
        return self._spread(look, offers)

    def stow(self, zips: Sequence[Stowing]) -> Results[Failed | None]:
        """Put zips into landing."""
        return self._spread(stow, zips)

    def _spread(self, work: Callable[[Settings, Sequence[A]], list[T]], on: Sequence[A]) -> Results[T]:
        if self._pool is None:
            done: Future[list[T]] = Future()
            done.set_result(work(self._settings, on))
            return Results([done])
        parts = (on[start : start + PART] for start in range(0, len(on), PART))
        with _told_apart():
            return Results([self._pool.submit(work, self._settings, part) for part in parts])

    def __enter__(self) -> Self:
        """Ready to work."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes, when what they work on is done."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _processes() -> ProcessPoolExecutor:
    # Two per core: each waits for a store a good part of its time (docs/performance.md).
    return processes(2 * len(os.sched_getaffinity(0)), __name__)
