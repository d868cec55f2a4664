"""Scrubbed texts against the truth: what was covered, what survived, and how sure the figures are."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field

import polars as pl

from khlang.conform.text.scrub import scrub

from .truth import PLACE, Truth

_GONE = re.compile(r"<[A-Z]+>")


@dataclass(frozen=True, slots=True)
class Figures:
    """Per kind: found and planted; clinical words: kept and present; what was missed (shown by the test only)."""

    found: Counter[str] = field(default_factory=Counter)
    planted: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    present: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def cleaned(truth: Truth) -> pl.DataFrame:
    """Every text with what the product makes of it: place, raw, out, changed, withheld."""
    done = []
    for (_, column), rows in truth.texts.items():
        trimmed = rows["raw"].str.strip_chars().replace("", None)
        patients = rows["pid"] if rows["pid"].null_count() < rows.height else None
        result = scrub(trimmed, rows["hospcode"], patients, truth.names)
        marks = rows.select("zip", "member", "line", pl.lit(column).alias("column"), "raw")
        done.append(marks.with_columns(out=result.text, changed=result.changed, withheld=result.withheld))
    return pl.concat(done)


def covered(raw: str, out: str, start: int, end: int) -> bool:
    """Whether the characters start..end of the raw text are behind one of the marks of the scrubbed one."""
    if out.count(raw[start:end]) >= raw.count(raw[start:end]):
        return False  # it may stand elsewhere by right: ใจ is a name, ใจสั่น a complaint
    parts = _GONE.split(out)
    shift = len(raw) - len(raw.lstrip())
    for hole in ("(.+?)", "(.+)"):
        whole = re.fullmatch(hole.join(map(re.escape, parts)), raw.strip(), re.DOTALL)
        places = [whole.span(at) for at in range(1, len(parts))] if whole else []
        if any(a + shift <= start and end <= b + shift for a, b in places):
            return True
    return False


def figures(truth: Truth, done: pl.DataFrame) -> Figures:
    """Recall per kind and survival of clinical words; a withheld text covers all and keeps nothing."""
    out = Figures()
    for row in truth.spans.join(done, on=PLACE).iter_rows(named=True):
        out.planted[row["kind"]] += 1
        if row["withheld"] or covered(row["raw"], row["out"], row["start"], row["end"]):
            out.found[row["kind"]] += 1
        else:
            out.missed.append(f"{row['kind']}: {row['raw']} -> {row['out']}")
    for row in truth.keep.join(done, on=PLACE).iter_rows(named=True):
        out.present["clinical words"] += 1
        if row["out"] is not None and row["text"].strip() in row["out"]:
            out.kept["clinical words"] += 1
        else:
            out.lost.append(f"{row['raw']} -> {row['out']}")
    return out


def interval(hits: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a proportion."""
    if not of:
        return 0.0, 1.0
    z, p = 1.959964, hits / of
    middle, spread = p + z * z / (2 * of), z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    return max(0.0, (middle - spread) / (1 + z * z / of)), min(1.0, (middle + spread) / (1 + z * z / of))


def table(title: str, hits: Counter[str], of: Counter[str]) -> str:
    """Kind, hits, all, proportion and its interval, as lines of text."""
    lines = [f"{title:28} {'found':>7} {'of':>7} {'rate':>8}   95 % interval"]
    for kind in sorted(of):
        low, high = interval(hits[kind], of[kind])
        lines.append(
            f"{kind:28} {hits[kind]:7} {of[kind]:7} {hits[kind] / of[kind]:8.4f}   {low:.4f}-{high:.4f}"
        )
    return "\n".join(lines)
