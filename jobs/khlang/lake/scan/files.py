"""Folders -> every regular file below them, its name and its bytes, landing's and the keys' apart."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from stat import S_ISREG

from khlang.lake.scan.members import Walk
from khlang.settings import Settings

APART = ("landing", "keys", "secrets.json")
"""Of KHLANG_HOME: what may hold identifiers, and the keys, which are no personal data."""


def outside_landing(settings: Settings) -> list[Path]:
    """Everything of KHLANG_HOME that must hold no identifier; a folder that is a link to landing is landing."""
    apart = [(settings.root / name).resolve() for name in APART]
    found = (path.resolve() for path in settings.root.iterdir())
    return sorted(path for path in found if not any(path.is_relative_to(one) for one in apart))


def scan_paths(walk: Walk, paths: Iterable[Path], spare: Iterable[Path] = ()) -> None:
    """Search files and folders; `spare`: files that hold the values by purpose (that of the canaries)."""
    spared = {path.resolve() for path in spare}
    for given in (path.resolve() for path in paths):
        for path in _files(walk, given):
            if path.resolve() not in spared:
                walk.report.name(str(given), str(path.relative_to(given) if path != given else path.name))
                _scan(walk, path)


def _files(walk: Walk, given: Path) -> Iterator[Path]:
    if not given.is_dir():
        if given.exists():
            yield given
        else:
            walk.report.could_not_read(str(given), FileNotFoundError())
        return
    for folder, folders, names in os.walk(
        given, onerror=lambda error: walk.report.could_not_read(str(given), error)
    ):
        folders.sort()
        for name in folders:  # an empty folder holds no file that would tell its name
            walk.report.name(folder, name)
        yield from (Path(folder) / name for name in sorted(names))


def _scan(walk: Walk, path: Path) -> None:
    """A file that is gone by now is no leak; one that may not be read is told."""
    try:
        if path.is_symlink():
            walk.report.name(str(path), os.readlink(path))
            return
        if not S_ISREG(path.stat().st_mode):
            return
        with path.open("rb") as file:
            walk.file(str(path), file)
    except FileNotFoundError:
        return
    except OSError as error:
        walk.report.could_not_read(str(path), error)
