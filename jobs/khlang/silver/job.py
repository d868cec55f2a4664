"""Loaded bronze batches -> silver: the current row of every key, persons linked, orphans named."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from khlang.lake.evidence import attempt_name, digests, note
from khlang.lake.ledger import Batch, Ledger
from khlang.lake.ledger.order import newest_current
from khlang.lake.locks import writer
from khlang.lake.spread import Workers
from khlang.model.contract import contracts
from khlang.settings import Settings
from khlang.silver.batch import Curation, curate
from khlang.silver.plan import Scope
from khlang.silver.stored import sweep_work


def run(settings: Settings) -> Mapping[str, Any] | None:
    """Curate every loaded batch that is not curated; returns what was done, None when nothing is new.

    Raises BalanceError when an accepted line has no end, BusyError when another process writes silver.
    """
    with writer(settings, "silver") as held:
        ledger = Ledger.open(settings)
        batch = ledger.open_batch("silver", *digests())
        if batch is None:
            return None
        scope = _scope(ledger, batch)
        workers = Workers(settings, f"khlang {batch.id}")
        curation = Curation(workers, settings, scope, ledger.visible(), note(batch.id), held)
        curate(curation)
        counts = _counts(ledger, batch, curation)
        held.check()
        ledger.commit_batch(batch, curation.versions, counts)
        sweep_work(settings, batch.id)
        total: Counter[str] = Counter()
        for told in counts.values():
            total.update(told)
        return {"batch": batch.id, "deliveries": len(batch.deliveries), **total}


def _scope(ledger: Ledger, batch: Batch) -> Scope:
    """Which facilities got rows in which files, and which must be worked out anew."""
    rows: dict[str, dict[str, int]] = defaultdict(dict)
    for hospcode, file, accepted, _ in ledger.member_rows(one.receipt for one in batch.deliveries):
        if accepted:
            rows[file][hospcode] = accepted
    changed = [change.receipt for change in batch.changes]
    anew = {delivery.hospcode for delivery in ledger.deliveries(changed)} if changed else set()
    resolve = frozenset(h for h in anew if h) | _late(ledger, batch)
    moved = {receipt: at.isoformat() for receipt, at in ledger.retimings().items()}
    redecided: dict[str, list[str]] = defaultdict(list)
    for one in batch.decisions:
        redecided[one.hospcode].append(one.patient)
    taken = ledger.taken_decisions()
    return Scope(
        batch.id, attempt_name(), batch.sources, rows, resolve, moved, tuple(sorted(ledger.withdrawn())),
        tuple((one.hospcode, one.patient, one.person_key, one.id) for one in taken), redecided,
    )  # fmt: skip


def _late(ledger: Ledger, batch: Batch) -> frozenset[str]:
    """Facilities of which a delivery older than their newest curated one is in the batch (exact rules, 14)."""
    hospcodes = {delivery.hospcode for delivery in batch.deliveries if delivery.hospcode}
    with Session(ledger.engine) as session:
        newest = newest_current(session, hospcodes)
    late = set()
    for delivery in batch.deliveries:
        if delivery.hospcode is None or delivery.sent_at is None:
            continue
        known = newest.get(delivery.hospcode)
        if known is not None and (delivery.sent_at, delivery.arrival) < known:
            late.add(delivery.hospcode)
    return frozenset(late)


def _counts(ledger: Ledger, batch: Batch, curation: Curation) -> dict[str, dict[str, int]]:
    """Table -> new, changed, unchanged, superseded, repeated, as the ledger's balance takes them."""
    counts: dict[str, dict[str, int]] = {f"silver.{c.table}": {} for c in contracts().values()}
    for file, told in curation.counts.items():
        here = counts[f"silver.{contracts()[file].table}"]
        for row in told:
            here[row["_status"]] = here.get(row["_status"], 0) + row["len"]
    withdrawn = ledger.withdrawn()
    standing = (one.receipt for one in batch.deliveries if one.receipt not in withdrawn)
    for _, file, _, repeated in ledger.member_rows(standing):
        if repeated:
            here = counts[f"silver.{contracts()[file].table}"]
            here["repeated"] = here.get("repeated", 0) + repeated
    return counts
