"""Checked deliveries -> bronze: one Spark job over bundles of members of all files, one commit per table.

A batch that brings PERSON members also releases texts that earlier ones had to withhold (khlang.bronze.again).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from khlang.bronze.again import again_tasks, conform_again, reread, waiting
from khlang.bronze.plan import bundles, sources_of, task
from khlang.bronze.publish import accounts, commit_tables, create_tables, met, rows_by_table, written_files
from khlang.bronze.rebuild import is_rebuild, rebuild, remake
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

    A batch that an earlier run left unfinished is completed first. With settings.rebuild what was loaded under
    other rules is made anew after that (khlang.bronze.rebuild). Raises BalanceError when lines are
    missing, BusyError when another process writes bronze.
    """
    with writer(settings, "bronze") as held:
        ledger = Ledger.open(settings)
        if settings.again:
            ledger.ask_again(settings.again.split(), "KHLANG_AGAIN")
        ledger.note_policy("lake", digests()[2])
        done: dict[str, Any] = {}
        batch = ledger.open_batch("bronze", *digests())
        if batch is not None:
            done |= (remake if is_rebuild(batch) else _load)(settings, ledger, batch, held)
        if settings.rebuild and (made := rebuild(settings, ledger, held)) is not None:
            done["rebuilt"] = made
        return done or None


def _load(settings: Settings, ledger: Ledger, batch: Batch, held: Held) -> Mapping[str, Any]:
    """One batch from zips to visible tables."""
    sources = sources_of(ledger, batch)
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
    told = accounts(settings, batch, results, versions, earlier)
    ledger.record_members(batch, told)
    codes = {
        (one["receipt"], one["position"]): tuple(one["codes"]) for one in again if one["kind"] == "codes"
    }
    faults, released = reread(settings, batch.id, versions, withheld, codes)
    loaded = rows_by_table(written_files(results))
    counts = {
        name: {"rows": loaded.get(name, 0), "again": released.get(name, 0)} for name in {*loaded, *released}
    }
    ledger.commit_batch(batch, versions, counts, faults, met(told))
    done = {"batch": batch.id, "deliveries": len(batch.deliveries), "rows": sum(loaded.values())}
    return {**done, "again": sum(released.values())} if released else done
