"""Values that must stand nowhere outside landing: read from a file, told apart by row and keyed mark."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from khlang.errors import SettingsError

SHORTEST = 6
"""Characters a value needs for a byte search: shorter ones stand in any text by chance."""
FORM = "the file is Parquet or CSV with columns kind, value and perhaps scan, or text with one value a line"


@dataclass(frozen=True, slots=True, repr=False)
class Canaries:
    """Values with their kinds, by row of the file; `skipped` were too short or marked scan = false."""

    kinds: tuple[str, ...]
    values: tuple[str, ...]
    rows: tuple[int, ...]
    skipped: int
    key: bytes

    @classmethod
    def read(cls, path: Path) -> Canaries:
        """Parquet or CSV with columns kind, value and perhaps scan; any other file: one value a line."""
        if not path.is_file():
            words = ("the file of values is missing", "ไม่พบแฟ้มค่าที่ต้องค้นหา")
            raise SettingsError("scan.canaries", *words, str(path), f"check the path; {FORM}")
        return cls.of(_frame(path))

    @classmethod
    def of(cls, frame: pl.DataFrame) -> Canaries:
        """Those of a frame with columns kind, value, scan that are long enough."""
        numbered = frame.with_row_index("row", offset=1)
        long = pl.col("value").str.strip_chars().str.len_chars() >= SHORTEST
        searched = numbered.filter(pl.col("scan"), long).with_columns(pl.col("value").str.strip_chars())
        if searched.is_empty():
            words = ("no value to search for", "ไม่มีค่าที่ต้องค้นหา")
            step = f"values of at least {SHORTEST} characters, where there is a column scan: true; {FORM}"
            raise SettingsError("scan.empty", *words, "--canaries", step)
        kinds, values, rows = (tuple(searched[name].to_list()) for name in ("kind", "value", "row"))
        key = hashlib.sha256("\0".join(values).encode()).digest()
        return cls(kinds, values, rows, frame.height - searched.height, key)

    def mark(self, index: int) -> str:
        """Eight hex digits of SHA-256 over the value, keyed with all values.

        A plain digest of a citizen id falls to brute force; this one only to who has the file already.
        """
        return hmac.new(self.key, self.values[index].encode(), "sha256").hexdigest()[:8]

    def __repr__(self) -> str:
        """The number of values, never one of them."""
        return f"Canaries({len(self.values)} values)"


def _frame(path: Path) -> pl.DataFrame:
    """The file as a frame with columns kind, value, scan."""
    try:
        found = _read(path)
    except (pl.exceptions.PolarsError, UnicodeDecodeError):  # the message may quote a value: it is not kept
        words = ("the file of values can not be read", "อ่านแฟ้มค่าที่ต้องค้นหาไม่ได้")
        raise SettingsError("scan.canaries", *words, str(path), FORM) from None
    if "value" not in found.columns:
        words = ("the file has no column value", "แฟ้มไม่มีคอลัมน์ value")
        raise SettingsError("scan.canaries", *words, str(path), FORM)
    kind = pl.col("kind") if "kind" in found.columns else pl.lit("value").alias("kind")
    scan = pl.col("scan").cast(pl.String).str.to_lowercase() if "scan" in found.columns else pl.lit("true")
    wanted = scan.is_in(["true", "1"]).fill_null(False).alias("scan")
    return found.select(kind, pl.col("value").cast(pl.String).fill_null(""), wanted)


def _read(path: Path) -> pl.DataFrame:
    if path.suffix == ".parquet":
        return pl.read_parquet(path)
    if path.suffix == ".csv":
        return pl.read_csv(path, infer_schema=False)
    lines = [line for line in path.read_text("utf-8").splitlines() if line.strip()]
    return pl.DataFrame({"value": lines}, schema={"value": pl.String})
