"""Khlang, คลังสุขภาพ: from a facility's zip to a planner's page, every row accounted for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "table"]

if TYPE_CHECKING:
    from khlang.lake.reader import table


def __getattr__(name: str) -> Any:
    """`khlang.table` is imported when it is first used, so that `khlang --help` stays quick."""
    if name == "table":
        from khlang.lake.reader import table

        return table
    raise AttributeError(f"module khlang has no {name}")
