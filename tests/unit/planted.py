"""Invented values to plant, and the search for them; none belongs to anyone (the id's check digit is wrong)."""

from __future__ import annotations

import polars as pl

from khlang.lake.scan.canaries import Canaries
from khlang.lake.scan.report import Hit, Report
from khlang.lake.scan.search import Search

CID, PHONE, HN = "9870001234567", "0990001234", "770001234"
NAME, SURNAME, LATIN = "ทดสอบ นามสมมติยาว", "นามสมมติยาว", "TESTA NOBODY"
PASSPORT, EMAIL = "QX0012345", "nobody99@example.org"
VALUES = {
    "cid": CID, "phone": PHONE, "hn": HN, "full_name": NAME, "lname": SURNAME, "latin": LATIN,
    "passport": PASSPORT, "email": EMAIL,
}  # fmt: skip


def canaries(**values: str) -> Canaries:
    """The values, all of them unless some are given."""
    wanted = values or VALUES
    return Canaries.of(pl.DataFrame({"kind": list(wanted), "value": list(wanted.values()), "scan": True}))


def search(**values: str) -> Search:
    """Ready to search for them."""
    return Search.of(canaries(**values))


def report(**values: str) -> Report:
    """Nothing seen yet."""
    return Report(search(**values))


def kinds(hits: list[Hit]) -> dict[str, int]:
    """Kind -> how often it was found."""
    counted: dict[str, int] = {}
    for hit in hits:
        counted[hit.kind] = counted.get(hit.kind, 0) + hit.count
    return counted
