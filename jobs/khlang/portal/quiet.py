"""What the page's log may hold: kinds of failures, routes and figures; nothing that anybody typed."""

from __future__ import annotations

import traceback

from khlang.errors import KhlangError


def named(error: BaseException) -> str:
    """A failure by its kind and place in the code; its message may quote what was sent, and stays out."""
    kind = error.code if isinstance(error, KhlangError) else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f"{frame.filename.rpartition('/khlang/')[2]}:{frame.lineno}" for frame in frames[-3:]]
    return f"{kind} at {' < '.join(reversed(ours)) or '-'}"
