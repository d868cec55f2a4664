"""One upload as its note on the disk tells it: name, size, how far it has come, what became of it."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

HOSPCODE = re.compile(r"[0-9]{5}", re.ASCII)
NUMBER = re.compile(r"[0-9a-f]{32}", re.ASCII)

State = Literal["coming", "whole", "taken"]


@dataclass(frozen=True, slots=True)
class Upload:
    """One zip on its way. `name` is what the clerk's file is called: it is told to the door and to nobody else.

    `coming`: bytes up to `offset` are safe; `whole`: all of them, since `whole_at`; `taken`: the ledger has
    it under `receipt`. `check` is what the check found (None: not done yet), `failed` that it could not be done.
    """

    id: str
    hospcode: str
    name: str = field(repr=False)
    size: int
    begun_at: datetime
    offset: int = 0
    state: State = "coming"
    whole_at: datetime | None = None
    receipt: str | None = None
    check: dict[str, Any] | None = field(default=None, repr=False)
    failed: bool = False

    @property
    def checked(self) -> bool:
        """Nothing more is to be expected of the check."""
        return self.check is not None or self.failed

    @property
    def done(self) -> bool:
        """Checked and in the ledger: its bytes are needed no longer."""
        return self.state == "taken" and self.checked

    def moved(self, **changes: Any) -> Upload:
        """The same upload one step on."""
        return replace(self, **changes)


def read(note: Path) -> Upload | None:
    """The upload that a note tells; None when there is none."""
    try:
        kept = json.loads(note.read_text("utf-8"))
    except FileNotFoundError:
        return None
    times = {name: datetime.fromisoformat(kept[name]) for name in ("begun_at", "whole_at") if kept[name]}
    return Upload(**{**kept, **times})


def write(note: Path, upload: Upload) -> None:
    """Write a note whole or not at all, on the disk before this returns."""
    told = asdict(upload)
    for name in ("begun_at", "whole_at"):
        told[name] = told[name].astimezone(UTC).isoformat() if told[name] else None
    fresh = note.with_suffix(".new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(told, file, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(note)
    sync_folder(note.parent)


def sync_folder(folder: Path) -> None:
    """New and removed names of a folder are on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
