"""Names, ids and phones of a facility's patients, homes and staff: what must not stand in any text."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np
import polars as pl

from khlang.errors import PrivacyError

PERSON = ("HOSPCODE", "PID", "HID", "NAME", "LNAME", "HN", "CID", "TELEPHONE", "MOBILE", "PASSPORT")
HOME = ("HOSPCODE", "HID", "HOUSE", "HOUSE_ID", "TELEPHONE", "ROAD", "VILLANAME")
PROVIDER = ("HOSPCODE", "PROVIDER", "NAME", "LNAME")
_PARTS, _COLUMNS, _KEYS = ("people", "homes", "staff"), (PERSON, HOME, PROVIDER), ("pid", "hid", "name")
_ARROW = b"ARROW1"

MANY = 100_000
"""Rows of a book that is kept in Arrow's form: as lists of texts they would take several times the room."""

_CODELIKE = r"^[A-Z][0-9A-Z./-]{1,8}$"

ZIP = "zip"
"""Column beside the wire names: which of many zips a row came in."""


def told_columns(file: str) -> tuple[str, ...]:
    """The columns of PERSON, HOME or PROVIDER in which names, ids and phones stand."""
    return {"PERSON": PERSON, "HOME": HOME, "PROVIDER": PROVIDER}[file]


def _taken(
    frame: pl.DataFrame | None, columns: tuple[str, ...], key: str, more: tuple[str, ...] = ()
) -> pl.DataFrame:
    """The wanted columns in lower case, trimmed, blank as null; rows without facility or key go; each once.

    `more` columns lead and are taken as they are.
    """
    if frame is None:
        return pl.DataFrame(schema={column.lower(): pl.String for column in columns})
    trimmed = [
        (pl.col(column).cast(pl.String).str.strip_chars().replace("", None) if column in frame.columns
         else pl.lit(None, pl.String)).alias(column.lower())
        for column in columns
    ]  # fmt: skip
    named = pl.col("hospcode").is_not_null() & pl.col(key).is_not_null()
    chosen = frame.select(*more, *trimmed).filter(named).unique()
    return chosen.sort(chosen.columns, nulls_last=True)


Lists = dict[str, list[str | None]]
"""Column -> its values."""

Rows = Lists | pl.DataFrame
"""One part of a book: a large one as a frame."""


def stored_apart(
    person: pl.DataFrame | None, home: pl.DataFrame | None, provider: pl.DataFrame | None, zips: int
) -> list[bytes | None]:
    """Rows of many zips (column ZIP: 0, 1, 2 ...) -> each zip's book as `to_bytes` writes it, None if empty."""
    parts: list[dict[str, Rows]] = [{} for _ in range(zips)]
    for frame, part, columns, key in zip((person, home, provider), _PARTS, _COLUMNS, _KEYS, strict=True):
        if frame is None:
            continue
        taken = _taken(frame, columns, key, (ZIP,))  # by zip: they are the first column of its order
        cuts = np.searchsorted(taken[ZIP].to_numpy(), np.arange(zips + 1))
        rows = np.diff(cuts)
        taken = taken.drop(ZIP)
        values: Lists | None = None if (rows > MANY).any() else taken.to_dict(as_series=False)
        for number in map(int, np.flatnonzero(rows)):
            if values is None:
                parts[number][part] = _form(taken.slice(cuts[number], rows[number]))
            else:
                mine = slice(cuts[number], cuts[number + 1])
                parts[number][part] = {column: listed[mine] for column, listed in values.items()}
    return [_stored(told) if told else None for told in parts]


def _form(rows: pl.DataFrame) -> Rows:
    """A part in the form in which it is kept."""
    return rows if rows.height > MANY else rows.to_dict(as_series=False)


def _stored(parts: Mapping[str, Rows]) -> bytes:
    """A book's parts as bytes: most are of a few dozen people, where Arrow's own form is mostly form."""
    if not any(isinstance(rows, pl.DataFrame) for rows in parts.values()):
        return zlib.compress(json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode(), 1)
    frames = [_framed(rows).with_columns(pl.lit(part).alias("part")) for part, rows in parts.items()]
    written = io.BytesIO()
    pl.concat(frames, how="diagonal").write_ipc(written, compression="zstd")
    return written.getvalue()


def _framed(rows: Rows) -> pl.DataFrame:
    return (
        rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows, schema=dict.fromkeys(rows, pl.String))
    )


def _read(stored: bytes) -> Mapping[str, Rows]:
    """What `_stored` wrote."""
    if not stored.startswith(_ARROW):
        parts: dict[str, Rows] = json.loads(zlib.decompress(stored))
        return parts
    whole = pl.read_ipc(io.BytesIO(stored))
    told = {}
    for part, columns in zip(_PARTS, _COLUMNS, strict=True):
        rows = whole.filter(pl.col("part") == part)
        if rows.height:
            told[part] = rows.select(column.lower() for column in columns)
    return told


def _joined(read: Sequence[Mapping[str, Rows]], part: str, columns: tuple[str, ...]) -> pl.DataFrame:
    """One part of one or more books: each row once."""
    told = [parts[part] for parts in read if part in parts]
    names = [column.lower() for column in columns]
    lists = [rows for rows in told if not isinstance(rows, pl.DataFrame)]
    if any(set(one) != set(names) for one in lists):
        raise ValueError("another form")
    every = {name: [value for one in lists for value in one[name]] for name in names}
    frame = pl.DataFrame(every, schema=dict.fromkeys(names, pl.String))
    frame = pl.concat([frame, *(rows for rows in told if isinstance(rows, pl.DataFrame))])
    return frame if len(told) < 2 else frame.unique().sort(names, nulls_last=True)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Names:
    """Every version of every person, home and member of staff that was ever told; patient key (HOSPCODE, PID).

    Read-only. Never pickled: names travel by reference, sealed (`to_bytes` for the vault), never in a
    Spark closure, a broadcast or a message.
    """

    people: pl.DataFrame
    homes: pl.DataFrame
    staff: pl.DataFrame
    worked_out: dict[str, pl.DataFrame] = field(default_factory=dict)
    """What the deny lists made of the book, kept for the next column of the same delivery."""

    @classmethod
    def from_frames(
        cls, person: pl.DataFrame | None, home: pl.DataFrame | None, provider: pl.DataFrame | None
    ) -> Names:
        """Raw text columns of PERSON, HOME and PROVIDER by wire name; columns that lack count as blank."""
        return cls(
            _taken(person, PERSON, "pid"), _taken(home, HOME, "hid"), _taken(provider, PROVIDER, "name")
        )

    @classmethod
    def merge(cls, books: Iterable[Names]) -> Names:
        """All of the books as one, in whatever order they come: `Names.merge([book, delivered])`."""
        every = [cls.from_frames(None, None, None), *books]

        def joined(part: str) -> pl.DataFrame:
            """One part of every book, each row once."""
            filled = [frame for book in every if (frame := getattr(book, part)).height]
            if len(filled) < 2:
                return filled[0] if filled else getattr(every[0], part)
            stacked = pl.concat(filled).unique()
            return stacked.sort(stacked.columns, nulls_last=True)

        return cls(joined("people"), joined("homes"), joined("staff"))

    def known(self, hospcode: str, pid: str) -> bool:
        """Whether that patient's PERSON row was ever told."""
        wanted = (pl.col("hospcode") == hospcode) & (pl.col("pid") == pid)
        return not self.people.lazy().filter(wanted).head(1).collect().is_empty()

    def codelike(self) -> pl.Series:
        """Names and passports that look like a code: Latin letters, with digits or without; capitals, each once."""
        if "codelike" not in self.worked_out:
            told = [self.people[column] for column in ("name", "lname", "passport")]
            told += [self.staff[column] for column in ("name", "lname")]
            every = pl.concat([values.alias("value") for values in told]).drop_nulls().str.to_uppercase()
            latin = every.filter(every.str.contains(_CODELIKE)).unique().sort()
            self.worked_out["codelike"] = latin.to_frame()
        return self.worked_out["codelike"]["value"]

    def to_bytes(self) -> bytes:
        """The parts that hold anything, as compressed JSON. To be sealed by the vault."""
        frames = zip(_PARTS, (self.people, self.homes, self.staff), strict=True)
        return _stored({part: _form(frame) for part, frame in frames if frame.height})

    @classmethod
    def from_bytes(cls, sealed: bytes) -> Names:
        """What `to_bytes` wrote; PrivacyError when it is anything else."""
        return cls.from_parts([sealed])

    @classmethod
    def from_parts(cls, sealed: Sequence[bytes]) -> Names:
        """Many times what `to_bytes` wrote, as one book: parted and sorted once, not once for each."""
        try:
            read = [_read(stored) for stored in sealed]
            people, homes, staff = (_joined(read, *of) for of in zip(_PARTS, _COLUMNS, strict=True))
            return cls(people, homes, staff)
        except Exception:  # whatever polars says about the bytes may quote them: say our own words
            raise PrivacyError(
                "names.unreadable", "the name book can not be read: its text would have to be withheld",
                th="อ่านสมุดรายชื่อไม่ได้", next_step="restore the name book from landing",
            ) from None  # fmt: skip

    def __eq__(self, other: object) -> bool:
        """Equal contents."""
        if not isinstance(other, Names):
            return NotImplemented
        mine, theirs = (self.people, self.homes, self.staff), (other.people, other.homes, other.staff)
        return all(a.equals(b) for a, b in zip(mine, theirs, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Counts only: a message must never hold a name."""
        return f"Names({self.people.height} people, {self.homes.height} homes, {self.staff.height} staff)"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: a pickled name book would end in a closure or a spill file."""
        raise PrivacyError("names.travel", "names are opened by reference and never travel by value")
