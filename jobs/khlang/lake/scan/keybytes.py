"""Every key's bytes, and those of the keys made from it, against all that is no key store: none may stand anywhere."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path

import ahocorasick_rs
import psutil

from khlang.conform.pseudonym import LETTERS, domain_key
from khlang.lake.keys import NAME_BOOK, VAULT, KeyStore
from khlang.lake.ledger import Ledger
from khlang.lake.scan.buckets import scan_buckets
from khlang.lake.scan.canaries import Canaries
from khlang.lake.scan.databases import scan_databases
from khlang.lake.scan.digits import Numbers
from khlang.lake.scan.everything import Say
from khlang.lake.scan.files import scan_paths
from khlang.lake.scan.members import Walk
from khlang.lake.scan.report import Report, Source
from khlang.lake.scan.search import WIDEST, Search
from khlang.lake.sealing import open_key
from khlang.settings import Settings

KEPT = ("keys", "secrets.json")
"""Of KHLANG_HOME: where keys lie by purpose. Landing is searched: it holds identifiers, and no key."""

DATA_KEYS = 1000
"""Data keys, the newest, that are searched for too."""

Named = tuple[str, bytes]


def keys_of(settings: Settings) -> Iterator[Named]:
    """(name, bytes) of every key of the store, of every domain's key, and of the newest data keys."""
    store = KeyStore.open(settings)
    for key in store.listed():
        yield f"{key.purpose} v{key.version}", key.material
        if key.purpose not in (VAULT, NAME_BOOK):
            for domain in LETTERS:
                made = domain_key(key.material, key.purpose, key.version, domain)
                yield f"{key.purpose} v{key.version} {domain}", made
    with Ledger.open(settings) as ledger:
        kept = [delivery for delivery in ledger.deliveries() if delivery.wrapped_key]  # not shredded
        for delivery in kept[-DATA_KEYS:]:
            known = (delivery.wrapped_key, delivery.key_version, delivery.receipt)
            yield f"data key of {delivery.receipt}", open_key(store, *known).material


def key_search(named: Iterable[Named]) -> Search:
    """A search for bytes that are no text, as they are and in the spellings that people give keys.

    What else is base64, hexadecimal or escaped, at any alignment, the views of the scanner undo.
    """
    names, materials = zip(*named, strict=True)
    patterns: dict[bytes, tuple[int, str]] = {}
    for index, material in enumerate(materials):
        for spelling, spelled in _spelled(material):
            patterns.setdefault(spelled.lower(), (index, spelling))
    texts = tuple(material.hex() for material in materials)
    canaries = Canaries(names, texts, tuple(range(1, len(names) + 1)), 0, b"keys")
    nothing = Numbers.of({})
    automaton = ahocorasick_rs.BytesAhoCorasick(list(patterns))
    reach = 1024 + WIDEST * max(map(len, patterns))
    kinds = dict(enumerate(names))
    return Search(canaries, kinds, nothing, nothing, automaton, tuple(patterns.values()), reach)


def _spelled(material: bytes) -> Iterator[tuple[str, bytes]]:
    yield "raw", material
    yield "base64", base64.b64encode(material).rstrip(b"=")
    yield "base64url", base64.urlsafe_b64encode(material).rstrip(b"=")
    yield "hex", material.hex().encode()


def scan_keys(settings: Settings, report: Report, say: Say = lambda part, searched: None) -> None:
    """Search the lake's objects, the databases, KHLANG_HOME but the key store, and what processes were given."""
    walk = Walk(report)
    say("objects", report.totals["bytes"])
    scan_buckets(walk, settings)
    say("databases", report.totals["bytes"])
    scan_databases(report, settings)
    say("files", report.totals["bytes"])
    scan_paths(walk, _outside_keys(settings.root))
    say("processes", report.totals["bytes"])
    for process in _of_this_lake(settings.root):
        take_process(report, process)


def _outside_keys(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.name not in KEPT)


def _of_this_lake(root: Path) -> Iterator[int]:
    """Processes that were started for this lake: its folder stands in what they were given."""
    for pid in psutil.pids():
        if any(str(root).encode() in told for _, told in given(pid)):
            yield pid


def given(pid: int) -> Iterator[tuple[str, bytes]]:
    """What a process was started with: its environment, its command line; nothing when it is gone or another's."""
    for name in ("environ", "cmdline"):
        try:
            yield name, Path(f"/proc/{pid}/{name}").read_bytes()
        except OSError:
            continue


def take_process(report: Report, pid: int) -> None:
    """Search what a process was started with."""
    for name, told in given(pid):
        report.take(Source(f"process {pid}, its {name}", [told]))
