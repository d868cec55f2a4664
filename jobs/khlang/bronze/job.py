"""Checked deliveries -> bronze: one Spark job over bundles of members of all files, one commit per table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from khlang.bronze.plan import Source, bundles, task
from khlang.bronze.publish import commit_tables, create_tables, member_results, rows_by_table, written_files
from khlang.bronze.work import conform_bundle
from khlang.lake.evidence import attempt_name, digests, note
from khlang.lake.ledger import Batch, Ledger
from khlang.lake.locks import Held, writer
from khlang.lake.session import spark
from khlang.lake.spread import spread
from khlang.settings import Settings


def run(settings: Settings) -> Mapping[str, Any] | None:
    """Load every delivery that is checked and not loaded; returns what was done, None when nothing is new.

    A batch that an earlier run left unfinished is completed first. Raises BalanceError when lines are
    missing, BusyError when another process writes bronze.
    """
    with writer(settings, "bronze") as held:
        ledger = Ledger.open(settings)
        batch = ledger.open_batch("bronze", *digests())
        if batch is None:
            return None
        return _load(settings, ledger, batch, held)


def _load(settings: Settings, ledger: Ledger, batch: Batch, held: Held) -> Mapping[str, Any]:
    """One batch from zips to visible tables."""
    sources = list(_sources(ledger, batch))
    session = spark(settings, f"khlang {batch.id}")
    packed = bundles(sources, settings.bundle_bytes, session.sparkContext.defaultParallelism)
    attempt = attempt_name()
    tasks = [task(batch.id, attempt, number, bundle) for number, bundle in enumerate(packed)]
    create_tables(settings, ledger.visible())
    results = spread(session, tasks, conform_bundle)
    written = written_files(results)
    held.check()
    versions = commit_tables(settings, batch.id, written, note(batch.id))
    ledger.record_members(batch, member_results(results))
    counts = {name: {"rows": rows} for name, rows in rows_by_table(written).items()}
    ledger.commit_batch(batch, versions, counts)
    return {
        "batch": batch.id,
        "deliveries": len(batch.deliveries),
        "rows": sum(c["rows"] for c in counts.values()),
    }


def _sources(ledger: Ledger, batch: Batch) -> Iterable[Source]:
    """The members of the batch's deliveries that hold a file of the standard."""
    by_receipt = {delivery.receipt: delivery for delivery in batch.deliveries}
    for member in ledger.members(by_receipt):
        delivery = by_receipt[member.receipt]
        if member.file is None or delivery.hospcode is None or delivery.sent_at is None:
            continue
        yield Source(
            member.receipt,
            member.position,
            member.file,
            delivery.hospcode,
            delivery.sent_at.isoformat(),
            delivery.arrival,
            member.bytes,
            delivery.place,
        )
