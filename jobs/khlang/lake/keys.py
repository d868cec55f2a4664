"""The key store: versioned 256-bit keys per audience, for the vault and for the name books; never shown."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import NoReturn, Protocol, Self

from khlang.conform.pseudonym import KEY_BYTES, Pseudonymiser
from khlang.errors import PrivacyError, SettingsError
from khlang.settings import Settings

VAULT = "vault"
NAME_BOOK = "names"
LAKE = "lake"
PURPOSES = (LAKE, VAULT, NAME_BOOK)
"""Keys of a new store. Further audiences (research agreements) are added by name."""

_CREATE = "run `khlang up`, which makes a key store at its first start"
_RESTORE = "restore the key store from its backup: new keys would part new rows from those that are there"


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


class KeySource(Protocol):
    """Where the keys lie: a 0600 file in the embedded stack, a secret service in production."""

    def exists(self) -> bool:
        """Whether there is a store to read."""

    def read(self) -> list[Key]:
        """All keys, checked; raises PrivacyError."""

    def write(self, keys: list[Key]) -> None:
        """Replace the stored keys in one step."""


class FileSource:
    """Keys in one JSON file that only its owner may read."""

    def __init__(self, path: Path) -> None:
        """The file; its folder is made 0700 on the first write."""
        self.path = path

    def exists(self) -> bool:
        """Whether the file is there."""
        return self.path.exists()

    def read(self) -> list[Key]:
        """Read and check; a file that others may read is refused, not repaired: it may have been copied."""
        if not self.exists():
            raise PrivacyError("key.missing", "there is no key store", "ไม่พบที่เก็บกุญแจ", "key store", _CREATE)
        mode = self.path.stat().st_mode & 0o777
        if mode & 0o077:
            words = f"the key store has mode {mode:o}, others may have read it"
            step = "chmod 600 if you are sure that nobody did, else make new keys"
            raise PrivacyError("key.mode", words, "ผู้อื่นอาจอ่านที่เก็บกุญแจได้", "key store", step)
        try:
            stored = json.loads(self.path.read_text("utf-8"))["keys"]
            return [_decoded(row) for row in stored]
        except (ValueError, KeyError, TypeError) as wrong:
            other = ("the key store has another form", "รูปแบบของที่เก็บกุญแจไม่ถูกต้อง")
            raise PrivacyError("key.unreadable", *other, "key store", _RESTORE) from wrong

    def write(self, keys: list[Key]) -> None:
        """Write beside and rename, so that a crash never leaves half a store."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = self.path.with_suffix(f".{os.getpid()}.new")
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"keys": [_encoded(key) for key in keys]}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, self.path)


def _encoded(key: Key) -> dict[str, object]:
    """Key -> row of the file."""
    created, material = key.created.isoformat(), base64.b64encode(key.material).decode()
    return {"purpose": key.purpose, "version": key.version, "created": created, "key": material}


def _decoded(row: Mapping[str, str | int]) -> Key:
    """Row of the file -> Key."""
    material = base64.b64decode(str(row["key"]), validate=True)
    created = datetime.fromisoformat(str(row["created"]))
    return Key(str(row["purpose"]), int(row["version"]), created, material)


SOURCES: Mapping[str, Callable[[str], KeySource]] = {"file": lambda place: FileSource(Path(place))}
"""Scheme of settings.key_store -> what reads it."""


def _source(settings: Settings) -> KeySource:
    """The key store that the settings name; relative file paths count from KHLANG_HOME."""
    named = settings.key_store or "file:keys/keys.json"
    scheme, _, place = named.partition(":")
    if scheme not in SOURCES:
        words = f"no key store of kind {scheme!r}; known: {', '.join(sorted(SOURCES))}"
        step = "set it to file:PATH, or leave it empty"
        raise SettingsError("key.scheme", words, "ไม่รู้จักที่เก็บกุญแจชนิดนี้", "KHLANG_KEY_STORE", step)
    return SOURCES[scheme](str(settings.root / place) if scheme == "file" else place)


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
            raise PrivacyError("key.weak", words, "กุญแจไม่ปลอดภัย", "key store", _RESTORE)
    places = {(key.purpose, key.version) for key in keys}
    if len({key.material for key in keys}) < len(keys) or len(places) < len(keys):
        words = "two entries of the key store are the same"
        raise PrivacyError("key.repeated", words, "มีกุญแจซ้ำ", "key store", _RESTORE)
    for purpose in PURPOSES:
        if all(key.purpose != purpose for key in keys):
            words = f"the key store has no key for {purpose}"
            raise PrivacyError("key.missing", words, "กุญแจไม่ครบ", "key store", _RESTORE)
    return keys


class KeyStore:
    """All keys of this lake, checked. Open it in the process that needs it; it can not be pickled."""

    __slots__ = ("_keys", "_source")

    def __init__(self, source: KeySource, keys: list[Key]) -> None:
        """A source and its keys; raises PrivacyError unless every key is fit for use."""
        self._source = source
        self._keys = {(key.purpose, key.version): key for key in _checked(keys)}

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """The key store that the settings name; raises PrivacyError when it is missing or unfit."""
        source = _source(settings)
        return cls(source, source.read())

    def listed(self) -> tuple[Key, ...]:
        """All keys by purpose and version (to list ids and ages)."""
        return tuple(self._keys[place] for place in sorted(self._keys))

    def versions(self, purpose: str) -> tuple[int, ...]:
        """Versions of a purpose's key, oldest first; the last one is used for new work."""
        return tuple(sorted(version for name, version in self._keys if name == purpose))

    def key(self, purpose: str, version: int | None = None) -> Key:
        """One key; the newest version when none is named. Raises PrivacyError when it is not there."""
        versions = self.versions(purpose)
        wanted = versions[-1] if version is None and versions else version
        if wanted is None or wanted not in versions:
            named = f" v{version}" if version is not None else ""
            words = f"the key store has no key {purpose}{named}"
            raise PrivacyError("key.missing", words, "ไม่มีกุญแจนี้", "key store", _RESTORE)
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
        version = max(self.versions(purpose), default=0) + 1
        key = _new(purpose, version, clock())
        self._source.write([*self.listed(), key])
        self._keys[(purpose, version)] = key
        return key

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
    source = _source(settings)
    if not source.exists():
        created = clock()
        source.write([_new(purpose, 1, created) for purpose in PURPOSES])
    return KeyStore.open(settings)
