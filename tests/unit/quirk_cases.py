"""Rows, zips and versions drawn inline for the tests of quirks."""

from __future__ import annotations

import io
from datetime import datetime

import polars as pl

from khlang.conform.dry import check
from khlang.model.contract import contracts
from khlang.model.receipt import Receipt
from khlang.settings import Settings
from khlang.silver.current import latest
from members import FACILITY, Conformed, conformed, faults, member
from zips import zipped

LIMITS = Settings()  # type: ignore[call-arg]
CHRONIC = "HOSPCODE|PID|DATE_DIAG|CHRONIC|TYPEDISCH|D_UPDATE"
GOOD = {"HOSPCODE": FACILITY, "PID": "P1", "DATE_DIAG": "20200131", "CHRONIC": "E119", "TYPEDISCH": "03",
        "D_UPDATE": "20260801120000"}  # fmt: skip


def row(**changed: str) -> str:
    """A row of CHRONIC."""
    return "|".join((GOOD | changed).values())


def chronic(*lines: str, end: str = "\r\n", header: str = CHRONIC) -> Conformed:
    """What conform makes of CHRONIC."""
    return conformed("CHRONIC", member(end.join([header, *lines])))


def told(file: str, **cells: str) -> tuple[Conformed, list[tuple[str | None, str]]]:
    """One row of a file with these cells, and the faults in these columns."""
    cells = {"HOSPCODE": FACILITY} | cells
    done = conformed(file, member("|".join(cells) + "\n" + "|".join(cells.values())))
    return done, [(column, code) for _, column, code in faults(done) if column in cells]


def codes(done: Conformed) -> tuple[str, ...]:
    """Codes of the whole member."""
    return done.members[0].codes


def checked(members: dict[str, bytes], name: str = "F43_10001_20261101083000.zip") -> Receipt:
    """The receipt of a zip."""
    return check(io.BytesIO(zipped(members)), name, LIMITS)


def current(*versions: tuple[datetime, int, Conformed]) -> pl.DataFrame:
    """The current rows of versions, each with its name's time and its arrival."""
    frames = [
        done.rows.filter("_accepted").with_columns(
            pl.lit(sent).cast(pl.Datetime("us")).alias("_sent_at"), pl.lit(arrival).alias("_arrival")
        )
        for sent, arrival, done in versions
    ]
    return latest(pl.concat(frames))


def caveat(file: str, words: str) -> bool:
    """Whether the file's contract warns so."""
    return any(words in said for said in contracts()[file].caveats)
