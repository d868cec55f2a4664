"""The truth of a set: what was planted, what must be found, what must be current; only tests read it."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import polars as pl

from khlang.model.contract import contracts
from khlang.synth.corrupt import REFUSING
from khlang.synth.extract import Delivery
from khlang.synth.notes import Noted
from khlang.synth.registers import Tables
from khlang.synth.world import World

HEADERS = {
    "deliveries": "arrival_no arrival path hospcode month name_time kind verdict code copy_of bytes sha256",
    "files": "zip member table form records lines_without_header records_refused records_repeated bytes",
    "faults": "zip member line column code form table action",
    "note_spans": "zip member line column start end kind text source",
    "keep_spans": "zip member line column start end text",
    "state_counts": "table hospcode rows", "orphans": "table parent rows",
    "identifiers": "kind value scan", "persons": "person hospcode pid hn cid cid_sent typearea",
}  # fmt: skip
ACTIONS = {
    "row.repeated": "SUPERSEDED", "parent.missing": "FLAG", "required.missing": "FLAG", "file.unknown": "IGNORED",
    "file.empty": "IGNORED", "zip.duplicate": "IGNORED",
}  # fmt: skip
REPAIRED = (
    "date.buddhist",
    "digits.thai",
    "code.zeros",
    "code.dots",
    "text.trimmed",
    "file.encoding",
    "file.headerless",
)


def action(code: str) -> str:
    """What the lake does about a code, in the words of the truth files."""
    if code in ACTIONS:
        return ACTIONS[code]
    if code in REPAIRED:
        return "REPAIRED"
    return "REFUSED" if code in REFUSING or code.startswith("zip.") else "VOIDED"


class Truth:
    """Writes the truth files of a set while it is made; use it as a context."""

    def __init__(self, folder: Path) -> None:
        """Open truth/ under the set's folder."""
        self.folder, self.stack = folder / "truth", ExitStack()
        self.writers: dict[str, Any] = {}
        self.files: dict[str, Any] = {}
        self.orphans: dict[tuple[str, str], int] = {}

    def __enter__(self) -> Truth:
        """Create the files with their headers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, header in HEADERS.items():
            path = self.folder / f"{name}.csv"
            lines = self.stack.enter_context(path.open("w", encoding="utf-8", newline=""))
            self.files[name] = lines
            self.writers[name] = csv.writer(lines, lineterminator="\n")
            self.writers[name].writerow(header.split())
        return self

    def __exit__(self, *failure: object) -> None:
        """Close the files; the orphans of the whole set go last."""
        self.rows("orphans", ((*link, count) for link, count in self.orphans.items()))
        self.stack.close()

    def rows(self, name: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add rows to one truth file."""
        self.writers[name].writerows(rows)

    def delivery(self, path: str, delivery: Delivery, noted: Noted) -> None:
        """Members, faults and notes of one delivery that is accepted."""
        spans: dict[int, list[tuple[Any, ...]]] = {}
        wanted = [note for member in delivery.members for _, note in member.notes]
        for note, *span in noted.spans.filter(pl.col("note").is_in(wanted)).iter_rows():
            spans.setdefault(note, []).append(tuple(span))
        for member in delivery.members:
            place = (path, member.name)
            self.rows(
                "files",
                [
                    (
                        *place,
                        member.file,
                        member.form,
                        member.rows,
                        member.lines,
                        member.refused,
                        member.repeated,
                        len(member.content),
                    )
                ],
            )
            self.rows(
                "faults",
                (
                    (*place, line, column, code, form, member.file, action(code))
                    for line, column, code, form in member.faults
                ),
            )
            for line, note in member.notes:
                for _, column, start, end, kind, text in spans[note]:
                    if kind == "keep":
                        self.rows("keep_spans", [(*place, line, column, start, end, text)])
                    else:
                        self.rows("note_spans", [(*place, line, column, start, end, kind, text, "note")])

    def state(self, tables: Tables) -> None:
        """Current rows by table and facility, and children without parents, of one cluster."""
        accepted = {}
        for file, frame in tables.items():
            key = list(contracts()[file].key)
            kept = frame.filter(~pl.col("fault").is_in(list(REFUSING)))
            accepted[file] = kept.unique(key, keep="last", maintain_order=True)
            counts = accepted[file].group_by("HOSPCODE").len().sort("HOSPCODE")
            self.rows("state_counts", ((file, *row) for row in counts.iter_rows()))
        for file, contract in contracts().items():
            for parent in contract.parents:
                self._link(
                    file,
                    parent.file,
                    accepted[file],
                    accepted[parent.file],
                    parent.columns,
                    parent.parent_columns,
                )

    def _link(
        self,
        file: str,
        parent: str,
        children: pl.DataFrame,
        parents: pl.DataFrame,
        columns: tuple[str, ...],
        targets: tuple[str, ...],
    ) -> None:
        """Count current children whose parent is not current; an empty link is none."""
        linked = children.filter(pl.all_horizontal(pl.col(name) != "" for name in columns))
        lost = linked.join(parents, left_on=list(columns), right_on=list(targets), how="anti").height
        self.orphans[file, parent] = self.orphans.get((file, parent), 0) + lost

    def refusal(self, path: str, code: str, form: str) -> None:
        """A zip that is not loaded as a whole."""
        self.rows("faults", [(path, "", "", "", code, form, "", action(code))])

    def people(self, world: World, tables: Tables, noted: Noted) -> None:
        """Who is behind each PID, and every identifier that must not leave landing."""
        people = world.people.filter(pl.col("from_day") <= world.plan.end)
        hospcode = world.facilities["hospcode"].gather(people["f"])
        self._frame("persons", people.select(
            "soul", hospcode.alias("hospcode"), "pid", "hn", "cid_true", "cid_sent", "typearea"
        ))  # fmt: skip
        self._frame("identifiers", _identifiers(tables, noted))

    def _frame(self, name: str, frame: pl.DataFrame) -> None:
        """Add a frame's rows to one truth file."""
        self.files[name].write(frame.write_csv(include_header=False))


SCANNED = {
    "PERSON.CID": "cid", "PERSON.FATHER": "cid", "PERSON.MOTHER": "cid", "PERSON.COUPLE": "cid",
    "PERSON.LNAME": "lname", "PERSON.MOBILE": "phone", "PERSON.PASSPORT": "passport", "CARD.INSID": "insid",
    "HOME.HOUSE_ID": "house_id", "HOME.TELEPHONE": "phone", "ADDRESS.HOUSE_ID": "house_id",
    "DISABILITY.DISABID": "disabid", "PROVIDER.CID": "cid", "PROVIDER.LNAME": "lname",
    "PROVIDER.REGISTERNO": "licence",
}  # fmt: skip
"""Columns whose values are long enough to be looked for byte by byte, and their kind."""
SHORT = {
    "PERSON.NAME": "name",
    "PROVIDER.NAME": "name",
    "PERSON.PID": "pid",
    "PERSON.HN": "hn",
    "ADMISSION.AN": "an",
}


def _identifiers(tables: Tables, noted: Noted) -> pl.DataFrame:
    """Every identifier of a cluster once: kind, value, and whether a byte search for it makes sense."""
    frames = [
        tables[file].select(
            pl.lit(kind).alias("kind"), pl.col(column).alias("value"), pl.lit(scan).alias("scan")
        )
        for listed, scan in ((SCANNED, True), (SHORT, False))
        for place, kind in listed.items()
        for file, column in [place.split(".")]
    ]
    full = tables["PERSON"].select(
        pl.lit("full_name").alias("kind"),
        (pl.col("NAME") + " " + pl.col("LNAME")).alias("value"),
        pl.lit(True).alias("scan"),
    )
    long = pl.col("text").str.len_chars() >= 9
    spoken = noted.spans.filter(pl.col("kind") != "keep").select(
        pl.col("kind").str.split(":").list.first(),
        pl.col("text").alias("value"),
        (long & (pl.col("kind") != "address") & (pl.col("kind") != "hn")).alias("scan"),
    )
    every = pl.concat([*frames, full, spoken])
    return every.filter(pl.col("value") != "").unique(maintain_order=True)
