"""Deliveries as the door would record them, drawn inline for tests of the ledger."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from khlang.conform.member import MemberResult
from khlang.conform.unpack import Entry
from khlang.lake.ledger import Batch, Delivery, Judged, Ledger, receipt_number

SENT = datetime(2026, 11, 1, 8, 30)


def received(
    ledger: Ledger, sent_at: datetime = SENT, hospcode: str = "99001", arrived_at: datetime | None = None
) -> Delivery:
    """A delivery in state received."""
    arrival = ledger.arrivals(1)[0]
    receipt, sha256 = receipt_number(arrival), hashlib.sha256(secrets.token_bytes(8)).hexdigest()
    delivery = Delivery(
        receipt=receipt, arrival=arrival, arrived_at=arrived_at or datetime.now(UTC), hospcode=hospcode,
        name=f"F43_{hospcode}_{sent_at:%Y%m%d%H%M%S}.zip", name_time=sent_at, sent_at=sent_at, size=100,
        sha256=sha256, place=f"{hospcode}/{sha256}/{receipt}", wrapped_key=b"wrapped", key_version=1,
    )  # fmt: skip
    ledger.receive([delivery])
    return delivery


def entries(*files: str | None) -> tuple[Entry, ...]:
    """Members of a zip; None is a file that no contract knows."""
    return tuple(
        Entry(n, f"{file}.txt" if file else "สมชาย 1101700203451.pdf", file, 10, 1, "a" * 64)
        for n, file in enumerate(files, 1)
    )


def settled(
    ledger: Ledger,
    sent_at: datetime = SENT,
    content: str = "",
    files: Sequence[str | None] = ("PERSON",),
    hospcode: str = "99001",
    arrived_at: datetime | None = None,
) -> Delivery:
    """A delivery after the door: checked, or a duplicate when its content is known."""
    delivery = received(ledger, sent_at, hospcode, arrived_at)
    verdict = Judged(delivery.receipt, None, content or secrets.token_hex(32), entries(*files))
    return ledger.settle([verdict])[delivery.receipt]


def counted(delivery: Delivery, accepted: int = 8, refused: int = 2, position: int = 1) -> MemberResult:
    """What bronze reports of a member."""
    faults = {("row.width", None): refused, ("digits.thai", "CID"): 3}
    return MemberResult(
        delivery.receipt, position, ("file.encoding",), accepted + refused, accepted, refused, 1, faults
    )


def loaded(ledger: Ledger, version: int, **of: object) -> tuple[Delivery, Batch]:
    """A delivery that a committed bronze batch holds."""
    delivery = settled(ledger, **of)  # type: ignore[arg-type]
    batch = ledger.open_batch("bronze")
    assert batch is not None
    ledger.record_members(batch, [counted(found) for found in batch.deliveries])
    rows = 10 * len(batch.deliveries)
    ledger.commit_batch(batch, {"bronze.person": version}, {"bronze.person": {"rows": rows}})
    return delivery, batch
