"""The work with PostgreSQL: COPY into unlogged staging, checks in SQL, pgcrypto, INSERT .. ON CONFLICT DO UPDATE.

One connection per core, each with a file of its own at a time. The texts' distinct values go through Presidio in Python
and come back as a table.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from bench.peers.postgres_server import server
from bench.peers.shared_keys import open_keys
from bench.peers.shared_notes import Notes
from bench.peers.shared_sql import Checks, Dialect, answer, plain_trim, sums
from bench.peers.shared_work import Counted, Run, key_fields, main, text_columns
from bench.peers.shared_zips import PLACE, Sheet, Staged
from khlang.model.contract import Contract, contracts

QUOTE = "E'\\x01'"
"""COPY must have a quote: a character that no staged line holds."""

_PIECE = 1 << 20

FUNCTIONS = """
CREATE EXTENSION IF NOT EXISTS pgcrypto;
CREATE OR REPLACE FUNCTION peer_date(text) RETURNS date IMMUTABLE PARALLEL SAFE LANGUAGE sql AS $$
  SELECT CASE WHEN substr($1, 5, 2) BETWEEN '01' AND '12' AND substr($1, 1, 4) > '0000'
    AND substr($1, 7, 2)::int BETWEEN 1 AND CASE substr($1, 5, 2)
      WHEN '02' THEN CASE WHEN substr($1, 1, 4)::int % 4 = 0
        AND (substr($1, 1, 4)::int % 100 <> 0 OR substr($1, 1, 4)::int % 400 = 0) THEN 29 ELSE 28 END
      WHEN '04' THEN 30 WHEN '06' THEN 30 WHEN '09' THEN 30 WHEN '11' THEN 30 ELSE 31 END
    THEN substr($1, 1, 8)::date END $$;
CREATE OR REPLACE FUNCTION peer_moment(text) RETURNS timestamp IMMUTABLE PARALLEL SAFE LANGUAGE sql AS $$
  SELECT CASE WHEN substr($1, 9, 2) < '24' AND substr($1, 11, 2) < '60' AND substr($1, 13, 2) < '60'
    THEN peer_date($1) + make_interval(hours => substr($1, 9, 2)::int, mins => substr($1, 11, 2)::int,
                                       secs => substr($1, 13, 2)::int) END $$;
"""


def dialect(keys: Mapping[str, bytes]) -> Dialect:
    """How PostgreSQL spells it; keys stand in the text of queries that nothing logs."""
    return Dialect(
        trim=plain_trim,
        match=lambda text, pattern: f"({text} ~ '{pattern}')",
        cast=lambda text, kind: f"CAST({text} AS {kind})",
        date=lambda text: f"peer_date({text})",
        moment=lambda text: f"peer_moment({text})",
        pseudonym=lambda domain, message: _pseudonym(keys[domain], message),
        text="text",
        double="double precision",
        fence="OFFSET 0",
    )


def _pseudonym(key: bytes, message: str) -> str:
    tag = f"hmac(convert_to({message}, 'UTF8'), '\\x{key.hex()}'::bytea, 'sha256')"
    return f"encode(substr({tag}, 1, 16), 'base64')"


@dataclass(frozen=True, slots=True)
class Loader:
    """One load of all files."""

    run: Run
    staged: Staged
    dialect: Dialect
    address: str
    notes: Notes = field(default_factory=Notes)

    def file(self, file: str, sheets: Sequence[Sheet]) -> Counted:
        """Read, check, de-identify and store one file in one transaction."""
        contract = contracts()[file]
        with psycopg.connect(self.address, row_factory=tuple_row) as base:
            return _File(self, base, contract, sheets).load()


@dataclass(frozen=True, slots=True)
class _File:
    """One file over one connection."""

    loader: Loader
    base: psycopg.Connection[Any]
    contract: Contract
    sheets: Sequence[Sheet]

    def load(self) -> Counted:
        """From its staged lines to its current rows."""
        run, table = self.loader.run, self.contract.table
        with run.phase("read"):
            filled = self._copy()
        with run.phase("check"):
            if filled:
                self._clear(filled)
            checks = Checks(
                self.loader.dialect, self.contract, filled or frozenset(self.contract.key),
                any(sheet.thai for sheet in self.sheets),
            )  # fmt: skip
            self._run(f"CREATE TEMP TABLE loaded ON COMMIT DROP AS {checks.query('staged')}")
            self._broken()
        with run.phase("write"):
            self._run(f"CREATE TABLE IF NOT EXISTS raw.{table} (LIKE loaded)")
            self._run(f"INSERT INTO raw.{table} SELECT * FROM loaded")
        with run.phase("upsert"):
            self._upsert()
        rows, accepted = self._one("SELECT count(*), count(*) FILTER (WHERE _accepted) FROM loaded")
        return Counted(table, rows, rows - accepted, self._one(f"SELECT count(*) FROM now.{table}")[0])

    def _run(self, query: str) -> psycopg.Cursor[Any]:
        return self.base.execute(query.encode())

    def _one(self, query: str) -> tuple[int, ...]:
        found: tuple[int, ...] = self._run(query).fetchall()[0]
        return found

    def _copy(self) -> frozenset[str]:
        """Staged sheets -> temporary table `staged`; names of the columns that any sheet has."""
        wanted = {column.name for column in self.contract.current}
        found = [
            name for name in dict.fromkeys(name for s in self.sheets for name in s.fields) if name in wanted
        ]
        texts = ", ".join(f"t_{name.lower()} text" for name in found or self.contract.key)
        # Columns that are not current are copied too, and left out: COPY takes a line whole.
        most = max((len([n for n in sheet.fields if n not in wanted]) for sheet in self.sheets), default=0)
        rest = "".join(f", rest_{number} text" for number in range(most))
        self._run(
            f"CREATE TEMP TABLE staged (receipt text, member int, line int, layout int, {texts}{rest}) ON COMMIT DROP"
        )
        for sheet in self.sheets:
            free = iter(range(most))
            names = [
                f"t_{name.lower()}" if name in wanted else f"rest_{next(free)}"
                for name in map(str, sheet.fields)
            ]
            self._run(f"ALTER TABLE staged ALTER layout SET DEFAULT {sheet.layout}")
            columns, form = ", ".join([*PLACE, *names]), f"FORMAT csv, DELIMITER '|', QUOTE {QUOTE}, NULL ''"
            with self.base.cursor().copy(f"COPY staged ({columns}) FROM STDIN ({form})".encode()) as copy:
                for path in sheet.paths:
                    with Path(path).open("rb") as lines:
                        while piece := lines.read(_PIECE):
                            copy.write(piece)
        self._run("ANALYZE staged")
        return frozenset(found)

    def _clear(self, filled: frozenset[str]) -> None:
        """Distinct texts of the file -> temporary table `note` (text, clean)."""
        names = [c.field for c in text_columns(self.contract) if c.name in filled]
        if not names:
            return
        every = " UNION ".join(f"SELECT {plain_trim('t_' + name)} AS text FROM staged" for name in names)
        distinct = [
            row[0] for row in self._run(f"SELECT DISTINCT text FROM ({every}) x WHERE text <> ''").fetchall()
        ]
        self._run("CREATE TEMP TABLE note (text text, clean text) ON COMMIT DROP")
        with self.base.cursor().copy("COPY note FROM STDIN") as copy:
            for row in zip(distinct, self.loader.notes.of(distinct), strict=True):
                copy.write_row(row)
        self._run("ANALYZE note")

    def _broken(self) -> None:
        """Lines that are no rows: only their place and fault."""
        for line in self.loader.staged.broken_of(self.contract.file):
            self.base.execute(
                "INSERT INTO loaded (hospcode, _receipt, _member, _line, _sent_at, _accepted, _faults) "
                "VALUES (%s, %s, %s, %s, peer_moment(%s), false, %s)",
                (line.receipt[4:9], line.receipt, line.member, line.line, line.receipt[10:], line.code),
            )

    def _upsert(self) -> None:
        """The latest accepted row of each key: new ones in, changed ones over the old; equal ones are left alone."""
        table, key = self.contract.table, ", ".join(key_fields(self.contract))
        own = [self.loader.dialect.q(column.field) for column in self.contract.current]
        columns = ", ".join([*own, "_receipt", "_member", "_line", "_sent_at", "_faults"])
        fresh = (
            f"SELECT DISTINCT ON ({key}) {columns} FROM loaded WHERE _accepted "
            f"ORDER BY {key}, _sent_at DESC, _receipt DESC, _member DESC, _line DESC"
        )
        known = self._one(
            f"SELECT count(*) FROM pg_tables WHERE schemaname = 'now' AND tablename = '{table}'"
        )[0]
        if not known:
            self._run(f"CREATE TABLE now.{table} AS {fresh}")
            self._run(f"ALTER TABLE now.{table} ADD PRIMARY KEY ({key})")
            return
        others = [name for name in columns.split(", ") if name.strip('"') not in key_fields(self.contract)]
        values = [name for name in own if name.strip('"') not in key_fields(self.contract)]
        moved = ", ".join(f"{name} = excluded.{name}" for name in others)
        was, now = ", ".join(f"old.{v}" for v in values), ", ".join(f"excluded.{v}" for v in values)
        self._run(
            f"INSERT INTO now.{table} AS old ({columns}) {fresh} ON CONFLICT ({key}) DO UPDATE SET {moved} "
            f"WHERE old._sent_at <= excluded._sent_at AND ({was}) IS DISTINCT FROM ({now})"
        )


def _sums(base: psycopg.Connection[Any]) -> dict[str, Any]:
    """Sums over the current tables, stored beside them; totals for the answer."""
    for name, query in sums("to_char(date_serv, 'YYYY-MM')", lambda table: f"now.{table}").items():
        base.execute(f"DROP TABLE IF EXISTS {name}".encode())
        base.execute(f"CREATE TABLE {name} AS {query}".encode())
    months = base.execute("SELECT visits, patients FROM facility_month").fetchall()
    chapters = base.execute("SELECT * FROM chapter").fetchall()
    return answer(months, chapters, base.execute("SELECT * FROM chronic_patient").fetchall())


def load(run: Run, staged: Staged) -> tuple[list[Counted], Mapping[str, Any]]:
    """All files, the large ones first; files that did not come keep their current rows."""
    spelled = dialect(open_keys(run.state))
    start = run.phase("start")
    start.__enter__()
    with server(run.state) as address:
        with psycopg.connect(address) as base:
            base.execute("CREATE SCHEMA IF NOT EXISTS raw")
            base.execute("CREATE SCHEMA IF NOT EXISTS now")
            base.execute(FUNCTIONS)
        start.__exit__(None, None, None)
        loader = Loader(run, staged, spelled, address)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            counted = list(pool.map(lambda item: loader.file(*item), staged.files.items()))
        told = {one.table for one in counted}
        with psycopg.connect(address) as base, run.phase("aggregate"):
            found = _sums(base)
            tables = base.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'now'").fetchall()
            for table in sorted({row[0] for row in tables} - told):
                rows = base.execute(f"SELECT count(*) FROM now.{table}".encode()).fetchall()[0][0]
                counted.append(Counted(table, 0, 0, rows))
    return counted, found


if __name__ == "__main__":
    main(load)
