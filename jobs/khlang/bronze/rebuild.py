"""Deliveries loaded under other rules -> the same deliveries anew from landing: new files replace the old ones.

A rebuild is a batch of its own, a chunk of deliveries at a time. It writes their rows as a first load would, and one
commit for each table takes the old files out and the new ones in; in the ledger's one transaction the batch takes the
deliveries over, members are counted anew and the version map moves. Cut off anywhere, the next run completes it. What
the old files held lies in the store until the purge (khlang.lake.purge).
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from khlang.bronze.plan import bundles, sources_of, task
from khlang.bronze.publish import accounts, commit_tables, create_tables, met, rows_by_table, written_files
from khlang.bronze.replaced import Touched, keep_rest, keep_tasks, receipts_of, standing_rows, touched
from khlang.bronze.standing import Scope
from khlang.bronze.work import conform_bundle
from khlang.errors import BalanceError, BusyError, StoreError
from khlang.lake import tables
from khlang.lake.evidence import attempt_name, digests, note
from khlang.lake.ledger import Batch, Ledger, Rebuilt
from khlang.lake.ledger.rebuild import KIND
from khlang.lake.locks import Held, writer
from khlang.lake.passes import is_again
from khlang.lake.spread import Workers
from khlang.lake.tables import Part
from khlang.lake.vault import Vault
from khlang.settings import Settings

ALL = "all"
ROW_BYTES, CONFORMED = 150, 10
"""A row takes about so many bytes; to conform it costs about as much as to curate ten."""
LOOKERS = 8


def is_rebuild(batch: Batch) -> bool:
    """Whether a batch makes deliveries anew."""
    return any(change.kind == KIND for change in batch.changes)


def rebuild(settings: Settings, ledger: Ledger, held: Held) -> dict[str, Any] | None:
    """Make every delivery anew that was loaded under other rules (settings.rebuild "all": every one); None: none.

    What an earlier run left waiting is done first, and "all" then asks for nothing more. Raises StoreError
    rebuild.landing, before anything is written, when a zip is not in landing any more.
    """
    digest = digests()[2]
    is_whole = settings.rebuild == ALL and not ledger.rebuild_waiting()
    passes = _later_passes(settings, ledger, digest)
    total = ledger.ask_rebuild(None if is_whole else digest, passes, f"KHLANG_REBUILD {settings.rebuild}")
    _require_landing(settings, ledger, ledger.rebuild_waiting())
    done: dict[str, Any] = {"batches": [], "deliveries": 0, "rows": 0}
    while (batch := ledger.open_batch("bronze", *digests(), rebuild=True)) is not None:
        told = remake(settings, ledger, batch, held)
        done["batches"].append(told["batch"])
        done["deliveries"] += told["deliveries"]
        done["rows"] += told["rows"]
        print(f"rebuilt {done['deliveries']} of {total} deliveries", file=sys.stderr, flush=True)
    _require_none_left(settings, ledger, digest)
    return done if total else None


def _later_passes(settings: Settings, ledger: Ledger, digest: str) -> list[str]:
    """Deliveries of which a batch under other rules holds later passes, whoever loaded them first."""
    visible, found = ledger.visible(), []
    by_table: dict[str, list[str]] = defaultdict(list)
    for batch in ledger.outdated(digest):
        for name in batch.tables:
            by_table[name].append(batch.batch)
    for name, batches in by_table.items():
        parts = tables.parts(tables.open_table(settings, name, visible[name]))
        paths = [p.path for p in parts if is_again(p.path) and p.path.partition("/")[0] in batches]
        found += receipts_of(settings, name, paths)
    return sorted(set(found))


def _require_landing(settings: Settings, ledger: Ledger, receipts: Sequence[str]) -> None:
    """Every zip can still be read; raises StoreError with the receipts of those that can not."""
    vault, wanted = Vault(settings), ledger.deliveries(receipts)
    with ThreadPoolExecutor(LOOKERS) as pool:
        held = list(pool.map(vault.holds, wanted))
    gone = [one.receipt for one, is_there in zip(wanted, held, strict=True) if not is_there]
    if gone:
        words = f"{len(gone)} zips are not in landing any more: what they brought can not be made anew"
        thai = f"ไม่พบแฟ้มต้นฉบับ {len(gone)} ชุดในพื้นที่รับข้อมูล จึงสร้างข้อมูลใหม่ไม่ได้"
        step = (
            "let the facilities send them again, or have their rows erased; docs/runbooks/policy-changed.md"
        )
        raise StoreError("rebuild.landing", words, thai, " ".join(gone[:20]), step)


def _require_none_left(settings: Settings, ledger: Ledger, digest: str) -> None:
    """No file of a visible table was written under other rules; raises BalanceError."""
    other = {batch.batch for batch in ledger.outdated(digest)}
    visible = {name: at for name, at in ledger.visible().items() if name.startswith("bronze.")}
    left = sorted(place for place, rows in standing_rows(settings, visible, other).items() if rows)
    if other or left:
        words = f"{len(left)} tables still hold rows of {len(other)} batches under other rules"
        raise BalanceError("rebuild.left", words, place=" ".join(sorted(other))[:200])


def remake(settings: Settings, ledger: Ledger, batch: Batch, held: Held) -> Mapping[str, Any]:
    """One chunk of deliveries from zips to visible tables, its old files out of them."""
    receipts = {delivery.receipt for delivery in batch.deliveries}
    before = ledger.loaded_by(receipts)
    visible = ledger.visible()
    scope = Scope(set(before.values()), {d.hospcode for d in batch.deliveries if d.hospcode is not None})
    old = touched(settings, visible, scope, receipts)
    create_tables(settings, visible)
    attempt, sources = attempt_name(), list(sources_of(ledger, batch))
    workers = Workers(settings, f"khlang {batch.id}")
    packed = bundles(sources, settings.bundle_bytes, workers.cores)
    size = CONFORMED * sum(source.size for source in sources) // ROW_BYTES
    key_version = ledger.key_in_force()
    tasks = [task(batch.id, attempt, number, bundle, key_version) for number, bundle in enumerate(packed)]
    results = workers.run(tasks, conform_bundle, size)
    kept = workers.run(
        keep_tasks(old, receipts, attempt), keep_rest, sum(o.part.rows for o in old if o.shared)
    )
    # Silver must not open a batch over the old rows and read the new ones: it waits for the few seconds of the commits.
    with writer(settings, "silver") as silver:
        if ledger.unfinished(["silver"]):
            words = "a batch of silver was cut off: it must see the rows that it began with"
            thai = "ต้องทำงานชั้น silver ที่ค้างอยู่ให้เสร็จก่อน"
            raise BusyError("rebuild.silver", words, thai, "silver", "khlang run silver")
        held.check()
        silver.check()
        removed = _by_table(old)
        written = written_files([*results, *kept])
        versions, earlier = commit_tables(settings, batch.id, written, note(batch.id), removed)
        told = accounts(settings, batch, results, versions, earlier)
        older = {one.part.path.partition("/")[0] for one in old} | set(before.values())
        standing = standing_rows(settings, versions, older - {batch.id})
        loaded = rows_by_table(written_files(results))
        counts = {name: {"rows": rows} for name, rows in loaded.items()}
        ledger.commit_batch(batch, versions, counts, met=met(told), rebuilt=Rebuilt(told, standing))
    return {
        "batch": batch.id,
        "deliveries": len(batch.deliveries),
        "rows": sum(loaded.values()),
        "rebuilt": True,
    }


def _by_table(old: Sequence[Touched]) -> dict[str, list[Part]]:
    """Table -> files that go."""
    found: dict[str, list[Part]] = defaultdict(list)
    for one in old:
        found[one.table].append(one.part)
    return found
