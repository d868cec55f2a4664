"""Sealed bytes: what comes out is what went in, or nothing."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest

from khlang.errors import PrivacyError, StoreError
from khlang.lake import keys
from khlang.lake.keys import KeyStore
from khlang.lake.sealing import CHUNK, WINDOW, DataKey, digest, new_key, open_key, seal, sealed_size, unseal
from khlang.settings import Settings


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    """Fresh keys."""
    return keys.create(Settings(home=tmp_path))


def sealed(plain: bytes, key: DataKey, context: str = "R1") -> bytes:
    return b"".join(seal(io.BytesIO(plain), len(plain), key, context))


def opened(body: bytes, key: DataKey, context: str = "R1") -> bytes:
    with unseal(lambda at, count: body[at : at + count], len(body), key, context) as source:
        return source.read()


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, WINDOW + CHUNK + 5, 9 << 20])
def test_bytes_come_back_as_they_were_and_nothing_of_them_shows(store: KeyStore, size: int) -> None:
    plain, key = noise(size), new_key(store, "R1")
    body = sealed(plain, key)
    assert len(body) == sealed_size(size)
    assert opened(body, key) == plain
    assert plain[:64] not in body or size == 0 or size < 8


def test_a_sealed_file_is_read_at_any_offset_by_windows(store: KeyStore) -> None:
    plain, key = noise(11 << 20), new_key(store, "R1")
    body, fetched = sealed(plain, key), []

    def fetch(at: int, count: int) -> bytes:
        fetched.append(count)
        return body[at : at + count]

    dice = random.Random(5)
    with unseal(fetch, len(body), key, "R1") as source:
        for _ in range(200):
            at, count = dice.randrange(len(plain) + 10), dice.choice([1, 100, CHUNK, 3 * CHUNK])
            source.seek(at)
            assert source.read(count) == plain[at : at + count]
        assert source.seek(-5, io.SEEK_END) == len(plain) - 5 and source.read() == plain[-5:]
    assert max(fetched) < WINDOW + 64 * 16, "a large object must not be fetched whole"


@pytest.mark.parametrize("size", [0, 100, 2 * CHUNK + 7])
def test_every_altered_byte_is_noticed(store: KeyStore, size: int) -> None:
    key = new_key(store, "R1")
    body = sealed(noise(size), key)
    places = range(len(body)) if size < 1000 else random.Random(3).sample(range(len(body)), 300)
    for place in places:
        changed = bytearray(body)
        changed[place] ^= 1
        with pytest.raises(StoreError, match=r"vault\.tampered"):
            opened(bytes(changed), key)


def test_cut_moved_and_repeated_chunks_are_noticed(store: KeyStore) -> None:
    key = new_key(store, "R1")
    body = sealed(noise(3 * CHUNK), key)
    head = len(body) - 3 * (CHUNK + 16)
    first, second, third = (body[head + n * (CHUNK + 16) :][: CHUNK + 16] for n in range(3))
    for forged in (
        first + second,
        second + first + third,
        first + first + third,
        first + third + second,
        b"",
    ):
        with pytest.raises(StoreError, match=r"vault\.tampered"):
            opened(body[:head] + forged, key)


def test_an_object_cut_to_whole_chunks_with_an_honest_header_is_noticed(store: KeyStore) -> None:
    key = new_key(store, "R1")
    long, short = sealed(noise(2 * CHUNK), key), sealed(noise(CHUNK), key)
    head = len(short) - (CHUNK + 16)
    with pytest.raises(StoreError, match=r"vault\.tampered"):
        opened(short[:head] + long[head : head + CHUNK + 16], key)


def test_another_objects_bytes_or_key_do_not_open(store: KeyStore) -> None:
    key, other = new_key(store, "R1"), new_key(store, "R2")
    body = sealed(noise(10), key)
    for wrong_key, context in ((other, "R1"), (key, "R2")):
        with pytest.raises(StoreError, match=r"vault\.tampered"):
            opened(body, wrong_key, context)


def test_a_data_key_opens_only_for_its_object_and_purpose(store: KeyStore) -> None:
    key = new_key(store, "R1")
    assert open_key(store, key.wrapped, key.version, "R1").material == key.material
    for wrapped, context, purpose in (
        (key.wrapped, "R2", "vault"), (key.wrapped, "R1", "names"), (bytes(60), "R1", "vault"),
    ):  # fmt: skip
        with pytest.raises(StoreError, match=r"vault\.key"):
            open_key(store, wrapped, 1, context, purpose)
    with pytest.raises(PrivacyError, match=r"key\.missing"):
        open_key(store, key.wrapped, 2, "R1")


def test_two_objects_never_share_a_key_and_no_repr_shows_one(store: KeyStore) -> None:
    first, second = new_key(store, "R1"), new_key(store, "R1")
    assert first.material != second.material and first.wrapped != second.wrapped
    assert repr(first.material) not in repr(first) and repr(first.wrapped) not in repr(first)


def test_old_objects_open_after_the_key_encryption_key_was_renewed(store: KeyStore) -> None:
    old = new_key(store, "R1")
    store.add("vault")
    assert new_key(store, "R1").version == 2
    assert open_key(store, old.wrapped, old.version, "R1").material == old.material


@pytest.mark.parametrize("claimed", [9, 11])
def test_a_source_that_changed_while_it_was_read_is_refused(store: KeyStore, claimed: int) -> None:
    with pytest.raises(StoreError, match=r"vault\.changed"):
        list(seal(io.BytesIO(noise(10)), claimed, new_key(store, "R1"), "R1"))


def test_a_digest_starts_at_the_start_and_goes_back_there() -> None:
    source = io.BytesIO(b"abc")
    source.seek(2)
    assert digest(source) == ("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", 3)
    assert source.tell() == 0
