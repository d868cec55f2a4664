"""Pseudonyms: one value, one domain, one key, one version, one pseudonym."""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import pickle
import re
import secrets
import subprocess
import sys

import polars as pl
import pytest

from khlang.conform.pseudonym import LETTERS, Pseudonymiser, domain_key
from khlang.errors import PrivacyError
from khlang.model.contract import contracts

MASTER = bytes.fromhex("8f1d2c3b4a5968778695a4b3c2d1e0ff0123456789abcdeffedcba9876543210")


def _of(domain: str, *values: str | None, version: int = 1) -> list[str | None]:
    keyed = Pseudonymiser.derived(MASTER, "lake", version)
    return keyed.of(domain, pl.Series(values, dtype=pl.String)).to_list()


def test_a_pseudonym_is_hmac_sha256_under_an_hkdf_key_cut_to_128_bits() -> None:
    prk = hmac.new(b"\0" * 32, MASTER, hashlib.sha256).digest()  # RFC 5869 by hand: extract, then expand
    key = hmac.new(prk, b"khlang/lake/v1/person\x01", hashlib.sha256).digest()
    tag = hmac.new(key, b"1101700203451", hashlib.sha256).digest()[:16]
    expected = "p1." + base64.urlsafe_b64encode(tag).decode().rstrip("=")
    assert domain_key(MASTER, "lake", 1, "person") == key
    assert _of("person", "1101700203451") == [expected]


def test_every_domain_of_the_contracts_has_a_letter_and_a_key() -> None:
    declared = {c.domain for contract in contracts().values() for c in contract.columns if c.domain}
    assert declared and declared <= LETTERS.keys()


@pytest.mark.parametrize("domain", sorted(LETTERS))
def test_a_pseudonym_has_its_domains_letter_the_version_and_22_characters(domain: str) -> None:
    (found,) = _of(domain, "value", version=12)
    assert re.fullmatch(LETTERS[domain] + r"12\.[A-Za-z0-9_-]{22}", str(found))


def test_the_same_value_differs_between_domains_audiences_versions_and_masters() -> None:
    value = pl.Series(["12345"])
    found = {Pseudonymiser.derived(MASTER, "lake", 1).of(domain, value)[0][3:] for domain in LETTERS}
    found |= {Pseudonymiser.derived(MASTER, "study", 1).of("person", value)[0][3:]}
    found |= {Pseudonymiser.derived(MASTER, "lake", 2).of("person", value)[0][3:]}
    found |= {Pseudonymiser.derived(secrets.token_bytes(32), "lake", 1).of("person", value)[0][3:]}
    assert len(found) == len(LETTERS) + 3


def test_equal_values_are_equal_and_null_and_empty_are_null() -> None:
    first, empty, null, again, other = _of("visit", "a", "", None, "a", "b")
    assert first == again != other
    assert empty is None and null is None


def test_nothing_and_only_nulls_come_back_as_they_are() -> None:
    assert _of("person") == []
    assert _of("person", None, None) == [None, None]


def test_a_million_values_collide_nowhere() -> None:
    values = pl.Series(range(1_000_000)).cast(pl.String)
    assert Pseudonymiser.derived(MASTER, "lake", 1).of("patient", values).n_unique() == 1_000_000


def test_an_unknown_domain_is_refused() -> None:
    with pytest.raises(PrivacyError, match=r"key\.domain"):
        _of("neighbour", "x")


def test_a_short_master_and_a_missing_domain_are_refused() -> None:
    with pytest.raises(PrivacyError, match=r"key\.short"):
        Pseudonymiser.derived(MASTER[:31], "lake", 1)
    keys = {domain: domain_key(MASTER, "lake", 1, domain) for domain in LETTERS}
    with pytest.raises(PrivacyError, match=r"key\.short"):
        Pseudonymiser({**keys, "house": b"short"}, 1)
    with pytest.raises(PrivacyError, match=r"key\.missing"):
        Pseudonymiser({domain: key for domain, key in keys.items() if domain != "house"}, 1)


def test_keys_are_in_no_repr_and_can_not_be_pickled_or_copied() -> None:
    keyed = Pseudonymiser.derived(MASTER, "lake", 1)
    assert repr(keyed) == "Pseudonymiser(version=1)"
    for travel in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(PrivacyError, match=r"key\.pickled"):
            travel(keyed)


def test_throwaway_keys_join_with_nothing() -> None:
    value = pl.Series(["1"])
    first, second = (
        Pseudonymiser.throwaway().of("person", value),
        Pseudonymiser.throwaway().of("person", value),
    )
    assert first[0] != second[0]


def test_conform_needs_neither_stores_nor_database_nor_spark() -> None:
    program = "import sys, khlang.conform.pseudonym, khlang.conform.unpack; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"boto3", "sqlalchemy", "pyspark", "deltalake"} & set(done.stdout.split())


@pytest.mark.parametrize("size", [32, 64, 65, 200])
def test_a_key_of_any_length_is_used_as_hmac_uses_it(size: int) -> None:
    key = bytes(range(size))
    pseudonym = Pseudonymiser(dict.fromkeys(LETTERS, key), 1).of("hn", pl.Series(["10001:7"]))[0]
    tag = hmac.new(key, b"10001:7", hashlib.sha256).digest()[:16]
    assert pseudonym == "n1." + base64.urlsafe_b64encode(tag).decode()[:22]
