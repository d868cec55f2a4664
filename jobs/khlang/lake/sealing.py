"""Bytes at rest: sealed in authenticated chunks, each object under its own data key, read at any offset."""

from __future__ import annotations

import hashlib
import io
import secrets
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from khlang.errors import StoreError
from khlang.lake.keys import VAULT, Key, KeyStore

CHUNK = 1 << 18
WINDOW = 1 << 22
"""Bytes fetched at once: objects up to this size are fetched whole."""

_MAGIC = b"KHLANG\x001"
_HEADER = struct.Struct(">8sIQ7s")  # magic, chunk size, plain size, nonce prefix
_TAG = 16
_NONCE = 12

Fetch = Callable[[int, int], bytes]
"""(start, length) -> exactly those bytes of an object."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """One object's own key. `wrapped` is what may be stored: the key under the vault's key-encryption key."""

    wrapped: bytes = field(repr=False)
    version: int
    material: bytes = field(repr=False)


def new_key(store: KeyStore, context: str, purpose: str = VAULT) -> DataKey:
    """A fresh data key, wrapped under the newest key-encryption key and bound to the object it is for."""
    return _wrapped(store.key(purpose), secrets.token_bytes(32), context)


def _wrapped(outer: Key, material: bytes, context: str) -> DataKey:
    nonce = secrets.token_bytes(_NONCE)
    wrapped = nonce + AESGCM(outer.material).encrypt(nonce, material, context.encode())
    return DataKey(wrapped, outer.version, material)


def rewrapped(store: KeyStore, wrapped: bytes, version: int, context: str, purpose: str = VAULT) -> DataKey:
    """The same data key under the newest key-encryption key: what it sealed stays as it is."""
    return _wrapped(store.key(purpose), open_key(store, wrapped, version, context, purpose).material, context)


def open_key(store: KeyStore, wrapped: bytes, version: int, context: str, purpose: str = VAULT) -> DataKey:
    """A stored data key made usable; raises StoreError when it was altered or is another object's."""
    outer = store.key(purpose, version)
    try:
        material = AESGCM(outer.material).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], context.encode())
    except InvalidTag:
        raise StoreError(
            "vault.key", "a data key does not open: it was altered or belongs elsewhere"
        ) from None
    return DataKey(wrapped, version, material)


def sealed_size(size: int) -> int:
    """Bytes that `size` plain bytes take when sealed."""
    return _HEADER.size + size + _TAG * _chunks(size, CHUNK)


def _chunks(size: int, chunk: int) -> int:
    """Chunks of an object; an empty one has one chunk, so that its emptiness is authenticated."""
    return max(1, -(-size // chunk))


def _nonce(prefix: bytes, number: int, chunks: int) -> bytes:
    """Prefix, place of the chunk, and whether it is the last: no chunk can be moved, repeated or cut off."""
    return prefix + number.to_bytes(4, "big") + bytes([number == chunks - 1])


def seal(source: BinaryIO, size: int, key: DataKey, context: str) -> Iterator[bytes]:
    """Plain bytes -> header and sealed chunks. Raises StoreError when the source is not `size` bytes long."""
    prefix = secrets.token_bytes(7)
    header = _HEADER.pack(_MAGIC, CHUNK, size, prefix)
    cipher, bound, chunks = AESGCM(key.material), header + context.encode(), _chunks(size, CHUNK)
    yield header
    for number in range(chunks):
        wanted = min(CHUNK, size - number * CHUNK)
        plain = source.read(wanted)
        if len(plain) != wanted:
            raise StoreError("vault.changed", "the source changed while it was read")
        yield cipher.encrypt(_nonce(prefix, number, chunks), plain, bound)
    if source.read(1):
        raise StoreError("vault.changed", "the source changed while it was read")


class RangeReader(io.RawIOBase):
    """A seekable binary file over windows that are fetched when needed; the last few are kept."""

    def __init__(self, size: int, window: int, load: Callable[[int], bytes], kept: int = 3) -> None:
        """`load(n)` gives the n-th window, the last one possibly shorter."""
        super().__init__()
        self._size, self._window, self._load, self._kept = size, window, load, kept
        self._at = 0
        self._windows: OrderedDict[int, bytes] = OrderedDict()

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Current offset."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; never before the start."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError("negative seek position")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Bytes up to the end of the current window."""
        if self._at >= self._size or not len(buffer):
            return 0
        number, offset = divmod(self._at, self._window)
        piece = memoryview(self._get(number))[offset : offset + len(buffer)]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def _get(self, number: int) -> bytes:
        if number not in self._windows:
            self._windows[number] = self._load(number)
            while len(self._windows) > self._kept:
                self._windows.popitem(last=False)
        self._windows.move_to_end(number)
        return self._windows[number]


@dataclass(frozen=True, slots=True)
class _Sealed:
    """A sealed object's header, checked against the object's length, and how to open its chunks."""

    fetch: Fetch
    cipher: AESGCM
    bound: bytes
    prefix: bytes
    chunk: int
    size: int

    @classmethod
    def read(cls, fetch: Fetch, length: int, key: DataKey, context: str) -> Self:
        """Fetch the header; the first chunk opened proves it."""
        if length < _HEADER.size + _TAG:
            raise _tampered()
        header = fetch(0, _HEADER.size)
        magic, chunk, size, prefix = _HEADER.unpack(header)
        if magic != _MAGIC or not chunk or length != _HEADER.size + size + _TAG * _chunks(size, chunk):
            raise _tampered()
        return cls(fetch, AESGCM(key.material), header + context.encode(), prefix, chunk, size)

    def window(self, first: int, count: int) -> bytes:
        """Plain bytes of `count` chunks from `first`."""
        chunks = _chunks(self.size, self.chunk)
        last = min(first + count, chunks)
        stride = self.chunk + _TAG
        start = _HEADER.size + first * stride
        end = _HEADER.size + (self.size + _TAG * chunks if last == chunks else last * stride)
        sealed = memoryview(self.fetch(start, end - start))
        plain = []
        for number in range(first, last):
            at = (number - first) * stride
            nonce = _nonce(self.prefix, number, chunks)
            try:
                plain.append(self.cipher.decrypt(nonce, sealed[at : at + stride], self.bound))
            except InvalidTag:
                raise _tampered() from None
        return b"".join(plain)


def _tampered() -> StoreError:
    return StoreError(
        "vault.tampered", "a sealed object was altered, cut short or exchanged",
        "ไฟล์ที่เก็บไว้ถูกแก้ไข ตัดทอน หรือสลับ", next_step="restore it from the backup",
    )  # fmt: skip


def unseal(fetch: Fetch, length: int, key: DataKey, context: str) -> BinaryIO:
    """A seekable reader of a sealed object's plain bytes; each byte is authenticated before it is given."""
    if length <= WINDOW:
        whole = fetch(0, length)
        fetch = lambda start, count: whole[start : start + count]  # noqa: E731
    sealed = _Sealed.read(fetch, length, key, context)
    # The first chunk is opened at once: a wrong key or header is refused here, an empty object included.
    first = sealed.window(0, 1)
    if sealed.size <= sealed.chunk:
        return io.BytesIO(first)
    each = max(1, WINDOW // sealed.chunk)
    windows = RangeReader(sealed.size, each * sealed.chunk, lambda n: sealed.window(n * each, each))
    return io.BufferedReader(windows, CHUNK)  # type: ignore[return-value]


def digest(source: BinaryIO) -> tuple[str, int]:
    """SHA-256 (hex) and size of a binary file, from its start; the file is put back to its start."""
    source.seek(0)
    summed, size = hashlib.sha256(), 0
    while piece := source.read(1 << 20):
        summed.update(piece)
        size += len(piece)
    source.seek(0)
    return summed.hexdigest(), size
