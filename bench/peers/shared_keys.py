"""Identifiers -> keyed pseudonyms: HMAC-SHA-256 under one key per domain, with the facility in front of local ids."""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from khlang.model.contract import Column, contracts
from khlang.model.policy import policy

KEY_BYTES, TAG_BYTES, BLOCK_BYTES = 32, 16, 64


def open_keys(state: Path) -> dict[str, bytes]:
    """Domain -> key, derived from a master that is drawn at the first load and kept in the state folder."""
    path = state / "key"
    if not path.exists():
        path.write_bytes(secrets.token_bytes(KEY_BYTES))
        path.chmod(0o600)
    master = path.read_bytes()
    return {domain: hmac.digest(master, domain.encode(), "sha256") for domain in domains()}


@cache
def domains() -> tuple[str, ...]:
    """Domains of all pseudonyms of the standard."""
    columns = [column for contract in contracts().values() for column in contract.current]
    return tuple(sorted({c.domain for c in columns if policy("lake").action(c) == "pseudonym" and c.domain}))


def is_local(column: Column) -> bool:
    """Whether the id is only unique inside one facility."""
    return column.domain is not None and policy("lake").local_domains[column.domain]


def pads(key: bytes) -> tuple[bytes, bytes]:
    """HMAC's inner and outer pad, for tools that have SHA-256 but no HMAC."""
    block = key.ljust(BLOCK_BYTES, b"\0")
    return bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block)


def pseudonyms(key: bytes, values: Iterable[str | None]) -> list[str | None]:
    """Pseudonyms in order; a value that is not there has none. Give distinct values."""
    copy = hmac.new(key, digestmod="sha256").copy
    encode = base64.urlsafe_b64encode
    found: list[str | None] = []
    for value in values:
        if value is None:
            found.append(None)
            continue
        state = copy()
        state.update(value.encode())
        found.append(encode(state.digest()[:TAG_BYTES])[:22].decode())
    return found
