"""What bronze tells of members, written by COPY: a tenth of what it costs as statements with bound values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, text

from khlang.conform.member import MemberResult
from khlang.model.faults import catalogue

_TOLD = "receipt, position, codes, delivered, accepted, refused, repeated, repaired"
_TEMPORARY = """CREATE TEMPORARY TABLE told (
    receipt text, position integer, codes text[], delivered bigint, accepted bigint, refused bigint,
    repeated bigint, repaired bigint, PRIMARY KEY (receipt, position)
) ON COMMIT DROP"""
_MINE = "told.receipt = {0}.receipt AND told.position = {0}.position"
_UPDATED = f"""UPDATE member SET codes = told.codes, delivered = told.delivered, accepted = told.accepted,
    refused = told.refused, repeated = told.repeated, repaired = told.repaired
    FROM told WHERE {_MINE.format("member")}"""
_FORGOTTEN = f"DELETE FROM fault_count USING told WHERE {_MINE.format('fault_count')}"
_FAULTS = 'receipt, position, code, "column", count'


def report(connection: Connection, results: Sequence[MemberResult]) -> bool:
    """Write members' counts, and their faults anew; False when a member is none that a zip holds.

    A few statements whatever the number of members (a day has half a million); the caller's transaction holds
    all of it.
    """
    repairs = {code for code, fault in catalogue().items() if fault.effect == "repair"}
    connection.execute(text(_TEMPORARY))
    copy(connection, "told", _TOLD, (_counts(result, repairs) for result in results))
    connection.execute(text("ANALYZE told"))
    if connection.execute(text(_UPDATED)).rowcount != len(results):
        return False
    connection.execute(text(_FORGOTTEN))
    copy(connection, "fault_count", _FAULTS, (row for result in results for row in _faults(result)))
    connection.execute(text("DROP TABLE told"))
    return True


def copy(connection: Connection, table: str, columns: str, rows: Iterable[Sequence[Any]]) -> None:
    """Append rows to a table by one COPY, inside the connection's transaction."""
    opened: Any = connection.connection.cursor()  # psycopg's own: COPY is not in the common interface
    with opened as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as into:
        for row in rows:
            into.write_row(row)


def _counts(result: MemberResult, repairs: set[str]) -> tuple[object, ...]:
    """A member's counts in the order of _TOLD; `repaired` counts values and members put right."""
    repaired = sum(count for (code, _), count in result.faults.items() if code in repairs)
    counted = (result.delivered, result.accepted, result.refused, result.repeated, repaired)
    return result.receipt, result.position, list(result.codes), *counted


def _faults(result: MemberResult) -> Iterator[tuple[object, ...]]:
    """A member's faults in the order of _FAULTS."""
    for (code, column), count in result.faults.items():
        yield result.receipt, result.position, code, column or "", count
