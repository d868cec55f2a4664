"""The work with DuckDB: read_csv, checks in SQL, arrow functions for ids, MERGE into the current tables of one file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa

from bench.peers.shared_keys import open_keys, pseudonyms
from bench.peers.shared_notes import Notes
from bench.peers.shared_sql import Checks, Dialect, answer, sums
from bench.peers.shared_work import BLANKS, Counted, Run, key_fields, main, text_columns
from bench.peers.shared_zips import PLACE, Sheet, Staged
from khlang.model.contract import Contract, contracts

MOST_KNOWN = 2_000_000
"""Pseudonyms kept at hand per domain: an id comes again with every visit."""

DIALECT = Dialect(
    trim=lambda text: f"trim({text}, '{BLANKS}')",
    match=lambda text, pattern: f"regexp_matches({text}, '{pattern}')",
    cast=lambda text, kind: f"TRY_CAST({text} AS {kind})",
    date=lambda text: f"CAST(try_strptime({text}, '%Y%m%d') AS DATE)",
    moment=lambda text: f"try_strptime({text}, '%Y%m%d%H%M%S')",
    pseudonym=lambda domain, message: f"pseudonym_{domain}({message})",
)


@dataclass(frozen=True, slots=True)
class Loader:
    """One load of all files over one connection; DuckDB's threads take all cores."""

    run: Run
    staged: Staged
    base: duckdb.DuckDBPyConnection
    notes: Notes = field(default_factory=Notes)

    def file(self, file: str, sheets: Sequence[Sheet]) -> Counted:
        """Read, check, de-identify and store one file."""
        contract, run = contracts()[file], self.run
        table = contract.table
        with run.phase("read"):
            filled = self._read(contract, sheets)
        with run.phase("check"):
            if filled:
                self._clear(contract, filled)
            checks = Checks(
                DIALECT, contract, filled or frozenset(contract.key), any(sheet.thai for sheet in sheets)
            )
            self.base.execute(f"CREATE OR REPLACE TEMP TABLE loaded AS {checks.query('staged')}")
            self._broken(file)
        with run.phase("write"):
            self.base.execute(f"CREATE TABLE IF NOT EXISTS raw.{table} AS FROM loaded LIMIT 0")
            self.base.execute(f"INSERT INTO raw.{table} FROM loaded")
        with run.phase("upsert"):
            self._upsert(contract)
        rows, accepted = self._one("SELECT count(*), count(*) FILTER (_accepted) FROM loaded")
        return Counted(table, rows, rows - accepted, self._one(f"SELECT count(*) FROM now.{table}")[0])

    def _one(self, query: str) -> tuple[int, ...]:
        found: tuple[int, ...] = self.base.execute(query).fetchall()[0]
        return found

    def _read(self, contract: Contract, sheets: Sequence[Sheet]) -> frozenset[str]:
        """Staged sheets -> table `staged`; names of the columns that any sheet has."""
        wanted = {column.name for column in contract.current}
        parts = []
        for sheet in sheets:
            names = [*PLACE, *(f"f{number}" for number in range(len(sheet.fields)))]
            kinds = {name: "INTEGER" if name in PLACE[1:] else "VARCHAR" for name in names}
            known = [
                f"f{n} AS t_{name.lower()}" for n, name in enumerate(sheet.fields) if name and name in wanted
            ]
            parts.append(
                f"SELECT receipt, member, line, {sheet.layout} AS layout, {', '.join(known)} FROM read_csv("
                f"{list(sheet.paths)}, delim = '|', header = false, quote = '', escape = '', auto_detect = false, "
                f"columns = {kinds})"
            )
        found = {name for sheet in sheets for name in sheet.fields if name in wanted and name}
        if not parts:
            empty = ", ".join(f"NULL::VARCHAR AS t_{name.lower()}" for name in contract.key)
            parts = [f"SELECT ''::VARCHAR AS receipt, 0 AS member, 0 AS line, 0 AS layout, {empty} LIMIT 0"]
        self.base.execute(f"CREATE OR REPLACE TEMP TABLE staged AS {' UNION ALL BY NAME '.join(parts)}")
        return frozenset(found)

    def _clear(self, contract: Contract, filled: frozenset[str]) -> None:
        """Distinct texts of the file -> table `note` (text, clean)."""
        texts = [c.field for c in text_columns(contract) if c.name in filled]
        if not texts:
            return
        every = " UNION ".join(f"SELECT {DIALECT.trim('t_' + name)} AS text FROM staged" for name in texts)
        distinct = self.base.execute(f"SELECT DISTINCT text FROM ({every}) WHERE text <> ''").to_arrow_table()
        clean = pa.array(self.notes.of(distinct["text"].to_pylist()), pa.string())
        cleared = pa.table({"text": distinct["text"], "clean": clean})
        self.base.register("cleared", cleared)
        self.base.execute("CREATE OR REPLACE TEMP TABLE note AS FROM cleared")
        self.base.unregister("cleared")

    def _broken(self, file: str) -> None:
        """Lines that are no rows: only their place and fault."""
        broken = self.staged.broken_of(file)
        lines = [(b.receipt[4:9], b.receipt, b.member, b.line, b.receipt[10:], b.code) for b in broken]
        if lines:
            self.base.executemany(
                "INSERT INTO loaded (hospcode, _receipt, _member, _line, _sent_at, _accepted, _faults) "
                "VALUES (?, ?, ?, ?, strptime(?, '%Y%m%d%H%M%S'), false, ?)", lines,
            )  # fmt: skip

    def _upsert(self, contract: Contract) -> None:
        """The latest accepted row of each key: new ones in, changed ones over the old; equal ones are left alone."""
        table, key = contract.table, ", ".join(key_fields(contract))
        columns = ", ".join(f'"{column.field}"' for column in contract.current)
        order = "_sent_at DESC, _receipt DESC, _member DESC, _line DESC"
        last = (
            "SELECT rowid FROM loaded WHERE _accepted "
            f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {order}) = 1"
        )
        fresh = f"SELECT * EXCLUDE (_accepted), hash({columns}) AS _row FROM loaded WHERE rowid IN ({last})"
        if self._one(
            f"SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'now' AND table_name = '{table}'"
        )[0]:
            same = " AND ".join(f"old.{name} = fresh.{name}" for name in key_fields(contract))
            self.base.execute(
                f"MERGE INTO now.{table} AS old USING ({fresh}) AS fresh ON {same} "
                "WHEN MATCHED AND old._row <> fresh._row AND old._sent_at <= fresh._sent_at THEN UPDATE "
                "WHEN NOT MATCHED THEN INSERT"
            )
        else:
            self.base.execute(f"CREATE TABLE now.{table} AS {fresh}")


def _function(key: bytes) -> Callable[[pa.Array], pa.Array]:
    """Ids -> pseudonyms, each distinct one hashed once."""
    known: dict[str | None, str | None] = {None: None}

    def change(values: pa.Array) -> pa.Array:
        """One vector of them."""
        texts = values.to_pylist()
        if len(known) > MOST_KNOWN:
            known.clear()
            known[None] = None
        fresh = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(fresh, pseudonyms(key, fresh), strict=True))
        return pa.array([known[text] for text in texts], pa.string())

    return change


def _sums(base: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Sums over the current tables, stored beside them; totals for the answer."""
    for name, query in sums("strftime(date_serv, '%Y-%m')", lambda table: f"now.{table}").items():
        base.execute(f"CREATE OR REPLACE TABLE {name} AS {query}")
    months = base.execute("SELECT visits, patients FROM facility_month").fetchall()
    chapters = base.execute("FROM chapter").fetchall()
    return answer(months, chapters, base.execute("FROM chronic_patient").fetchall())


def load(run: Run, staged: Staged) -> tuple[list[Counted], Mapping[str, Any]]:
    """All files, the large ones first; files that did not come keep their current rows."""
    base = duckdb.connect(
        str(run.state / "lake.duckdb"), config={"temp_directory": str(run.staging / "spill")}
    )
    base.execute("SET preserve_insertion_order = false; SET enable_progress_bar = false")
    base.execute("CREATE SCHEMA IF NOT EXISTS raw; CREATE SCHEMA IF NOT EXISTS now")
    for domain, key in open_keys(run.state).items():
        base.create_function(  # type: ignore[call-overload]
            f"pseudonym_{domain}",
            _function(key),
            ["VARCHAR"],
            "VARCHAR",
            type="arrow",
            null_handling="special",
        )
    loader = Loader(run, staged, base)
    counted = [loader.file(file, sheets) for file, sheets in staged.files.items()]
    told = {one.table for one in counted}
    tables = base.execute(
        "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'now' ORDER BY 1"
    ).fetchall()
    for (table,) in tables:
        if table not in told:
            counted.append(
                Counted(table, 0, 0, base.execute(f"SELECT count(*) FROM now.{table}").fetchall()[0][0])
            )
    with run.phase("aggregate"):
        found = _sums(base)
    with run.phase("write"):
        base.close()
    return counted, found


if __name__ == "__main__":
    main(load)
