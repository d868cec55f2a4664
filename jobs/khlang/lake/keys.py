"""The key store: versioned 256-bit keys per audience, for the vault and for the name books; never shown."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import NoReturn, Protocol, Self

from khlang.conform.pseudonym import KEY_BYTES, Pseudonymiser
from khlang.errors import PrivacyError, SettingsError
from khlang.settings import Settings

VAULT = "vault"
NAME_BOOK = "names"
LAKE = "lake"
PURPOSES = (LAKE, VAULT, NAME_BOOK)
"""Keys of a new store. Further audiences (research agreements) are added by name."""

RENEW_SECONDS = 60.0
"""A process that lives long reads the store again after so long: new work is never far behind a rotation."""

CREATE = "run `khlang up`, which makes a key store at its first start, or `khlang keys create`"
RESTORE = "restore the key store from its backup: new keys would part new rows from those that are there"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of one purpose; `id` is a one-way fingerprint, the bytes are in no repr."""

    purpose: str
    version: int
    created: datetime
    material: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """First 12 hex digits of an HMAC under the key: names it without helping to guess it."""
        return hmac.new(self.material, b"khlang key id", hashlib.sha256).hexdigest()[:12]

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refused: keys never travel in a closure, a broadcast or a cache."""
        raise PrivacyError("key.pickled", "a key is never pickled")


Edit = Callable[[list[Key]], list[Key]]
"""The present keys -> the keys to store."""


class KeySource(Protocol):
    """Where the keys lie: a 0600 file in the embedded stack, a secret service in production."""

    def exists(self) -> bool:
        """Whether there is a store to read."""

    def read(self) -> list[Key]:
        """All keys; raises PrivacyError when there is no store or it has another form."""

    def change(self, edit: Edit, forget: bool = False) -> list[Key]:
        """Store what `edit` makes of the present keys (none when there is no store) and return it.

        Two that change at once do so one after the other: `edit` may be called again with the other's keys.
        `forget`: what the store keeps of earlier states is destroyed too.
        """


def _file(settings: Settings, place: str) -> KeySource:
    """A file; relative paths count from KHLANG_HOME."""
    from khlang.lake.keyfile import FileSource

    return FileSource(settings.root / place)


def _openbao(settings: Settings, place: str) -> KeySource:
    """A secret of an OpenBao server."""
    from khlang.lake.openbao import BaoSource

    return BaoSource.of(settings, place)


SOURCES: Mapping[str, Callable[[Settings, str], KeySource]] = {"file": _file, "openbao": _openbao}
"""Scheme of settings.key_store -> what reads it."""


def source_of(settings: Settings) -> KeySource:
    """The key store that the settings name."""
    scheme, _, place = (settings.key_store or "file:keys/keys.json").partition(":")
    if scheme not in SOURCES:
        words = f"no key store of kind {scheme!r}; known: {', '.join(sorted(SOURCES))}"
        step = "set it to file:PATH or openbao:https://keys.example:8200/MOUNT/PATH, or leave it empty"
        raise SettingsError("key.scheme", words, "ไม่รู้จักที่เก็บกุญแจชนิดนี้", "KHLANG_KEY_STORE", step)
    return SOURCES[scheme](settings, place)


def weakness(material: bytes) -> str | None:
    """Why these bytes are no key: too short, text, a repeated or a counting pattern; None when they are fine.

    256 random bits fail one of these with a chance below 10^-14.
    """
    if len(material) < KEY_BYTES:
        return "shorter than 256 bits"
    steps = {(after - before) % 256 for before, after in pairwise(material)}
    if len(set(material)) < 12 or len(steps) < 12:
        return "a pattern"
    if all(32 <= byte < 127 for byte in material):
        return "text"
    return None


def _checked(keys: list[Key]) -> list[Key]:
    """Refuse test keys, short keys, one key in two places, and a purpose without a key."""
    for key in keys:
        if (weak := weakness(key.material)) is not None:
            words = f"key {key.purpose} v{key.version} is {weak}"
            raise PrivacyError("key.weak", words, "กุญแจไม่ปลอดภัย", "key store", RESTORE)
    places = {(key.purpose, key.version) for key in keys}
    if len({key.material for key in keys}) < len(keys) or len(places) < len(keys):
        words = "two entries of the key store are the same"
        raise PrivacyError("key.repeated", words, "มีกุญแจซ้ำ", "key store", RESTORE)
    for purpose in PURPOSES:
        if all(key.purpose != purpose for key in keys):
            words = f"the key store has no key for {purpose}"
            raise PrivacyError("key.missing", words, "กุญแจไม่ครบ", "key store", RESTORE)
    return keys


class KeyStore:
    """All keys of this lake, checked. Open it in the process that needs it; it can not be pickled."""

    __slots__ = ("_keys", "_read_at", "_source")

    def __init__(self, source: KeySource, keys: list[Key]) -> None:
        """A source and its keys; raises PrivacyError unless every key is fit for use."""
        self._source = source
        self._take(keys)

    def _take(self, keys: list[Key]) -> None:
        self._keys = {(key.purpose, key.version): key for key in _checked(keys)}
        self._read_at = time.monotonic()

    def renewed(self) -> Self:
        """This store, read again when that was long ago: for new work of a process that lives long."""
        if time.monotonic() - self._read_at > RENEW_SECONDS:
            self._take(self._source.read())
        return self

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """The key store that the settings name; raises PrivacyError when it is missing or unfit."""
        source = source_of(settings)
        return cls(source, source.read())

    def listed(self) -> tuple[Key, ...]:
        """All keys by purpose and version (to list ids and ages)."""
        return tuple(self._keys[place] for place in sorted(self._keys))

    def versions(self, purpose: str) -> tuple[int, ...]:
        """Versions of a purpose's key, oldest first; the last one is used for new work."""
        return tuple(sorted(version for name, version in self._keys if name == purpose))

    def key(self, purpose: str, version: int | None = None) -> Key:
        """One key; the newest version when none is named. Raises PrivacyError when it is not there."""
        if version is not None and (purpose, version) not in self._keys:
            self._take(self._source.read())  # another process may have made it since
        versions = self.versions(purpose)
        wanted = versions[-1] if version is None and versions else version
        if wanted is None or wanted not in versions:
            named = f" v{version}" if version is not None else ""
            words = f"the key store has no key {purpose}{named}"
            raise PrivacyError("key.missing", words, "ไม่มีกุญแจนี้", "key store", RESTORE)
        return self._keys[(purpose, wanted)]

    def pseudonymiser(self, audience: str = LAKE, version: int | None = None) -> Pseudonymiser:
        """The audience's keyed hash, every domain with its own key; a version builds on all before it."""
        if audience in (VAULT, NAME_BOOK):
            raise PrivacyError("key.purpose", f"{audience} is not an audience")
        newest = self.key(audience, version).version
        made: Pseudonymiser | None = None
        for number in range(1, newest + 1):
            key = self.key(audience, number)
            made = Pseudonymiser.derived(key.material, audience, number, made)
        assert made is not None
        return made

    def add(self, purpose: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Key:
        """A new version of a purpose's key (or the first of a new audience), stored before it is used."""
        made: list[Key] = []

        def _one_more(keys: list[Key]) -> list[Key]:
            versions = [key.version for key in _checked(keys) if key.purpose == purpose]
            made.append(_new(purpose, max(versions, default=0) + 1, clock()))
            return [*keys, made[-1]]

        self._take(self._source.change(_one_more))
        return made[-1]

    def remove(self, purpose: str, version: int) -> None:
        """Destroy an old version: what was kept under it opens no more. The newest one is never removed."""

        def _without(keys: list[Key]) -> list[Key]:
            if version >= max(key.version for key in _checked(keys) if key.purpose == purpose):
                raise PrivacyError("key.newest", f"{purpose} v{version} is in use", "กุญแจนี้ยังใช้งานอยู่")
            return [key for key in keys if (key.purpose, key.version) != (purpose, version)]

        self._take(self._source.change(_without, forget=True))

    def __repr__(self) -> str:
        """Purposes and versions only."""
        return f"KeyStore({', '.join(f'{purpose} v{version}' for purpose, version in sorted(self._keys))})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refused: keys never travel in a closure, a broadcast or a cache."""
        raise PrivacyError("key.pickled", "a key store is never pickled")


def _new(purpose: str, version: int, created: datetime) -> Key:
    """A fresh random key."""
    return Key(purpose, version, created, secrets.token_bytes(KEY_BYTES))


def create(settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> KeyStore:
    """Make the key store with one key per purpose; an existing one is opened and never overwritten."""
    source = source_of(settings)
    if not source.exists():
        created = clock()
        source.change(lambda keys: keys or [_new(purpose, 1, created) for purpose in PURPOSES])
    return KeyStore.open(settings)
