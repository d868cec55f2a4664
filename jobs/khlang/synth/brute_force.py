"""Every citizen id of one district, hashed against a stolen table of pseudonyms: what falls without the key.

A citizen id has 13 digits: kind of person (1 to 8), district (4), seven more, a check digit (Department of
Provincial Administration). So a district has 8 x 10^7 of them, which a laptop hashes in minutes.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from khlang.conform.pseudonym import KEY_BYTES, Pseudonymiser, domain_key
from khlang.lake.pool import processes

PREFIX = "9901"
"""District of the experiment: province 99 is none."""

KINDS, EACH = 8, 10_000_000
SPACE = KINDS * EACH
"""Citizen ids of one district."""

CHUNK = 250_000
_LENGTH = 13
_KNOWN = 15
"""Bytes compared: 16 are stored; a digest cut after its base64 has 15 whole ones in the 22 characters."""

Guess = Callable[[bytes], bytes]
Numbers = NDArray[np.int64]


def candidates(numbers: Numbers, prefix: str = PREFIX) -> bytes:
    """The ids with these places in the district's space, one behind the other."""
    digits = np.empty((len(numbers), _LENGTH), np.uint8)
    digits[:, 0] = 1 + numbers // EACH
    digits[:, 1:5] = [int(digit) for digit in prefix]
    rest = numbers % EACH
    for place in range(7):
        digits[:, 11 - place] = rest // 10**place % 10
    weights = np.arange(_LENGTH, 1, -1)
    digits[:, 12] = (11 - digits[:, :12].astype(np.int64) @ weights % 11) % 10
    return (digits + ord("0")).tobytes()


def _plain(algorithm: str, before: bytes = b"") -> Guess:
    new = partial(hashlib.new, algorithm, usedforsecurity=False)
    start = new(before)

    def _guess(candidate: bytes) -> bytes:
        state = start.copy()
        state.update(candidate)
        return state.digest()

    return _guess


def _twice(candidate: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(candidate).digest()).digest()


def _keyed(key: bytes) -> Guess:
    """HMAC-SHA-256 (RFC 2104) under a guessed key, its pads hashed once."""
    padded = (key if len(key) <= 64 else hashlib.sha256(key).digest()).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))

    def _guess(candidate: bytes) -> bytes:
        state, tag = inner.copy(), outer.copy()
        state.update(candidate)
        tag.update(state.digest())
        return tag.digest()

    return _guess


CONTROL = "SHA-256"
_PURPOSE = b"khlang/lake/v1/person"
_COMMON = (
    b"khlang",
    b"lake",
    b"person",
    b"key",
    b"secret",
    b"password",
    b"changeme",
    b"moph",
    b"43files",
    b"1234",
)
ATTACKS: Mapping[str, Callable[[], Guess]] = {
    CONTROL: lambda: _plain("sha256"),
    "MD5": lambda: _plain("md5"),
    "SHA-1": lambda: _plain("sha1"),
    "SHA-512": lambda: _plain("sha512"),
    "SHA3-256": lambda: _plain("sha3_256"),
    "SHA-256 twice": lambda: _twice,
    "SHA-256, the domain before": lambda: _plain("sha256", b"person:"),
    "SHA-256, the purpose before": lambda: _plain("sha256", _PURPOSE),
    "HMAC, no key": lambda: _keyed(b""),
    "HMAC, 32 ones": lambda: _keyed(b"\xff" * KEY_BYTES),
    "HMAC, the purpose as key": lambda: _keyed(_PURPOSE),
    "HMAC, derived from zeros": lambda: _keyed(domain_key(bytes(KEY_BYTES), "lake", 1, "person")),
    "HMAC, derived from nothing": lambda: _keyed(domain_key(b"", "lake", 1, "person")),
    "HMAC, derived from counting": lambda: _keyed(domain_key(bytes(range(KEY_BYTES)), "lake", 1, "person")),
    **{f"HMAC, {word.decode()}": partial(_keyed, word) for word in _COMMON},
}
"""What who has the lake but no key may try. A zero key of HMAC is no key: it is filled up with zeros."""


def stored(digest: bytes) -> str:
    """A digest as a pseudonym is stored: `p1.` and 22 characters of base64url."""
    return "p1." + base64.urlsafe_b64encode(digest[:16]).decode()[:22]


def known(table: Sequence[str]) -> frozenset[bytes]:
    """What of each pseudonym a guess is compared with."""
    return frozenset(base64.urlsafe_b64decode(text.partition(".")[2] + "==")[:_KNOWN] for text in table)


@dataclass(frozen=True, slots=True)
class Tried:
    """One attack on one table: how many ids were tried, whose of the table are among them, found, seconds."""

    attack: str
    table: str
    candidates: int
    people: int
    found: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Stolen:
    """The people of a district (places in its space), and their pseudonyms, keyed and plainly hashed."""

    people: Numbers
    keyed: tuple[str, ...]
    plain: tuple[str, ...]

    @classmethod
    def drawn(cls, people: int, seed: int) -> Stolen:
        """Invented people; the key is made here, as a key store makes it, and forgotten."""
        places = np.sort(np.random.default_rng(seed).choice(SPACE, people, replace=False).astype(np.int64))
        ids = list(_each(candidates(places)))
        maker = Pseudonymiser.derived(secrets.token_bytes(KEY_BYTES), "lake", 1)
        keyed = maker.of("person", pl.Series([one.decode() for one in ids])).to_list()
        return cls(places, tuple(keyed), tuple(stored(hashlib.sha256(one).digest()) for one in ids))

    def within(self, count: int) -> int:
        """How many of them are among the first ids of the space that an attack tries."""
        return int((self.people < count).sum())


def _each(body: bytes) -> Iterator[bytes]:
    return (body[at : at + _LENGTH] for at in range(0, len(body), _LENGTH))


def hits(attack: str, wanted: frozenset[bytes], first: int, count: int) -> int:
    """How many of the wanted pseudonyms one attack finds among the ids at these places."""
    guess = ATTACKS[attack]()
    body = candidates(np.arange(first, first + count))
    return len({tag for one in _each(body) if (tag := guess(one)[:_KNOWN]) in wanted})


def siege(
    stolen: Stolen, whole: int, each: int, workers: int, say: Callable[[Tried], None] = lambda _: None
) -> list[Tried]:
    """The control over `whole` ids, every attack on the keyed table over `each`."""
    plain, keyed = known(stolen.plain), known(stolen.keyed)
    wanted = [(CONTROL, "plain SHA-256", plain, whole), *((name, "keyed", keyed, each) for name in ATTACKS)]
    done = []
    with ExitStack() as held:
        pool = held.enter_context(processes(workers, __name__)) if workers > 1 else None
        for attack, table, tags, count in wanted:
            begun = time.monotonic()
            firsts = range(0, count, CHUNK)
            sizes = [min(CHUNK, count - first) for first in firsts]
            work = partial(hits, attack, tags)
            found = sum(pool.map(work, firsts, sizes) if pool else map(work, firsts, sizes))
            done.append(Tried(attack, table, count, stolen.within(count), found, time.monotonic() - begun))
            say(done[-1])
    return done


def holds(tried: Sequence[Tried]) -> bool:
    """Nothing of the keyed table is found; all of the plain one is (else the attack itself is broken)."""
    keyed = [one for one in tried if one.table == "keyed"]
    control = [one for one in tried if one.table != "keyed"]
    fell = all(one.people and one.found == one.people for one in control)
    return bool(keyed and control) and fell and not any(one.found for one in keyed)


def cores() -> int:
    """Cores of this machine that are ours."""
    return len(os.sched_getaffinity(0))
