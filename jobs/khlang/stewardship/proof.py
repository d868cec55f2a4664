"""The proof of an erasure: every byte of the lake and every zip that landing can read, searched once more."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from khlang.conform.unpack import Unpacked
from khlang.errors import PrivacyError, StoreError
from khlang.lake.ledger import Delivery, Ledger
from khlang.lake.scan.canaries import Canaries
from khlang.lake.scan.everything import scan_everything
from khlang.lake.vault import Vault
from khlang.settings import Settings
from khlang.stewardship.needle import Needle
from khlang.stewardship.redact import UNREADABLE

_STEP = "run `khlang erase --pending` again; when it stays, find what wrote there"


@dataclass(frozen=True, slots=True)
class Proof:
    """What was searched, and that nothing was found: counts only."""

    pseudonyms: int
    lake_bytes: int
    lake_objects: int
    zips: int
    zips_without_key: int
    citizen_ids: int


def prove(settings: Settings, ledger: Ledger, looked: Collection[str], known: Collection[str]) -> Proof:
    """Search the lake for the erased persons' pseudonyms, landing's zips of these receipts for their citizen ids.

    Raises PrivacyError erasure.found when one stands anywhere, StoreError erasure.unread when something could not
    be read: then nothing is proved.
    """
    tombstones = ledger.tombstones()
    values = sorted(tombstones.persons | tombstones.patients | tombstones.referrals)
    told = pl.DataFrame({"kind": "pseudonym", "value": values}).with_columns(scan=pl.lit(True))
    report = scan_everything(settings, Canaries.of(told), paths=[], buckets=True, databases=False)
    if report.counts:
        raise _found(report.hits()[0].where)
    if report.unread:
        words = ("places could not be read: the erasure is not proved", "มีบางส่วนที่อ่านไม่ได้ จึงยังยืนยันการลบไม่ได้")
        raise StoreError("erasure.unread", *words, min(report.unread), _STEP)
    zips, shredded = _landing(settings, ledger.deliveries(looked), Needle.of(known))
    counted = (report.totals["bytes"], report.totals["sources"])
    return Proof(len(values), *counted, zips, shredded, len(known))


def _landing(settings: Settings, deliveries: Collection[Delivery], needle: Needle) -> tuple[int, int]:
    """Zips searched, and zips of which the key was destroyed."""
    vault = Vault(settings)
    searched = [one for one in deliveries if one.wrapped_key and one.code not in UNREADABLE]
    searched = [one for one in searched if one.state != "withdrawn" or vault.holds(one)]
    for delivery in searched:
        with vault.reader(delivery) as source, Unpacked(source, settings) as unpacked:
            for number in range(1, unpacked.count + 1):
                if needle.found_in(unpacked.pieces(number)):
                    raise _found(f"{delivery.receipt}, member {number}")
    return len(searched), sum(not one.wrapped_key for one in deliveries)


def _found(where: str) -> PrivacyError:
    words = ("an erased person still stands in the lake", "ยังพบข้อมูลของบุคคลที่ขอให้ลบอยู่ในคลังข้อมูล")
    return PrivacyError("erasure.found", *words, where, _STEP)
