"""Deliveries out of the ordinary: broken, sent twice, corrected; and the bytes of every zip."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from khlang.synth.extract import Delivery
from khlang.synth.plan import Plan

KINDS = ("corrected", "identical", "truncated", "rezipped", "badname", "path")
TIMES = {"none": 0, "some": 1, "many": 3}


@dataclass(frozen=True, slots=True)
class Arrival:
    """One zip as it arrives: when, under which path, with what verdict."""

    arrived: datetime
    path: str
    hospcode: str
    month: int
    name_time: datetime
    kind: str
    content: bytes
    verdict: str = "accepted"
    code: str = ""
    copy_of: str = ""
    size: int = 0
    digest: str = ""

    def without_content(self) -> Arrival:
        """The same without its bytes, which are counted and digested."""
        digest = hashlib.sha256(self.content).hexdigest()
        return replace(self, content=b"", size=len(self.content), digest=digest)

    def row(self, number: int) -> tuple[object, ...]:
        """The line of deliveries.csv."""
        stamp = f"{self.name_time:%Y%m%d%H%M%S}"
        return (
            number, f"{self.arrived:%Y-%m-%d %H:%M:%S}", self.path, self.hospcode, self.month, stamp, self.kind,
            self.verdict, self.code, self.copy_of, self.size, self.digest,
        )  # fmt: skip


def specials(plan: Plan, facilities: pl.DataFrame) -> dict[tuple[str, int], str]:
    """(facility, month) -> what happens to that zip out of the ordinary."""
    count = TIMES[plan.faults]
    zips = [(code, month) for code in facilities["hospcode"].to_list() for month in range(plan.months)]
    order = plan.draws("specials").permutation(len(zips)).tolist()
    kinds = [kind for _ in range(count) for kind in KINDS]
    return {zips[place]: kind for place, kind in zip(order, kinds, strict=False)}


def path_of(hospcode: str, named: datetime, arrived: datetime) -> str:
    """<day of arrival>/F43_<hospcode>_<time>.zip."""
    return f"{arrived:%Y%m%d}/F43_{hospcode}_{named:%Y%m%d%H%M%S}.zip"


def arrivals(delivery: Delivery, special: str) -> list[Arrival]:
    """The zips that one delivery becomes; the first one that is accepted is the delivery itself."""
    sent, hospcode, month = delivery.sent, delivery.hospcode, delivery.send // 2 + 1
    members = {member.name: member.content for member in delivery.members}
    content = packed(members, sent)
    later = sent + timedelta(days=1, hours=1)
    kind = "corrected" if delivery.send % 2 else "regular"

    def arrival(
        named: datetime, arrived: datetime, kind: str, content: bytes,
        verdict: str = "accepted", code: str = "", copy_of: str = "",
    ) -> Arrival:  # fmt: skip
        """One zip of this delivery."""
        path = path_of(hospcode, named, arrived)
        return Arrival(arrived, path, hospcode, month, named, kind, content, verdict, code, copy_of)

    good = arrival(sent, sent, kind, content)
    if delivery.send % 2 or special in ("", "corrected"):
        return [good]
    if special == "identical":
        return [good, arrival(sent, later, special, content, "duplicate", "zip.duplicate", good.path)]
    if special == "rezipped":
        return [
            good,
            arrival(
                later, later, special, packed(members, later, 9), "duplicate", "zip.duplicate", good.path
            ),
        ]
    again = arrival(later, later, kind, packed(members, later))
    if special == "truncated":
        return [
            again,
            arrival(sent, sent, special, content[: len(content) * 2 // 3], "refused", "zip.unreadable"),
        ]
    if special == "path":
        outside = {f"../{name}": body for name, body in members.items()}
        return [again, arrival(sent, sent, special, packed(outside, sent), "refused", "zip.path")]
    named = f"{sent:%Y%m%d}/43F-{hospcode}-{sent:%Y%m}.zip"
    return [again, Arrival(sent, named, hospcode, month, sent, special, content, "refused", "zip.name")]


def packed(members: dict[str, bytes], stamp: datetime, level: int = 1) -> bytes:
    """Members -> the bytes of a zip, the same bytes for the same members and time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(
                name, (stamp.year, stamp.month, stamp.day, stamp.hour, stamp.minute, stamp.second)
            )
            entry.compress_type, entry.external_attr, entry.create_system = (
                zipfile.ZIP_DEFLATED,
                0o644 << 16,
                3,
            )
            archive.writestr(entry, content)
    return buffer.getvalue()


def stored(out: Path, arrival: Arrival) -> None:
    """Write one zip under OUT/inbox."""
    path = out / "inbox" / arrival.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(arrival.content)
