"""A delivery of the ledger -> its receipt: the ledger's counts, and the row faults that bronze and silver hold."""

from __future__ import annotations

from khlang.bronze.read import faults_of
from khlang.lake.ledger import DeliveredMember, Delivery
from khlang.model.receipt import LineFault, MemberReceipt, Receipt
from khlang.settings import Settings
from khlang.silver.read import CODE, orphans_of


def receipt_of(settings: Settings, delivery: Delivery, members: tuple[DeliveredMember, ...]) -> Receipt:
    """The ledger's counts and bronze's row faults as one receipt."""
    orphans = orphans_of(settings, delivery.receipt) if delivery.state == "current" else []
    faults = faults_of(settings, delivery.receipt) if delivery.state in ("loaded", "current") else {}

    def _told(member: DeliveredMember) -> MemberReceipt:
        lines = [LineFault(fault.line, fault.column, fault.code) for fault in faults.get(member.position, ())]
        lines += [LineFault(o.line, o.column, CODE) for o in orphans if o.position == member.position]
        counts = (member.delivered, member.accepted, member.refused)
        return MemberReceipt(member.name, member.file, member.codes, *counts, tuple(lines))

    return Receipt(
        delivery.name, delivery.hospcode, delivery.state, delivery.code, tuple(map(_told, members))
    )
