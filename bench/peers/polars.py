"""The work with Polars and delta-rs: eager tables one after the other, two at a time, Delta on the local disk.

One process computes (Polars' threads take all cores); unpacking and, for very many texts, Presidio use one per core.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import DeltaTable

from bench.peers.polars_rules import Checks, dtype
from bench.peers.shared_keys import is_local, open_keys, pseudonyms
from bench.peers.shared_notes import Notes
from bench.peers.shared_work import CHAPTERS, CHRONIC, Counted, Run, action, key_fields, main
from bench.peers.shared_zips import PLACE, Broken, Sheet, Staged
from khlang.model.contract import Column, Contract, contracts

ORDER = ["_sent_at", "_receipt", "_member", "_line"]
WRITER = {"compression": "ZSTD"}


@dataclass(frozen=True, slots=True)
class Loader:
    """One load of all files."""

    run: Run
    staged: Staged
    keys: Mapping[str, bytes]
    notes: Notes

    def file(self, file: str, sheets: Sequence[Sheet]) -> Counted:
        """Read, check, de-identify and store one file."""
        contract, run = contracts()[file], self.run
        with run.phase("read"):
            rows = _scanned(sheets, contract).collect() if sheets else pl.DataFrame()
        with run.phase("check"):
            table = (
                self._checked(contract, rows, any(sheet.thai for sheet in sheets)) if rows.height else None
            )
        broken = _broken(self.staged.broken_of(file), contract)
        raw = broken if table is None else pl.concat([table, broken])
        with run.phase("write"):
            _write(raw, run.state / "raw" / contract.table, "append")
        with run.phase("upsert"):
            count = _upsert(raw, contract, run.state / "current" / contract.table)
        return Counted(contract.table, raw.height, raw.height - int(raw["_accepted"].sum()), count)

    def _checked(self, contract: Contract, rows: pl.DataFrame, thai: bool) -> pl.DataFrame:
        filled = {name for name in rows.columns if rows[name].null_count() < rows.height}
        values, faults = Checks(contract, frozenset(filled), thai).apply(rows)
        sender = rows["receipt"].str.slice(4, 5)
        hospcode = values["HOSPCODE"].fill_null(sender)
        void = values.select(pl.any_horizontal(pl.col(name).is_null() for name in contract.key)).to_series()
        foreign = hospcode != sender
        faults = _noted(faults, foreign, "HOSPCODE:row.facility")
        columns = []
        for column in contract.current:
            done = self._cleared(column, values, hospcode)
            if action(column) == "scrub":
                changed = (done != values[column.name]).fill_null(False)
                faults = _noted(faults, changed, f"{column.name}:note.identifier")
            columns.append(done.alias(column.field))
        columns[0] = hospcode.alias("hospcode")
        return pl.DataFrame([*columns, *_places(rows), (~(void | foreign)).alias("_accepted"), faults])

    def _cleared(self, column: Column, values: pl.DataFrame, hospcode: pl.Series) -> pl.Series:
        """What may stay of a column; ids and texts are worked on once per distinct value."""
        value = values[column.name]
        if value.null_count() == value.len() or action(column) == "keep":
            return value
        if action(column) == "drop":
            return value.clear(value.len())
        if action(column) == "pseudonym" and column.domain is not None:
            if is_local(column):
                facility = values[column.facility].fill_null(hospcode) if column.facility else hospcode
                value = facility + ":" + value
            return _mapped(value, lambda texts: pseudonyms(self.keys[column.domain or ""], texts))
        return _mapped(value, self.notes.of)


def _mapped(values: pl.Series, change: Any) -> pl.Series:
    """A function of distinct texts, spread over the rows: Arrow's dictionary finds them in one pass."""
    coded = values.to_arrow(compat_level=pl.CompatLevel.oldest()).dictionary_encode()
    changed = pl.Series(change(coded.dictionary.to_pylist()), dtype=pl.String)
    return changed.gather(pl.Series(coded.indices, dtype=pl.UInt32)).alias(values.name)


def _noted(faults: pl.Series, mask: pl.Series, fault: str) -> pl.Series:
    """The same faults and one more where the mask holds."""
    if not mask.any():
        return faults
    both = pl.concat_str(
        pl.lit(faults), pl.when(pl.lit(mask)).then(pl.lit(fault)), separator=",", ignore_nulls=True
    )
    return pl.select(both.replace("", None).alias("_faults")).to_series()


def _scanned(sheets: Sequence[Sheet], contract: Contract) -> pl.LazyFrame:
    """Staged sheets -> text columns by wire name, the place, the layout."""
    wanted = {column.name for column in contract.current}
    frames = []
    for sheet in sheets:
        names = [*PLACE, *(f"f{number}" for number in range(len(sheet.fields)))]
        scan = pl.scan_csv(
            list(sheet.paths),
            separator="|",
            has_header=False,
            quote_char=None,
            schema=dict.fromkeys(names, pl.String),
        )
        known = [pl.col(f"f{n}").alias(name) for n, name in enumerate(sheet.fields) if name in wanted]
        frames.append(scan.select(*PLACE, pl.lit(sheet.layout).alias("layout"), *known))
    return pl.concat(frames, how="diagonal")


def _places(rows: pl.DataFrame) -> list[pl.Series]:
    sent = rows["receipt"].str.slice(10, 14).str.to_datetime("%Y%m%d%H%M%S", time_unit="us")
    return [
        rows["receipt"].alias("_receipt"), rows["member"].cast(pl.Int32).alias("_member"),
        rows["line"].cast(pl.Int32).alias("_line"), sent.alias("_sent_at"),
    ]  # fmt: skip


def _broken(lines: Sequence[Broken], contract: Contract) -> pl.DataFrame:
    """Lines that are no rows: only their place and fault."""
    schema = {column.field: dtype(column) for column in contract.current}
    place = pl.DataFrame(
        [(line.receipt, line.member, line.line, line.code) for line in lines],
        schema={"receipt": pl.String, "member": pl.Int32, "line": pl.Int32, "_faults": pl.String}, orient="row",
    )  # fmt: skip
    nothing = [pl.lit(None, kind).alias(name) for name, kind in schema.items() if name != "hospcode"]
    full = place.with_columns(nothing).with_columns(
        place["receipt"].str.slice(4, 5).alias("hospcode"), pl.lit(False).alias("_accepted"), *_places(place)
    )
    return full.select(*schema, *("_receipt", "_member", "_line", "_sent_at"), "_accepted", "_faults")


def _write(rows: pl.DataFrame, path: Path, mode: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.write_delta(path, mode=mode)


def _upsert(raw: pl.DataFrame, contract: Contract, path: Path) -> int:
    """The latest accepted row of each key into the current table; how many rows it has then."""
    key = key_fields(contract)
    order = raw.lazy().with_row_index("at").filter("_accepted").select("at", *key, *ORDER).sort(ORDER)
    last = order.unique(key, keep="last").select("at").collect().to_series()
    fresh = raw.select(pl.all().exclude("_accepted"))[last.sort()]
    if not path.exists():
        _write(fresh, path, "overwrite")
        return fresh.height
    stored = pl.read_delta(path)
    newer = stored.lazy().select(*key, pl.col("_sent_at").alias("stored_at"))
    known = fresh.lazy().join(newer, on=key, how="left")
    latest = known.filter(pl.col("stored_at").is_null() | (pl.col("stored_at") <= pl.col("_sent_at")))
    kept = latest.drop("stored_at").collect()
    whole = pl.concat([stored.join(kept.select(key), on=key, how="anti"), kept])
    _write(whole, path, "overwrite")
    return whole.height


def _sums(state: Path) -> dict[str, Any]:
    """Sums over the current tables, stored beside them; totals for the answer."""
    current = state / "current"
    month = pl.col("date_serv").dt.strftime("%Y-%m").alias("month")
    visits = pl.scan_delta(current / "service").group_by("hospcode", month)
    visits_of = visits.agg(pl.len().alias("visits"), pl.col("pid").n_unique().alias("patients")).collect()
    code = pl.col("diagcode").str.slice(0, 3)
    chapter: Any = pl.lit(None, pl.String)
    for name, low, high in CHAPTERS:
        chapter = pl.when(code.is_between(pl.lit(low), pl.lit(high))).then(pl.lit(name)).otherwise(chapter)
    diagnoses = pl.scan_delta(current / "diagnosis_opd").group_by(chapter.alias("chapter")).len().collect()
    chronic = pl.scan_delta(current / "chronic").select("hospcode", "pid", pl.col("chronic").str.slice(0, 3))
    patients = {
        name: chronic.filter(pl.col("chronic").is_between(pl.lit(low), pl.lit(high)))
        .select("hospcode", "pid").unique().select(pl.len()).collect().item()
        for name, (low, high) in CHRONIC.items()
    }  # fmt: skip
    _write(visits_of, state / "sums" / "facility_month", "overwrite")
    _write(diagnoses, state / "sums" / "chapter", "overwrite")
    return {
        "visits": int(visits_of["visits"].sum()), "patients": int(visits_of["patients"].sum()),
        "facility_months": visits_of.height, "diagnoses": int(diagnoses["len"].sum()),
        "chapters": dict(diagnoses.drop_nulls().sort("chapter").iter_rows()), **patients,
    }  # fmt: skip


def load(run: Run, staged: Staged) -> tuple[list[Counted], Mapping[str, Any]]:
    """All files, the large ones first; files that did not come keep their current rows."""
    loader = Loader(run, staged, open_keys(run.state), Notes())
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counted = list(pool.map(lambda item: loader.file(*item), staged.files.items()))
    told = {one.table for one in counted}
    for path in sorted((run.state / "current").iterdir()):
        if path.name not in told:
            counted.append(Counted(path.name, 0, 0, DeltaTable(path).count()))
    with run.phase("aggregate"):
        sums = _sums(run.state)
    return counted, sums


if __name__ == "__main__":
    main(load)
