"""Some deliveries of a facility: looked at in landing, redacted or shredded, their bronze rewritten, all at once."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, cast

import polars as pl

from khlang.lake import tables
from khlang.lake.evidence import note
from khlang.lake.ledger import Delivery, Kept, Ledger, Reread
from khlang.lake.sealing import digest
from khlang.lake.vault import Vault
from khlang.settings import Settings
from khlang.stewardship.redact import NOBODYS, Reading, Redacted, readable, redacted
from khlang.stewardship.rewrite import Loaded, recounted, rewrite_table

ACCEPTED = ("checked", "loaded", "current")
Moves = tuple[list[Kept], dict[str, int], list[Reread]]


@dataclass(frozen=True, slots=True)
class Group:
    """One facility's deliveries under way."""

    settings: Settings
    ledger: Ledger
    reading: Reading


@contextmanager
def looked_at(group: Group, deliveries: Sequence[Delivery]) -> Iterator[Moves]:
    """Copies put into landing and files committed to bronze; nobody sees either before the ledger moves.

    Yields what the ledger has to be told. A kill before that leaves objects that no key opens and files that no
    version map names; the next run does the same again from what was received.
    """
    vault = Vault(group.settings)
    kept: list[Kept] = []
    changed: dict[str, Redacted] = {}
    with ExitStack() as opened:
        for delivery in deliveries:
            outcome, found = _look(group, vault, delivery, opened, changed)
            now = None
            if found is not None:
                changed[delivery.receipt] = found
                now = _put(vault, delivery, found)
            kept.append(Kept(delivery.receipt, delivery.wrapped_key, outcome, now))
            opened.pop_all().close()
    versions, reread = _bronze(group, [one for one in deliveries if one.receipt in changed], changed)
    yield kept, versions, reread


def _look(
    group: Group, vault: Vault, delivery: Delivery, opened: ExitStack, changed: dict[str, Redacted]
) -> tuple[str, Redacted | None]:
    """What becomes of one delivery: clean, shredded, or redacted with its new zip (open until it is put)."""
    if not delivery.wrapped_key:
        return "clean", None
    if delivery.duplicate_of is not None:
        first = group.ledger.delivery(delivery.duplicate_of)
        is_theirs = first.receipt in changed or first.kept_sha256 is not None or not first.wrapped_key
        return ("shredded" if is_theirs else "clean"), None
    if delivery.state == "withdrawn" and not vault.holds(delivery):
        return "clean", None
    source = opened.enter_context(vault.reader(delivery))
    if delivery.state not in ACCEPTED and not readable(source, delivery, group.settings):
        return "shredded", None
    found = redacted(source, delivery, group.reading)
    return ("clean", None) if found is None else ("redacted", found)


def _put(vault: Vault, delivery: Delivery, found: Redacted) -> Delivery:
    """The copy under a key and at a place of its own, read back."""
    key = vault.new_key(delivery.receipt)
    source = cast(BinaryIO, found.zip)
    sha256, size = digest(source)
    # A place that no earlier attempt used: what lies there is sealed under a key that died with it.
    place = f"{delivery.hospcode or NOBODYS}/{sha256}-{secrets.token_hex(4)}/{delivery.receipt}"
    told: dict[str, Any] = {"wrapped_key": key.wrapped, "key_version": key.version, "place": place}
    now = replace(delivery, kept_sha256=sha256, kept_size=size, **told)
    vault.put(now, source)
    return now


def _bronze(
    group: Group, deliveries: Sequence[Delivery], changed: dict[str, Redacted]
) -> tuple[dict[str, int], list[Reread]]:
    """Files of bronze that hold the persons, rewritten and committed, with the new account of their members."""
    batches = group.ledger.bronze_batches(changed)
    if not batches:
        return {}, []
    members = group.ledger.members(batches)
    codes = {(one.receipt, one.position): one.codes for one in members}
    moved = {
        file: pl.concat(part for receipt in batches for part in changed[receipt].moved.get(file, []))
        for file in {file for receipt in batches for file in changed[receipt].moved}
    }
    delivering = {one.receipt: one.hospcode or "" for one in deliveries if one.receipt in batches}
    loaded = Loaded(frozenset(batches.values()), delivering, moved)
    attempt, tombstones = secrets.token_hex(4), group.ledger.tombstones()
    versions: dict[str, int] = {}
    told: list[Reread] = []
    for file in sorted({one.file for one in members if one.file}):
        name = f"bronze.{file.lower()}"
        added, removed, touched = rewrite_table(group.settings, file, loaded, tombstones, attempt)
        application = f"erase-{attempt}/{name}"
        versions[name], _ = tables.commit(
            group.settings, name, application, added, removed, note(f"erase-{attempt}")
        )
        if touched:
            told += recounted(group.settings, file, loaded, touched, codes)
    return versions, told
