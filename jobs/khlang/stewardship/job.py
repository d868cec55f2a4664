"""What is left to do for persons who asked to be erased: by the officer's command, and daily by itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any

from khlang.lake.ledger import Ledger
from khlang.settings import Settings
from khlang.stewardship import certificate
from khlang.stewardship.erase import Done, Say, finish, pending
from khlang.stewardship.proof import prove


def run(
    settings: Settings, known: Collection[str] = (), say: Say = lambda _: None
) -> Mapping[str, Any] | None:
    """Apply tombstones to all that came since, complete what was cut off, write certificates; None: nothing to do."""
    with Ledger.open(settings) as ledger:
        done = pending(settings, ledger, known, say=say)
        if done is None:
            return None
        say("proof")
        counts = _counts(done) | asdict(prove(settings, ledger, done.receipts, done.known))
        proofs = {}
        pages = {}
        for erasure in ledger.erasures(open_only=True):
            if erasure.id in done.erasures:
                proofs[erasure.id] = certificate.told(erasure, counts)
                pages[f"certificate_{erasure.id}"] = str(certificate.write(settings, proofs[erasure.id]))
        finish(ledger, done, proofs)
        return {**counts, **pages}


def _counts(done: Done) -> dict[str, Any]:
    outcomes = {name: done.outcomes.get(name, 0) for name in ("redacted", "shredded", "clean")}
    removed = sum(done.files_removed.values())
    return {**outcomes, "name_books": done.books, "files_removed": removed}
