"""What conform finds in a set full of faults is what its truth says was planted, no more and no less."""

from __future__ import annotations

import csv
import io
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest

from khlang.conform.conform import Rules, conform
from khlang.conform.member import Member
from khlang.conform.pseudonym import Pseudonymiser
from khlang.conform.text.names import Names
from khlang.conform.unpack import Unpacked, verify
from khlang.model.contract import contracts
from khlang.model.policy import policy
from khlang.settings import load
from khlang.synth import job
from khlang.synth.corrupt import VALUE_FAULTS
from khlang.synth.extract import BROKEN
from khlang.synth.plan import Plan

PLAN = Plan(facilities=4, months=3, persons=160, start=date(2026, 8, 1), seed=13, faults="many")
FROM_THE_LAKE = {"parent.missing", "note.identifier", "note.withheld"}
"""Codes that the truth and one conform can not agree on: they need the lake."""
Fault = tuple[str, str, int | None, str | None, str]
"""Zip, member, line, column, code."""


def told(folder: Path, name: str) -> list[dict[str, str]]:
    """Rows of one truth file."""
    with (folder / "truth" / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@dataclass(frozen=True, slots=True)
class Found:
    """What the door and conform made of a set: verdicts, faults, lines by member, keys by facility."""

    folder: Path
    verdicts: dict[str, str]
    faults: set[Fault]
    accounts: dict[tuple[str, str], tuple[int, int, int]]
    keys: dict[tuple[str, str], int]
    bodies: dict[tuple[str, str], bytes]


def opened(folder: Path) -> tuple[dict[str, str], dict[str, list[tuple[str, Member]]]]:
    """Verdict of every zip in order of arrival; the members of accepted ones by file ("" for unknown)."""
    verdicts: dict[str, str] = {}
    members: dict[str, list[tuple[str, Member]]] = defaultdict(list)
    seen: set[str | None] = set()
    for row in told(folder, "deliveries"):
        zip_bytes = io.BytesIO((folder / "inbox" / row["path"]).read_bytes())
        verdict = verify(zip_bytes, Path(row["path"]).name, load())
        code = verdict.code or ("zip.duplicate" if verdict.content in seen else "")
        verdicts[row["path"]] = code
        if code:
            continue
        seen.add(verdict.content)
        sent = datetime.strptime(row["name_time"], "%Y%m%d%H%M%S")
        with Unpacked(zip_bytes, load()) as unpacked:
            for entry in verdict.entries:
                body = unpacked.body(entry.position)
                place = (row["path"], entry.position, row["hospcode"], sent, int(row["arrival_no"]))
                members[entry.file or ""].append((entry.name, Member(*place, body)))
    return verdicts, members


def names_of(folder: Path) -> Names:
    """The people that the truth's texts may speak of: everyone, by hospcode and PID."""
    rows = []
    for path in sorted((folder / "inbox").rglob("*.zip")):
        try:
            with zipfile.ZipFile(path) as unzipped:
                for member in unzipped.namelist():
                    if "PERSON" in member.upper() and ".." not in member:
                        rows += people(unzipped.read(member))
        except zipfile.BadZipFile:
            continue
    return Names.from_frames(pl.DataFrame(rows, infer_schema_length=None), None, None)


def people(body: bytes) -> list[dict[str, str]]:
    """Rows of a PERSON member that are as wide as its header."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = body.decode("cp874", "replace")
    header, *lines = text.replace("\r\n", "\n").split("\n")
    names = [name.strip().upper() for name in header.split("|")]
    return [
        dict(zip(names, line.split("|"), strict=True)) for line in lines if line.count("|") + 1 == len(names)
    ]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    folder = tmp_path_factory.mktemp("faulty")
    job.run(PLAN, folder)
    verdicts, members = opened(folder)
    rules = (policy("lake"), Pseudonymiser.throwaway(), names_of(folder))
    faults: set[Fault] = {
        (member.receipt, name, None, None, "file.unknown") for name, member in members.pop("")
    }
    accounts: dict[tuple[str, str], tuple[int, int, int]] = {}
    keys: dict[tuple[str, str], int] = {}
    bodies: dict[tuple[str, str], bytes] = {}
    for file, sent in members.items():
        done = conform([member for _, member in sent], Rules(contracts()[file], *rules))
        name = {(member.receipt, member.position): name for name, member in sent}
        bodies |= {(member.receipt, name): member.body for name, member in sent}
        for result in done.members:
            place = (result.receipt, name[result.receipt, result.position])
            accounts[place] = (result.delivered, result.refused, result.repeated)
            faults |= {(*place, None, None, code) for code in result.codes}
        wrong = done.rows.filter(pl.col("_faults").is_not_null())
        for receipt, position, line, listed in wrong.select(
            "_receipt", "_member", "_line", "_faults"
        ).iter_rows():
            faults |= {
                (receipt, name[receipt, position], line, fault["column"], fault["code"]) for fault in listed
            }
        counted = done.rows.filter("_accepted").group_by("hospcode").agg(pl.col("_key").n_unique())
        keys |= {(file, hospcode): count for hospcode, count in counted.iter_rows()}
    return Found(folder, verdicts, faults, accounts, keys, bodies)


def planted(folder: Path) -> set[Fault]:
    """Faults of rows and members as the truth tells them."""
    return {
        (
            row["zip"],
            row["member"],
            int(row["line"]) if row["line"] else None,
            row["column"] or None,
            row["code"],
        )
        for row in told(folder, "faults")
        if not row["code"].startswith("zip.")
    }


def test_the_door_gives_every_zip_the_verdict_of_the_truth(found: Found) -> None:
    assert found.verdicts == {row["path"]: row["code"] for row in told(found.folder, "deliveries")}
    assert {"", "zip.duplicate", "zip.unreadable", "zip.name", "zip.path"} == set(found.verdicts.values())


def test_every_planted_fault_is_found_and_nothing_else(found: Found) -> None:
    expected = {fault for fault in planted(found.folder) if fault[4] not in FROM_THE_LAKE}
    assert {fault for fault in found.faults if fault[4] not in FROM_THE_LAKE} == expected


def test_every_kind_of_fault_is_planted(found: Found) -> None:
    codes = {fault[4] for fault in planted(found.folder)}
    rows = {"row.width", "row.encoding", "row.repeated", "parent.missing"}
    members = {"file.unknown", "file.empty", "file.headerless", "file.encoding"}
    assert codes == {fault.code for fault in VALUE_FAULTS} | rows | members
    forms = {row["form"] for row in told(found.folder, "faults")}
    assert set(BROKEN) | {"cp874", "utf-8-sig", "utf-16"} <= forms


def test_lines_refused_and_repeated_agree_member_by_member(found: Found) -> None:
    expected = {}
    for row in told(found.folder, "files"):
        if row["table"]:
            broken = int(row["lines_without_header"]) - int(row["records"])
            refused = int(row["records_refused"]) + broken
            lines = int(row["lines_without_header"])
            expected[row["zip"], row["member"]] = (lines, refused, int(row["records_repeated"]))
    assert found.accounts == expected


def test_accepted_keys_by_facility_are_the_state_of_the_truth(found: Found) -> None:
    expected = {
        (row["table"], row["hospcode"]): int(row["rows"]) for row in told(found.folder, "state_counts")
    }
    assert found.keys == expected


def test_a_row_is_planted_with_one_fault_at_most(found: Found) -> None:
    places = [(row["zip"], row["member"], row["line"]) for row in told(found.folder, "faults") if row["line"]]
    assert len(places) == len(set(places))


def texts(body: bytes) -> list[list[str]]:
    """Fields of every line of a member, its header the first."""
    encoding = "utf-16" if body[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError:
        text = body.decode("cp874") if b"\xff" not in body else body.decode("utf-8", "replace")
    return [line.split("|") for line in text.replace("\r\n", "\n").split("\n")]


@pytest.mark.parametrize("truth", ["note_spans", "keep_spans"])
def test_spans_stand_where_the_truth_says(found: Found, truth: str) -> None:
    spans = told(found.folder, truth)
    assert spans
    for span in spans:
        lines = texts(found.bodies[span["zip"], span["member"]])
        names = [name.strip().upper() for name in lines[0]]
        if "HOSPCODE" not in names:
            table = next(r["table"] for r in told(found.folder, "files") if r["member"] == span["member"])
            layouts = contracts()[table].layouts
            names = next(list(layout.columns) for layout in layouts if len(layout.columns) == len(lines[0]))
        value = lines[int(span["line"]) - 1][names.index(span["column"])]
        assert value[int(span["start"]) : int(span["end"])] == span["text"]


def test_every_note_with_an_identifier_is_found_by_the_scrubber(found: Found) -> None:
    notes = {
        (row["zip"], row["member"], int(row["line"]), row["column"])
        for row in told(found.folder, "note_spans")
    }
    scrubbed = {fault[:4] for fault in found.faults if fault[4] in ("note.identifier", "note.withheld")}
    assert notes <= scrubbed


def test_every_identifier_in_a_text_is_listed_for_the_leak_scan(found: Found) -> None:
    listed = {row["value"] for row in told(found.folder, "identifiers")}
    assert {row["text"] for row in told(found.folder, "note_spans")} <= listed


def test_what_is_listed_for_the_leak_scan_is_long_enough(found: Found) -> None:
    rows = told(found.folder, "identifiers")
    scanned = [row["value"] for row in rows if row["scan"] == "true"]
    assert {"cid", "phone", "full_name", "lname", "house_id", "insid"} <= {row["kind"] for row in rows}
    assert all(len(value.encode()) >= 9 for value in scanned)


def test_a_corrected_delivery_sends_its_month_again_without_faults(found: Found) -> None:
    corrected = {row["path"] for row in told(found.folder, "deliveries") if row["kind"] == "corrected"}
    assert corrected
    assert not {fault[0] for fault in planted(found.folder)} & corrected


def test_orphans_are_at_least_the_children_planted_without_a_parent(found: Found) -> None:
    without: dict[str, int] = defaultdict(int)
    for row in told(found.folder, "faults"):
        without[row["table"]] += row["code"] == "parent.missing"
    orphans: dict[str, int] = defaultdict(int)
    for row in told(found.folder, "orphans"):
        orphans[row["table"]] = max(orphans[row["table"]], int(row["rows"]))
    assert sum(without.values()) > 0
    assert all(orphans[table] >= count for table, count in without.items() if count)
