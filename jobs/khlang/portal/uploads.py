"""Uploads in the landing zone: what was acknowledged is on the disk, each facility's in a folder of its own."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, BinaryIO

from khlang.errors import BusyError, KhlangError
from khlang.portal.upload import HOSPCODE, NUMBER, Upload, read, sync_folder, write
from khlang.settings import Settings

SPARE_BYTES = 1 << 30
"""Bytes of the disk that no upload may take."""

NAME_LENGTH = 255
UNKNOWN_SIZE = -1
"""A plain form does not say how many bytes will come."""


class Refused(KhlangError):
    """An upload that can not go on; `code` is one of [refused] in catalog/words/portal.toml, `status` HTTP's."""

    def __init__(self, code: str, status: int) -> None:
        """The words for the clerk are found by the code."""
        super().__init__(f"upload.{code}", f"upload refused: {code}")
        self.reason, self.status = code, status


class Uploads:
    """The folder of uploads. A process has it alone: bytes are written by one writer at a time per upload."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Nothing is read or written yet."""
        self._settings, self._clock = settings, clock
        self.folder = settings.root / "landing" / "uploads"
        self._changing = threading.RLock()
        self._alone: IO[str] | None = None
        self.most = settings.upload_max_bytes

    def take_over(self) -> None:
        """Hold the folder against another process of this home; raises BusyError when one has it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.folder.parent, self.folder):
            folder.chmod(0o700)
        lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            words = ("another process of this home serves the page", "มีโปรเซสอื่นให้บริการหน้าเว็บนี้อยู่แล้ว")
            raise BusyError("portal.busy", *words, str(self.folder), "`khlang status`") from None
        self._alone = lock

    def give_back(self) -> None:
        """Another process may have the folder."""
        if self._alone is not None:
            self._alone.close()
            self._alone = None

    def begin(self, hospcode: str, name: str, size: int) -> Upload:
        """A new upload of a facility; raises Refused when it is too large, or too many are open."""
        if not 0 < len(name) <= NAME_LENGTH or "\0" in name or (size != UNKNOWN_SIZE and size <= 0):
            raise Refused("empty", 400)
        if size > self._settings.upload_max_bytes:
            raise Refused("large", 413)
        with self._changing:
            if sum(not each.done for each in self.of(hospcode)) >= self._settings.upload_open:
                raise Refused("many", 429)
            folder = self._folder(hospcode)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if shutil.disk_usage(folder).free < max(size, 0) + SPARE_BYTES:
                raise Refused("full", 507)
            upload = Upload(secrets.token_hex(16), hospcode, name, size, self._clock())
            os.close(os.open(self.bytes_of(upload), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            write(self._note(hospcode, upload.id), upload)
        return upload

    def find(self, hospcode: str, number: str) -> Upload | None:
        """An upload of this facility by its number; None for every other."""
        if HOSPCODE.fullmatch(hospcode) is None or NUMBER.fullmatch(number) is None:
            return None
        return read(self._note(hospcode, number))

    def of(self, hospcode: str) -> list[Upload]:
        """All uploads of a facility that are remembered, newest first."""
        found = [read(note) for note in self._folder(hospcode).glob("*.json")]
        return sorted((each for each in found if each), key=lambda each: each.begun_at, reverse=True)

    def all(self) -> Iterator[Upload]:
        """Every upload that is remembered, oldest first within a facility."""
        for folder in sorted(self.folder.iterdir()) if self.folder.is_dir() else []:
            if folder.is_dir() and HOSPCODE.fullmatch(folder.name):
                yield from reversed(self.of(folder.name))

    def writer(self, upload: Upload, offset: int) -> Writing:
        """Write on from an offset; raises Refused when that is not where the acknowledged bytes end."""
        if upload.state != "coming" or offset != upload.offset:
            raise Refused("offset", 409)
        return Writing(self, upload)

    def settle(self, upload: Upload, offset: int, whole: bool) -> Upload:
        """Acknowledge bytes that are on the disk; the last one makes it whole."""
        now = self._clock()
        done: dict[str, Any] = {"state": "whole", "whole_at": now, "size": offset} if whole else {}
        return self.change(upload, offset=offset, **done)

    def change(self, upload: Upload, **changes: Any) -> Upload:
        """An upload one step on, on the disk; its bytes go when nothing needs them any more."""
        with self._changing:
            known = self.find(upload.hospcode, upload.id)
            if known is None:
                raise Refused("gone", 404)
            moved = known.moved(**changes)
            write(self._note(upload.hospcode, upload.id), moved)
            if moved.done:
                self.bytes_of(moved).unlink(missing_ok=True)
        return moved

    def drop(self, upload: Upload) -> None:
        """Forget an upload; the note goes first: bytes without a note were never acknowledged."""
        with self._changing:
            self._note(upload.hospcode, upload.id).unlink(missing_ok=True)
            self.bytes_of(upload).unlink(missing_ok=True)
            sync_folder(self._folder(upload.hospcode))

    def sweep(self) -> int:
        """Remove what nobody finished, and notes of what the ledger has had for as long; how many."""
        oldest = self._clock() - timedelta(days=self._settings.upload_days)
        old = [each for each in self.all() if each.state != "whole" and self._touched(each) < oldest]
        for upload in old:
            if upload.state == "coming" or upload.done:
                self.drop(upload)
        return len(old)

    def tidy(self) -> None:
        """After a start: bytes without a note were never acknowledged, half a note was never one."""
        for folder in self.folder.glob("[0-9]*"):
            for path in folder.iterdir():
                lost = path.suffix == "" and not path.with_suffix(".json").exists()
                if lost or path.suffix == ".new":
                    path.unlink()

    def bytes_of(self, upload: Upload) -> Path:
        """The file of its bytes; the clerk's name is never part of a path."""
        return self._folder(upload.hospcode) / upload.id

    def open(self, upload: Upload) -> BinaryIO:
        """Its bytes, for reading."""
        return self.bytes_of(upload).open("rb")

    def _touched(self, upload: Upload) -> datetime:
        note = self._note(upload.hospcode, upload.id)
        try:
            return datetime.fromtimestamp(note.stat().st_mtime, UTC)
        except FileNotFoundError:
            return upload.begun_at

    def _folder(self, hospcode: str) -> Path:
        if HOSPCODE.fullmatch(hospcode) is None:
            raise ValueError("not a facility code")
        return self.folder / hospcode

    def _note(self, hospcode: str, number: str) -> Path:
        return self._folder(hospcode) / f"{number}.json"


class Writing:
    """Bytes on their way to the end of an upload: `put` some, `acknowledge` what is on the disk."""

    def __init__(self, uploads: Uploads, upload: Upload) -> None:
        """Bytes behind the acknowledged ones are of a request that was cut off: they are written anew."""
        self._uploads, self.upload = uploads, upload
        self._file = uploads.bytes_of(upload).open("r+b")
        self._file.truncate(upload.offset)
        self._file.seek(upload.offset)

    def put(self, body: bytes) -> None:
        """Append; raises Refused past the size that was told, and past the largest there may be."""
        end, told = self._file.tell() + len(body), self.upload.size
        if end > (self._uploads.most if told == UNKNOWN_SIZE else told):
            raise Refused("large", 413)
        self._file.write(body)

    def acknowledge(self, ended: bool = False) -> Upload:
        """What was put is on the disk, then in the note. `ended`: the last byte of an unknown number came."""
        self._file.flush()
        os.fsync(self._file.fileno())
        offset, told = self._file.tell(), self.upload.size
        self._file.close()
        return self._uploads.settle(self.upload, offset, ended if told == UNKNOWN_SIZE else offset == told)

    def give_up(self) -> None:
        """Close without a word."""
        self._file.close()
