"""A moment of ours (UTC) -> as people here read it: Bangkok's clock, with its zone said."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

BANGKOK = timezone(timedelta(hours=7), "Asia/Bangkok")
"""Bangkok has kept this offset since 1920 and knows no summer time: no table of zones is needed."""


def clock(moment: datetime) -> str:
    """`2026-11-22 09:50:00 +07`; a moment without a zone would be a guess and is refused."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs its zone")
    return f"{moment.astimezone(BANGKOK):%Y-%m-%d %H:%M:%S +07}"


def in_bangkok(moment: datetime) -> str:
    """`2026-11-22 09:50:00 +07 (Asia/Bangkok)`: the same where no heading names the zone."""
    return f"{clock(moment)} ({BANGKOK.tzname(None)})"


MONTHS = ("ม.ค.", "ก.พ.", "มี.ค.", "เม.ย.", "พ.ค.", "มิ.ย.", "ก.ค.", "ส.ค.", "ก.ย.", "ต.ค.", "พ.ย.", "ธ.ค.")


def in_thai(moment: datetime) -> str:
    """`22 พ.ย. 2569 เวลา 16:50 น.`: Bangkok's clock, the Buddhist year."""
    here = moment.astimezone(BANGKOK)
    return f"{here.day} {MONTHS[here.month - 1]} {here.year + 543} เวลา {here:%H:%M} น."
