"""A SQLite file -> its cells as text: in its pages the texts of a row stand side by side, with nothing between."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import BinaryIO

from khlang.lake.scan.spellings import STOP

SQLITE = b"SQLite format 3\0"
LARGEST = 256 << 20
"""Bytes of a file that is opened; of a larger one the pages alone are searched."""


def rows(file: BinaryIO) -> Iterator[bytes]:
    """Every cell of every table, a STOP behind each; raises ValueError for a file that SQLite does not open."""
    file.seek(0)
    content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError("larger than is opened")
    try:
        with closing(sqlite3.connect(":memory:")) as opened:
            opened.deserialize(content)
            opened.text_factory = bytes
            names = [
                name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            ]
            for name in names:
                quoted = name.decode().replace('"', '""')
                for row in opened.execute(f'SELECT * FROM "{quoted}"'):
                    yield b"".join(_cell(value) + bytes([STOP]) for value in row)
    except sqlite3.Error as error:
        raise ValueError(type(error).__name__) from None


def _cell(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
