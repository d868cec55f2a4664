"""Checked deliveries -> bronze: one Spark job over bundles of members of all files, one commit per table.

A batch that brings PERSON members also releases texts that earlier ones had to withhold (khlang.bronze.again).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from khlang.bronze.again import again_tasks, conform_again, reread, waiting
from khlang.bronze.plan import Source, bundles, task
from khlang.bronze.publish import accounts, commit_tables, create_tables, rows_by_table, written_files
from khlang.bronze.work import conform_bundle
from khlang.lake.evidence import attempt_name, digests, note
from khlang.lake.ledger import Batch, Ledger
from khlang.lake.locks import Held, writer
from khlang.lake.spread import Workers
from khlang.settings import Settings

ROW_BYTES, CONFORMED = 150, 10
"""A row takes about so many bytes; to conform it costs about as much as to curate ten."""


def run(settings: Settings) -> Mapping[str, Any] | None:
    """Load every delivery that is checked and not loaded; returns what was done, None when nothing is new.

    A batch that an earlier run left unfinished is completed first. Raises BalanceError when lines are
    missing, BusyError when another process writes bronze.
    """
    with writer(settings, "bronze") as held:
        ledger = Ledger.open(settings)
        if settings.again:
            ledger.ask_again(settings.again.split(), "KHLANG_AGAIN")
        batch = ledger.open_batch("bronze", *digests())
        if batch is None:
            return None
        return _load(settings, ledger, batch, held)


def _load(settings: Settings, ledger: Ledger, batch: Batch, held: Held) -> Mapping[str, Any]:
    """One batch from zips to visible tables."""
    sources = list(_sources(ledger, batch))
    workers = Workers(settings, f"khlang {batch.id}")
    packed = bundles(sources, settings.bundle_bytes, workers.cores)
    rows = CONFORMED * sum(source.size for source in sources) // ROW_BYTES
    attempt = attempt_name()
    key_version = ledger.key_in_force()
    tasks = [task(batch.id, attempt, number, bundle, key_version) for number, bundle in enumerate(packed)]
    create_tables(settings, ledger.visible())
    results = workers.run(tasks, conform_bundle, rows)
    withheld = waiting(ledger, batch)
    again = workers.run(again_tasks(settings, ledger, batch, attempt, withheld), conform_again, rows)
    held.check()
    versions, earlier = commit_tables(settings, batch.id, written_files([*results, *again]), note(batch.id))
    ledger.record_members(batch, accounts(settings, batch, results, versions, earlier))
    codes = {
        (one["receipt"], one["position"]): tuple(one["codes"]) for one in again if one["kind"] == "codes"
    }
    faults, released = reread(settings, batch.id, versions, withheld, codes)
    loaded = rows_by_table(written_files(results))
    counts = {
        name: {"rows": loaded.get(name, 0), "again": released.get(name, 0)} for name in {*loaded, *released}
    }
    ledger.commit_batch(batch, versions, counts, faults)
    told = {"batch": batch.id, "deliveries": len(batch.deliveries), "rows": sum(loaded.values())}
    return {**told, "again": sum(released.values())} if released else told


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
