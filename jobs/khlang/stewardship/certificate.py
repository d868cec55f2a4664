"""The certificate of an erasure: JSON for machines, a page to print for the person; Thai and English, no identifier."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from khlang.lake.ledger import Erasure
from khlang.model.bangkok import clock
from khlang.settings import Settings

WORDS = {
    "number": ("Erasure", "เลขที่การลบข้อมูล"),
    "asked_at": ("Asked for", "วันที่ยื่นคำขอ"),
    "done_at": ("Proved", "วันที่ยืนยันผล"),
    "asked_by": ("Asked through", "หน่วยงานที่รับคำขอ"),
    "cause": ("Cause", "เหตุ"),
    "redacted": (
        "Deliveries kept without the person, under a new key",
        "ชุดข้อมูลที่ตัดบุคคลออกและเข้ารหัสด้วยกุญแจใหม่",
    ),
    "shredded": ("Deliveries of which the key was destroyed", "ชุดข้อมูลที่ทำลายกุญแจ"),
    "clean": ("Deliveries looked at that held nothing", "ชุดข้อมูลที่ตรวจแล้วไม่พบ"),
    "name_books": ("Name books rewritten", "สมุดรายชื่อที่เขียนใหม่"),
    "files_removed": ("Old files of tables removed", "แฟ้มรุ่นเก่าของตารางที่ลบทิ้ง"),
    "lake_objects": ("Objects of the lake searched, nothing found", "วัตถุในคลังที่ค้นซ้ำแล้วไม่พบ"),
    "lake_bytes": ("Bytes of the lake searched", "จำนวนไบต์ที่ค้น"),
    "zips": ("Zips of landing searched, nothing found", "ชุดข้อมูลต้นทางที่ค้นซ้ำแล้วไม่พบ"),
}
"""Entry of a certificate -> what it means, English and Thai. Others stand in the JSON only."""

_TITLE = "Certificate of erasure · หนังสือรับรองการลบข้อมูลส่วนบุคคล"
_LAW = (
    "Personal Data Protection Act B.E. 2562, section 33 · พระราชบัญญัติคุ้มครองข้อมูลส่วนบุคคล พ.ศ. 2562 มาตรา 33. "
    "Backups made before this day open no longer once the key of that time is retired · "
    "ข้อมูลสำรองก่อนวันนี้จะเปิดไม่ได้เมื่อเลิกใช้กุญแจของช่วงเวลานั้น"
)
_PAGE = """<!doctype html>
<html lang="th"><head><meta charset="utf-8"><title>{title}</title>
<style>body{{font:16px/1.6 sans-serif;max-width:46rem;margin:3rem auto}}td{{padding:.2rem 1rem .2rem 0}}
td:last-child{{font-weight:600}}</style></head>
<body><h1>{title}</h1><table>{rows}</table><p>{law}</p></body></html>
"""


def told(erasure: Erasure, counts: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that a certificate says."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    head = {"number": erasure.id, "asked_at": erasure.asked_at.isoformat(timespec="seconds"), "done_at": now}
    return {**head, "asked_by": erasure.asked_by, "cause": erasure.cause, **counts}


def write(settings: Settings, certificate: Mapping[str, Any]) -> Path:
    """Write both forms into KHLANG_HOME/certificates, readable by their owner only; the path of the page."""
    folder = settings.root / "certificates"
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / f"erasure-{certificate['number']:05d}.html"
    rows = "".join(
        f"<tr><td>{th}<br>{en}</td><td>{escape(_shown(certificate[name]))}</td></tr>"
        for name, (en, th) in WORDS.items()
        if name in certificate
    )
    texts = {
        page: _PAGE.format(title=_TITLE, rows=rows, law=_LAW),
        page.with_suffix(".json"): _json(certificate),
    }
    for path, text in texts.items():
        path.write_text(text, "utf-8")
        path.chmod(0o600)
    return page


def _json(certificate: Mapping[str, Any]) -> str:
    return json.dumps(certificate, ensure_ascii=False, indent=1) + "\n"


def _shown(value: Any) -> str:
    """A moment on Bangkok's clock, everything else as it is."""
    try:
        return clock(datetime.fromisoformat(value)) if isinstance(value, str) and "T" in value else str(value)
    except ValueError:
        return str(value)
