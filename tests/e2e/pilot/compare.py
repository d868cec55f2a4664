"""The lake after the pilot against the pilot's truth: each comparison gives the rows that differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from khlang.lake.reader import table
from khlang.model.contract import Column, Contract, contracts
from khlang.model.policy import policy
from khlang.settings import Settings
from pilot import truth


@dataclass(frozen=True, slots=True)
class Compared:
    """One comparison: what was compared, how many values, the differences."""

    what: str
    compared: int
    wrong: tuple[str, ...]

    def line(self) -> str:
        """A row of the printed table."""
        return f"{self.what:<52} {self.compared:>8} compared {len(self.wrong):>6} differ"


def _differences(expected: Mapping[object, object], got: Mapping[object, object]) -> tuple[str, ...]:
    """Keys whose values differ, with both."""
    keys = sorted(set(expected) | set(got), key=str)
    return tuple(
        f"{key}: truth {expected.get(key)}, lake {got.get(key)}"
        for key in keys
        if expected.get(key) != got.get(key)
    )


def _compared(what: str, expected: Mapping[object, object], got: Mapping[object, object]) -> Compared:
    return Compared(what, len(set(expected) | set(got)), _differences(expected, got))


def current_rows(settings: Settings) -> Compared:
    """Current rows per table and facility = state_counts.csv."""
    expected = {(r["table"], r["hospcode"]): int(r["rows"]) for r in truth.rows("state_counts")}
    got: dict[object, object] = {}
    for file, contract in contracts().items():
        rows = (
            table(f"silver.{contract.table}", settings=settings).lazy().group_by("hospcode").len().collect()
        )
        got |= {(file, hospcode): count for hospcode, count in rows.iter_rows()}
    return _compared("current rows per table and facility", {k: v for k, v in expected.items() if v}, got)


def orphans(settings: Settings) -> Compared:
    """Current rows without their parent, per table and parent = orphans.csv."""
    expected = {(r["table"], r["parent"]): int(r["rows"]) for r in truth.rows("orphans")}
    rows = table("silver.orphan", settings=settings).lazy().group_by("table_name", "parent").len().collect()
    got = {(name.upper(), parent): count for name, parent, count in rows.iter_rows()}
    return _compared("orphans per table and parent", {k: v for k, v in expected.items() if v}, got)


def _figures(rows: pl.DataFrame, column: Column) -> dict[str, object]:
    """What the lake has in one column, in the form of the truth's row.

    Ids of one facility are counted without `distinct`: their pseudonyms differ between facilities.
    """
    values = rows[column.field].drop_nulls()
    figures: dict[str, object] = {"non_null": values.len(), "distinct": values.n_unique()}
    if column.type in ("int", "decimal"):
        figures["total"] = round(float(values.cast(pl.Float64).sum()), 2)
    if column.type in ("date", "datetime"):
        form = "%Y%m%d" if column.type == "date" else "%Y%m%d%H%M%S"
        figures |= {
            name: at.strftime(form) for name, at in (("low", values.min()), ("high", values.max())) if at
        }
    return figures


def _told(row: Mapping[str, str], column: Column) -> dict[str, object]:
    """The truth's figures of one column in the same form."""
    figures: dict[str, object] = {"non_null": int(row["non_null"]), "distinct": int(row["distinct"])}
    if column.type in ("int", "decimal"):
        figures["total"] = round(float(row["total"] or 0), 2)
    figures |= {name: row[name] for name in ("low", "high") if row[name]}
    return figures


def column_figures(settings: Settings) -> Compared:
    """Non-null, distinct, total, low, high of coded and numeric columns that the policy lets in = column_stats.csv."""
    rules, wrong, compared = policy("lake"), [], 0
    told = truth.rows("column_stats")
    for file in sorted({row["table"] for row in told}):
        contract: Contract = contracts()[file]
        mine = [
            r
            for r in told
            if r["table"] == file and rules.action(contract.column(r["column"])) in ("keep", "pseudonym")
        ]
        rows = (
            table(f"silver.{contract.table}", settings=settings)
            .lazy()
            .select([r["column"].lower() for r in mine])
            .collect()
        )
        for row in mine:
            column = contract.column(row["column"])
            compared += 1
            expected, got = _told(row, column), _figures(rows, column)
            if column.domain and rules.local_domains[column.domain]:
                expected["distinct"] = got["distinct"]
            if expected != got:
                wrong.append(f"{file}.{row['column']}: truth {expected}, lake {got}")
    return Compared("column figures of the current rows", compared, tuple(wrong))


def indicators(settings: Settings) -> Compared:
    """gold.indicator = indicators.csv, numerators and denominators to the unit."""

    def key(row: Mapping[str, object]) -> tuple[object, ...]:
        return tuple(str(row[name] or "") for name in ("indicator", "level", "area", "fiscal_year", "month"))

    def figure(row: Mapping[str, object]) -> tuple[int, int | None]:
        denominator = row["denominator"]
        return int(str(row["numerator"])), int(str(denominator)) if denominator not in ("", None) else None

    expected = {key(row): figure(row) for row in truth.rows("indicators")}
    got = {key(row): figure(row) for row in table("gold.indicator", settings=settings).polars().to_dicts()}
    return _compared("indicators (numerator and denominator)", expected, got)


def found_faults(places: Mapping[str, str], receipts: Mapping[str, dict[str, object]]) -> Compared:
    """Faults told by receipts (receipt -> its JSON) = faults.csv: no planted one missing, no other reported.

    note.* and parent.missing follow from the text and from refused parents: the planted ones must be there,
    others may be (exact rules, 8). `places`: receipt -> path of its zip.
    """
    expected = truth.faults()
    got: set[tuple[str, str, int, str | None, str]] = set()
    for receipt, told in receipts.items():
        for member in told["members"]:  # type: ignore[attr-defined]
            here = (places[receipt], member["member"])
            got |= {(*here, 0, None, code) for code in member["codes"]}
            got |= {(*here, f["line"], f["column"], f["code"]) for f in member["faults"]}
    extra = {
        fault for fault in got - expected if not fault[4].startswith("note.") and fault[4] != "parent.missing"
    }
    wrong = [f"missing {fault}" for fault in sorted(expected - got, key=str)]
    wrong += [f"not planted {fault}" for fault in sorted(extra, key=str)]
    return Compared("faults at zip, member, line, column, code", len(expected), tuple(wrong))


def member_lines(places: Mapping[str, str], receipts: Mapping[str, dict[str, object]]) -> Compared:
    """Delivered, accepted, refused of every member = files.csv."""
    expected: dict[object, object] = {}
    for row in truth.rows("files"):
        lines = int(row["lines_without_header"])
        refused = int(row["records_refused"]) + lines - int(row["records"])
        expected[row["zip"], row["member"]] = (lines, lines - refused, refused)
    got: dict[object, object] = {}
    for receipt, told in receipts.items():
        for member in told["members"]:  # type: ignore[attr-defined]
            if member["table"]:
                counts = (member["delivered"], member["accepted"], member["refused"])
                got[places[receipt], member["member"]] = counts
    return _compared("delivered, accepted, refused of every member", expected, got)


def verdicts(places: Mapping[str, str], receipts: Mapping[str, dict[str, object]]) -> Compared:
    """State and code of every zip = deliveries.csv."""
    states = {"accepted": "current", "refused": "rejected", "duplicate": "duplicate"}
    expected = {sent.path: (states[sent.verdict], sent.code or None) for sent in truth.deliveries()}
    got = {places[receipt]: (told["state"], told["code"]) for receipt, told in receipts.items()}
    return _compared("verdict and code of every zip", expected, got)


def totals(compared: list[Compared]) -> Counter[str]:
    """Sums over comparisons, for the last line of the table."""
    return Counter(
        {"compared": sum(c.compared for c in compared), "differ": sum(len(c.wrong) for c in compared)}
    )
