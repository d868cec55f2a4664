"""Contracts against the collected reference of the standard, where this machine has it."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from khlang.model.codes import codes_of
from khlang.model.contract import Column, contracts

TYPES = {"char": 616, "date": 55, "datetime": 76, "decimal": 43, "int": 73}
"""How many columns of each type the reference has: what is compared where the reference is absent."""

OPEN = {("PROVIDER", "PROVIDERTYPE")}
"""Closed in the reference, open here: several codes may stand in one value."""


def rows_of(reference: Path, name: str) -> list[dict[str, str]]:
    """Rows of one reference table."""
    with (reference / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def widths(column: Column) -> str:
    """The width as the reference writes it."""
    if column.type == "decimal":
        return f"{column.width},{column.scale}"
    return str(column.width or "")


def test_columns_types_and_widths_are_those_of_the_reference(reference: Path | None) -> None:
    ours = [(c.file, column) for c in contracts().values() for column in c.current]
    counted = dict(sorted(Counter(column.type for _, column in ours).items()))
    assert counted == TYPES
    if reference is None:
        print("the reference tables are not on this machine: only the totals by type were compared")
        return
    theirs = [
        (r["file"], r["column"], r["type"], r["width"] if r["type"] in ("char", "int", "decimal") else "")
        for r in rows_of(reference, "files43.csv")
    ]
    assert [(file, c.name, c.type, widths(c)) for file, c in ours] == theirs


def test_keys_and_links_are_those_of_the_reference(reference: Path | None) -> None:
    if reference is None:
        print("the reference tables are not on this machine: keys were compared with the visits' only")
        assert contracts()["SERVICE"].key == ("HOSPCODE", "PID", "SEQ", "DATE_SERV")
        return
    for row in rows_of(reference, "files43_files.csv"):
        own = {
            "DATA_CORRECT": "HOSPCODE+TABLENAME+D_UPDATE",
            "POLICY": "HOSPCODE+POLICY_ID+POLICY_YEAR+D_UPDATE",
        }
        key = own.get(row["file"], row["key_v241"]).split("+")
        wanted = tuple(name for name in key if name != "HOSPCODE9" and not name.startswith("HOSP9_"))
        assert contracts()[row["file"]].key == wanted
    theirs = {
        (r["file"], r["columns"], r["parent"], r["parent_columns"]) for r in rows_of(reference, "parents.csv")
    }
    ours = {
        (c.file, "+".join(p.columns), p.file, "+".join(p.parent_columns))
        for c in contracts().values()
        for p in c.parents
    }
    assert ours == theirs


def test_closed_lists_are_those_of_the_reference(reference: Path | None) -> None:
    closed = {
        (c.file, column.name): column.codes
        for c in contracts().values()
        for column in c.columns
        if column.codes
    }
    assert len(closed) > 130
    if reference is None:
        print("the reference tables are not on this machine: the lists' contents were not compared")
        return
    theirs = {(r["file"], r["column"]): r["code_list"] for r in rows_of(reference, "closed_lists.csv")}
    assert closed == {place: name for place, name in theirs.items() if place not in OPEN}
    for name in sorted(set(closed.values())):
        if not name[0].isdigit():
            rows = rows_of(reference / "codelists", f"{name}.csv")
            assert codes_of(name) == {next(iter(row.values())) for row in rows}, name


def test_the_columns_of_the_layout_of_2016_are_those_of_the_reference(reference: Path | None) -> None:
    if reference is None:
        print("the reference tables are not on this machine: only PERSON's older widths were compared")
        assert [len(layout.columns) for layout in contracts()["PERSON"].layouts] == [31, 33, 34]
        return
    older: dict[str, list[tuple[int, str]]] = {}
    for row in rows_of(reference, "files43_versions.csv"):
        if row["position_2016"]:
            older.setdefault(row["file"], []).append((int(row["position_2016"]), row["column"]))
    assert len(older) > 40
    for file, places in older.items():
        assert contracts()[file].layouts[0].columns == tuple(name for _, name in sorted(places)), file
