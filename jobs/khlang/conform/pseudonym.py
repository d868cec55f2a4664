"""Identifiers -> keyed pseudonyms: the same value under the same key and domain is the same pseudonym."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import NoReturn, Self

import polars as pl
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from khlang.errors import PrivacyError

KEY_BYTES = 32
LETTERS: Mapping[str, str] = {
    "person": "p", "patient": "l", "visit": "v", "stay": "a", "house": "h",
    "referral": "r", "referral_province": "r", "staff": "s", "staff_person": "s", "licence": "s",
    "hn": "n", "passport": "i", "insurance": "i", "disability": "i",
}  # fmt: skip
"""Domain -> the pseudonym's first letter. Domains that share a letter still have keys of their own."""

MOST_KNOWN = 1 << 18
"""Pseudonyms of one domain that are remembered: beyond, they are forgotten and worked out again."""

_BLOCK = 64  # bytes of a block of SHA-256
_TAG_BYTES = 16  # 128 bits: no collision to fear among 10^9 values
_TAG_CHARS = 22  # base64 of 16 bytes without its padding


def domain_key(master: bytes, audience: str, version: int, domain: str) -> bytes:
    """The key of one domain: HKDF-SHA-256 of the audience's master, so that no two domains share one."""
    purpose = f"khlang/{audience}/v{version}/{domain}".encode()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(master)


def _pads(key: bytes) -> tuple[hashlib._Hash, hashlib._Hash]:
    """The states of SHA-256 after the key's inner and outer pad (RFC 2104), ready to be copied."""
    whole = (key if len(key) <= _BLOCK else hashlib.sha256(key).digest()).ljust(_BLOCK, b"\0")
    return hashlib.sha256(bytes(b ^ 0x36 for b in whole)), hashlib.sha256(bytes(b ^ 0x5C for b in whole))


class Pseudonymiser:
    """One audience's keys of one version, ready to use; never shown, never pickled.

    Build it inside the process that uses it: a key that could be pickled could travel in a Spark closure.
    """

    __slots__ = ("_before", "_known", "_pads", "version")

    def __init__(self, keys: Mapping[str, bytes], version: int, before: Self | None = None) -> None:
        """Domain -> 256-bit key, and the version that every pseudonym will name.

        With `before`, the version before this one, the value is the pseudonym that that one gives: so stored
        pseudonyms can be carried forward without the identifiers (docs/decisions/0011).
        """
        missing = sorted(LETTERS.keys() - keys.keys())
        if missing:
            raise PrivacyError("key.missing", f"no key for the domains {', '.join(missing)}")
        short = sorted(domain for domain, key in keys.items() if len(key) < KEY_BYTES)
        if short:
            raise PrivacyError("key.short", f"keys shorter than 256 bits: {', '.join(short)}")
        self.version = version
        self._before = before
        # Hashing the key's pads once and copying their states halves the cost of every value.
        self._pads = {domain: _pads(keys[domain]) for domain in LETTERS}
        self._known: dict[str, dict[str, str | None]] = {domain: {} for domain in LETTERS}

    @classmethod
    def derived(cls, master: bytes, audience: str, version: int, before: Self | None = None) -> Self:
        """Every domain's key from the audience's 256-bit master."""
        if len(master) < KEY_BYTES:
            raise PrivacyError("key.short", f"the master key of {audience} is shorter than 256 bits")
        keys = {domain: domain_key(master, audience, version, domain) for domain in LETTERS}
        return cls(keys, version, before)

    @classmethod
    def throwaway(cls) -> Self:
        """Keys that nobody keeps, for the offline check: its pseudonyms join with nothing."""
        return cls.derived(secrets.token_bytes(KEY_BYTES), "check", 0)

    def of(self, domain: str, values: pl.Series) -> pl.Series:
        """Text -> `<letter><version>.<22 characters>`, hashed once per distinct value; null and "" are null.

        The caller puts `HOSPCODE:` before ids that a facility gave itself.
        """
        if domain not in self._pads:
            raise PrivacyError("key.domain", f"no key domain {domain}: the column's pseudonym is not defined")
        # Arrow's dictionary gives the distinct values and every row's place among them in one pass.
        coded = values.cast(pl.String).to_arrow(compat_level=pl.CompatLevel.oldest()).dictionary_encode()
        texts = pl.Series(self._texts(domain, coded.dictionary.to_pylist()), dtype=pl.String)
        return texts.gather(pl.Series(coded.indices, dtype=pl.UInt32)).alias(values.name)

    def _texts(self, domain: str, distinct: list[str]) -> list[str | None]:
        """Distinct values -> pseudonyms, in order; "" -> null. The same patient stands in many files: kept."""
        known = self._known[domain]
        if len(known) > MOST_KNOWN:
            known.clear()
        fresh = [value for value in distinct if value not in known]
        if fresh:
            known.update(zip(fresh, self._hashed(domain, fresh), strict=True))
        return [known[value] for value in distinct]

    def forward(self, domain: str, values: pl.Series, since: int) -> pl.Series:
        """Pseudonyms of version `since` -> the same identifiers' pseudonyms of this version; null is null.

        Raises PrivacyError pseudonym.version for a value that is not a pseudonym of that version and domain: it
        may be one of this version already, and would then join with nothing.
        """
        if self.version < since or domain not in LETTERS:
            raise PrivacyError("pseudonym.version", "pseudonyms are only carried to a newer version")
        expected = f"^{LETTERS[domain]}{since}[.][A-Za-z0-9_-]{{{_TAG_CHARS}}}$"
        if not values.cast(pl.String).str.contains(expected).fill_null(True).all():
            words = f"a value is no pseudonym of version {since} in the domain {domain}"
            raise PrivacyError("pseudonym.version", words, "พบค่าที่ไม่ใช่รหัสแฝงของรุ่นกุญแจที่ระบุ")
        distinct = values.drop_nulls().unique()
        moved = pl.Series(self._carried(domain, distinct.to_list(), since), dtype=pl.String)
        return values.replace_strict(distinct, moved, default=None, return_dtype=pl.String)

    def _carried(self, domain: str, values: list[str], since: int) -> list[str | None]:
        """Pseudonyms of an older version, hashed once by every version after it."""
        if self.version == since:
            return list(values)
        if self._before is None:
            raise PrivacyError("pseudonym.version", f"no key leads from version {since} to {self.version}")
        before = self._before._carried(domain, values, since)
        return self._keyed(domain, [str(value) for value in before])

    def _hashed(self, domain: str, values: list[str]) -> list[str | None]:
        """Each value as `<letter><version>.<base64url of 128 bits>`, by way of the versions before; "" is null."""
        if self._before is not None:
            values = [pseudonym or "" for pseudonym in self._before._hashed(domain, values)]
        return self._keyed(domain, values)

    def _keyed(self, domain: str, values: list[str]) -> list[str | None]:
        """HMAC-SHA-256 of each value under this version's key of the domain."""
        inner, outer = (pad.copy for pad in self._pads[domain])
        tags: list[bytes | None] = []
        for value in values:
            state, tag = inner(), outer()
            state.update(value.encode())
            tag.update(state.digest())
            tags.append(tag.digest()[:_TAG_BYTES] if value else None)
        text = pl.Series(tags, dtype=pl.Binary).bin.encode("base64").str.head(_TAG_CHARS)
        safe = text.str.replace_all("+", "-", literal=True).str.replace_all("/", "_", literal=True)
        return (f"{LETTERS[domain]}{self.version}." + safe).to_list()

    def __repr__(self) -> str:
        """The version only."""
        return f"Pseudonymiser(version={self.version})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refused: keys never travel in a closure, a broadcast or a cache."""
        raise PrivacyError(
            "key.pickled", "a pseudonymiser is never pickled", next_step="open the key store in the worker"
        )
