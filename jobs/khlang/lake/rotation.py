"""Key-encryption keys replaced: every data key wrapped anew, the old key destroyed once nothing is under it.

What the data keys sealed is not touched: landing's zips stay locked as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import starmap

from khlang.errors import PrivacyError, SettingsError, StoreError
from khlang.lake.keys import NAME_BOOK, VAULT, KeyStore
from khlang.lake.ledger import Ledger, Wrapped
from khlang.lake.locks import writer
from khlang.lake.names import NameBooks
from khlang.lake.sealing import rewrapped
from khlang.lake.vault import AHEAD
from khlang.settings import Settings

PURPOSES = (VAULT, NAME_BOOK)
AT_ONCE = 200
"""Deliveries whose data keys are rewrapped in one transaction."""

GRACE = timedelta(minutes=15)
"""A key is retired no sooner after its successor was made: by then no process wraps under it any more
(khlang.lake.keys.RENEW_SECONDS), one that had it in hand has put away what it sealed."""

Say = Callable[[int], None]
Clock = Callable[[], datetime]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation did: the version in use, and how many data keys it wrapped anew."""

    purpose: str
    version: int
    rewrapped: int
    resumed: bool


def rotate(settings: Settings, purpose: str, actor: str, say: Say = lambda done: None) -> Rotation:
    """A new version, then every data key under it; one that was cut off is completed instead.

    Deliveries go on meanwhile: what they wrapped under the old key is found by the next pass.
    """
    _known(purpose)
    with writer(settings, "keys") as held, Ledger.open(settings) as ledger:
        store, books = KeyStore.open(settings), NameBooks(settings)
        resumed = _any_older(ledger, books, purpose, store.key(purpose).version)
        version = store.key(purpose).version if resumed else store.add(purpose).version
        ledger.note_keys(store.listed())
        ledger.audit(actor, "keys.rotate", f"{purpose} v{version}{' (resumed)' if resumed else ''}")
        done = 0
        for step in _passes(settings, store, ledger, purpose, version):
            held.check()
            done += step
            say(done)
        ledger.audit(actor, "keys.rotated", f"{purpose} v{version}: {done} data keys")
    return Rotation(purpose, version, done, resumed)


def retire(settings: Settings, purpose: str, version: int, actor: str, clock: Clock = _now) -> None:
    """Destroy an old version: wrapped keys in old copies of the ledger then open nothing.

    Raises PrivacyError while anything is wrapped under it, or its successor is too young. Run again after a
    stop in the middle, it completes.
    """
    _known(purpose)
    with writer(settings, "keys"), Ledger.open(settings) as ledger:
        store = KeyStore.open(settings)
        if not ledger.is_retired(purpose, version):
            _may_go(store, purpose, version, clock())
            ledger.note_keys(store.listed())
            ledger.retire_key(
                purpose, version, _fragments_under(settings, version) if purpose == NAME_BOOK else 0
            )
        if version in store.versions(purpose):
            store.remove(purpose, version)
            ledger.audit(actor, "keys.retired", f"{purpose} v{version}")


def _known(purpose: str) -> None:
    if purpose not in PURPOSES:
        words = (f"{purpose} is no key-encryption key", "ไม่ใช่กุญแจสำหรับห่อกุญแจ")
        raise SettingsError("key.purpose", *words, purpose, f"one of {', '.join(PURPOSES)}")


def _may_go(store: KeyStore, purpose: str, version: int, now: datetime) -> None:
    """A key goes when there is a newer one that every process knows by now."""
    store.key(purpose, version)
    newer = [key for key in store.listed() if key.purpose == purpose and key.version > version]
    if not newer:
        words = (f"{purpose} v{version} is in use", "กุญแจนี้ยังใช้งานอยู่")
        raise PrivacyError("key.newest", *words, purpose, f"`khlang keys rotate {purpose}` first")
    ready = newer[0].created + GRACE
    if now < ready:
        words = ("its successor is too young: some process may still wrap under it", "กุญแจรุ่นใหม่ยังเพิ่งสร้าง")
        raise PrivacyError("key.young", *words, f"{purpose} v{version}", f"retire it after {ready:%H:%M} UTC")


def _any_older(ledger: Ledger, books: NameBooks, purpose: str, version: int) -> bool:
    """Whether a rotation was cut off: something is under an older key than the newest."""
    if purpose == VAULT:
        return bool(ledger.wrapped_below(version, "", 1))
    return any((found or version) < version for found in starmap(books.version, books.every()))


def _fragments_under(settings: Settings, version: int) -> int:
    """How many name fragments are wrapped under a version."""
    books = NameBooks(settings)
    with ThreadPoolExecutor(AHEAD, "names") as pool:
        return sum(found == version for found in pool.map(lambda one: books.version(*one), books.every()))


def _passes(settings: Settings, store: KeyStore, ledger: Ledger, purpose: str, version: int) -> Iterator[int]:
    """Data keys wrapped anew, some at a time, until a pass finds nothing under an older key."""
    while True:
        found = 0
        steps = _deliveries(store, ledger, version) if purpose == VAULT else _fragments(NameBooks(settings))
        for step in steps:
            found += step
            yield step
        if not found:
            return


def _deliveries(store: KeyStore, ledger: Ledger, version: int) -> Iterator[int]:
    after = ""
    while rows := ledger.wrapped_below(version, after, AT_ONCE):
        yield ledger.rewrap([_anew(store, row) for row in rows])
        after = rows[-1].receipt


def _anew(store: KeyStore, row: Wrapped) -> tuple[Wrapped, bytes, int]:
    try:
        fresh = rewrapped(store, row.wrapped, row.version, row.receipt)
    except StoreError as wrong:
        raise StoreError(
            wrong.code, wrong.en, wrong.th, row.receipt, "restore its row of the ledger"
        ) from None
    return row, fresh.wrapped, fresh.version


def _fragments(books: NameBooks) -> Iterator[int]:
    with ThreadPoolExecutor(AHEAD, "names") as pool:
        yield from map(int, pool.map(lambda one: books.rewrap(*one), books.every()))
