"""Texts with known identifiers: the pilot extracts when they are there, else the small invented sample."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import polars as pl

from khlang.conform.text.names import Names
from khlang.model.contract import Contract, contracts
from khlang.settings import PROJECT

HERE = Path(__file__).parent
PILOT = Path(os.environ.get("KHLANG_PILOT", str(PROJECT.parent / "shared" / "extracts" / "pilot")))
PLACE = ["zip", "member", "line", "column"]
_MARK = re.compile(r"\{([^|{}]+)\|([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Truth:
    """Texts by table and column (hospcode, pid, raw and its place), what is planted, what must survive, the book."""

    origin: str
    texts: dict[tuple[str, str], pl.DataFrame]
    spans: pl.DataFrame
    keep: pl.DataFrame
    searchable: list[str]
    names: Names


def _lines(path: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Member name, file of the standard, lines, of every member that can be read."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            file = re.sub(r"_\d{5}_\d{8,14}$", "", PurePosixPath(member.filename).stem.upper())
            body = archive.read(member) if file in contracts() else b""
            for encoding in ("utf-16" if body[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "cp874"):
                try:
                    yield member.filename, file, re.split(r"\r?\n", body.decode(encoding))
                    break
                except UnicodeDecodeError:
                    continue


def _frame(contract: Contract, lines: list[str], zip_name: str, member: str) -> pl.DataFrame:
    """Lines of a member -> raw columns with their place; lines of another width stay out."""
    header = [cell.strip().upper() for cell in lines[0].split("|")]
    named = "HOSPCODE" in header
    if not named:
        fitting = [v.columns for v in contract.layouts if len(v.columns) == len(header)]
        header = list(fitting[-1] if fitting else contract.layouts[-1].columns[: len(header)])
    rows = [
        (zip_name, member, number, *line.split("|"))
        for number, line in enumerate(lines, 1)
        if number > named and line.count("|") == len(header) - 1
    ]
    schema = (
        dict.fromkeys(["zip", "member"], pl.String) | {"line": pl.Int64} | dict.fromkeys(header, pl.String)
    )
    return pl.DataFrame(rows, schema=schema, orient="row")


def _members() -> dict[str, pl.DataFrame]:
    """File of the standard -> rows of all zips of the pilot that can be opened."""
    parts: dict[str, list[pl.DataFrame]] = {}
    wanted = {file for file, c in contracts().items() if any(x.privacy == "free_text" for x in c.columns)}
    for path in sorted((PILOT / "inbox").rglob("*.zip")):
        try:
            for member, file, lines in _lines(path):
                if file in wanted | {"PERSON", "HOME", "PROVIDER"} and lines[0]:
                    name = str(path.relative_to(PILOT / "inbox"))
                    parts.setdefault(file, []).append(_frame(contracts()[file], lines, name, member))
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError):
            continue  # broken on purpose: other tests look at those
    return {file: pl.concat(frames, how="diagonal") for file, frames in parts.items()}


def pilot() -> Truth:
    """Every text of the pilot, by table and column; the book holds all PERSON, HOME and PROVIDER rows."""
    files = _members()
    texts = {}
    for file, frame in files.items():
        for column in contracts()[file].columns:
            if column.privacy == "free_text" and column.name in frame.columns:
                pid = pl.col("PID") if "PID" in frame.columns else pl.lit(None, pl.String)
                texts[file, column.name] = frame.select(
                    "zip", "member", "line", pl.lit(column.name).alias("column"), pl.col("HOSPCODE").alias("hospcode"),
                    pid.str.strip_chars().alias("pid"), pl.col(column.name).alias("raw"),
                )  # fmt: skip
    free = {column for _, column in texts}
    read = {
        name: pl.read_parquet(PILOT / "truth" / f"{name}.parquet")
        for name in ("note_spans", "keep_spans", "identifiers")
    }
    return Truth(
        "pilot", texts, read["note_spans"].filter(pl.col("column").is_in(list(free))), read["keep_spans"],
        read["identifiers"].filter("scan")["value"].to_list(),
        Names.from_frames(files["PERSON"], files["HOME"], files["PROVIDER"]),
    )  # fmt: skip


def sample() -> Truth:
    """The committed notes: marked identifiers are planted, every other word must survive."""
    rows, spans, keep = [], [], []
    lines = [line for line in (HERE / "notes.txt").read_text("utf-8").splitlines() if line and line[0] != "#"]
    for number, line in enumerate(lines, 1):
        patient, colon, marked = line.partition(": ")
        known = bool(colon) and re.fullmatch(r"P\d{4}", patient) is not None
        marked, pid = (marked, patient) if known else (line, "P0006")
        raw, place = "", ("sample", "notes", number, "CHIEFCOMP")
        for part in re.split(r"(\{[^{}]*\})", marked):
            found = _MARK.fullmatch(part)
            raw += found[2] if found else part
            end = len(raw)
            if found:
                spans.append((*place, end - len(found[2]), end, found[1], found[2], "note"))
            elif part.strip():
                keep.append((*place, end - len(part), end, part))
        rows.append((*place, "00001", pid, raw))
    where = ["zip", "member", "line", "column"]
    marked_at = [*where, "start", "end"]
    people = pl.read_csv(HERE / "people.csv", infer_schema=False)
    return Truth(
        "sample", {("SERVICE", "CHIEFCOMP"): pl.DataFrame(rows, [*where, "hospcode", "pid", "raw"], orient="row")},
        pl.DataFrame(spans, [*marked_at, "kind", "text", "source"], orient="row"),
        pl.DataFrame(keep, [*marked_at, "text"], orient="row"),
        [text for *_, text, _ in spans if len(text) > 8], Names.from_frames(people, None, None),
    )  # fmt: skip


def truth() -> Truth:
    """The pilot when its folder stands beside the project, else the sample."""
    return pilot() if PILOT.is_dir() else sample()
