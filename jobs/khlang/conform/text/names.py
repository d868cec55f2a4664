"""Names, ids and phones of a facility's patients, homes and staff: what must not stand in any text."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NoReturn

import polars as pl

from khlang.errors import PrivacyError

PERSON = ("HOSPCODE", "PID", "HID", "NAME", "LNAME", "HN", "CID", "TELEPHONE", "MOBILE", "PASSPORT")
HOME = ("HOSPCODE", "HID", "HOUSE", "HOUSE_ID", "TELEPHONE", "ROAD", "VILLANAME")
PROVIDER = ("HOSPCODE", "PROVIDER", "NAME", "LNAME")
_ALL = tuple(dict.fromkeys((*PERSON, *HOME, *PROVIDER)))


def _taken(frame: pl.DataFrame | None, columns: tuple[str, ...], key: str) -> pl.DataFrame:
    """The wanted columns in lower case, trimmed, blank as null; rows without facility or key go; each once."""
    if frame is None:
        return pl.DataFrame(schema={column.lower(): pl.String for column in columns})
    trimmed = [
        (pl.col(column).cast(pl.String).str.strip_chars().replace("", None) if column in frame.columns
         else pl.lit(None, pl.String)).alias(column.lower())
        for column in columns
    ]  # fmt: skip
    chosen = frame.select(trimmed).filter(pl.col("hospcode").is_not_null() & pl.col(key).is_not_null())
    return chosen.unique().sort(chosen.columns, nulls_last=True)


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

    def to_bytes(self) -> bytes:
        """Arrow IPC, zstd: one table, the part (people, homes, staff) as a column. To be sealed by the vault."""
        parts = {"people": self.people, "homes": self.homes, "staff": self.staff}
        columns = [pl.lit(None, pl.String).alias(column.lower()) for column in _ALL]
        marked = [pl.select(columns).clear().with_columns(pl.lit("").alias("part"))]
        marked += [frame.with_columns(pl.lit(part).alias("part")) for part, frame in parts.items()]
        sealed = io.BytesIO()
        pl.concat(marked, how="diagonal").write_ipc(
            sealed, compression="zstd", compat_level=pl.CompatLevel.oldest()
        )
        return sealed.getvalue()

    @classmethod
    def from_bytes(cls, sealed: bytes) -> Names:
        """What `to_bytes` wrote; PrivacyError when it is anything else."""
        try:
            whole = pl.read_ipc(io.BytesIO(sealed))
            part = {name: whole.filter(pl.col("part") == name) for name in ("people", "homes", "staff")}
            return cls(
                part["people"].select(column.lower() for column in PERSON),
                part["homes"].select(column.lower() for column in HOME),
                part["staff"].select(column.lower() for column in PROVIDER),
            )
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
