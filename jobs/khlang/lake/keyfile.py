"""Keys in one JSON file of mode 0600, and the form in which any store keeps a key."""

from __future__ import annotations

import base64
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from khlang.errors import PrivacyError
from khlang.lake.keys import CREATE, RESTORE, Edit, Key


class FileSource:
    """Keys in one JSON file that only its owner may read."""

    def __init__(self, path: Path) -> None:
        """The file; its folder is made 0700 on the first write."""
        self.path = path

    def exists(self) -> bool:
        """Whether the file is there."""
        return self.path.exists()

    def read(self) -> list[Key]:
        """Read and check; a file that others may read is refused, not repaired: it may have been copied."""
        if not self.exists():
            raise PrivacyError("key.missing", "there is no key store", "ไม่พบที่เก็บกุญแจ", "key store", CREATE)
        mode = self.path.stat().st_mode & 0o777
        if mode & 0o077:
            words = f"the key store has mode {mode:o}, others may have read it"
            step = "chmod 600 if you are sure that nobody did, else make new keys"
            raise PrivacyError("key.mode", words, "ผู้อื่นอาจอ่านที่เก็บกุญแจได้", "key store", step)
        try:
            stored = json.loads(self.path.read_text("utf-8"))["keys"]
            return [decoded(row) for row in stored]
        except (ValueError, KeyError, TypeError) as wrong:
            other = ("the key store has another form", "รูปแบบของที่เก็บกุญแจไม่ถูกต้อง")
            raise PrivacyError("key.unreadable", *other, "key store", RESTORE) from wrong

    def change(self, edit: Edit, forget: bool = False) -> list[Key]:
        """Under a lock, beside, then renamed: a crash never leaves half a store; a file keeps no earlier state."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._alone():
            keys = edit(self.read() if self.exists() else [])
            beside = self.path.with_suffix(f".{os.getpid()}.new")
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump({"keys": [encoded(key) for key in keys]}, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, self.path)
            return keys

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One change at a time; the lock ends with its process."""
        handle = os.open(self.path.with_suffix(".lock"), os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def encoded(key: Key) -> dict[str, object]:
    """Key -> row of a store."""
    created, material = key.created.isoformat(), base64.b64encode(key.material).decode()
    return {"purpose": key.purpose, "version": key.version, "created": created, "key": material}


def decoded(row: Mapping[str, str | int]) -> Key:
    """Row of a store -> Key; raises ValueError, KeyError or TypeError."""
    material = base64.b64decode(str(row["key"]), validate=True)
    created = datetime.fromisoformat(str(row["created"]))
    return Key(str(row["purpose"]), int(row["version"]), created, material)
