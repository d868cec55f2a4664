"""All that must hold no identifier: files, the lake's objects, the databases, in one report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from khlang.lake.scan.buckets import scan_buckets
from khlang.lake.scan.canaries import Canaries
from khlang.lake.scan.databases import scan_databases
from khlang.lake.scan.files import outside_landing, scan_paths
from khlang.lake.scan.members import Walk
from khlang.lake.scan.report import Report
from khlang.lake.scan.search import Search
from khlang.settings import Settings

Say = Callable[[str, int], None]
"""Hears what is searched now, and the bytes so far; never a place, whose name may be an identifier."""


def scan_everything(
    settings: Settings,
    canaries: Canaries,
    *,
    paths: Sequence[Path] | None = None,
    buckets: bool = True,
    databases: bool = True,
    spare: Iterable[Path] = (),
    say: Say = lambda part, searched: None,
) -> Report:
    """Search what is asked for; `paths` None: KHLANG_HOME but landing. Objects come first: volumes hold them too."""
    part = "the values"

    def _watch(searched: int) -> None:
        say(part, searched)

    _watch(0)
    walk = Walk(Report(Search.of(canaries), _watch))
    if buckets:
        part = "objects"
        scan_buckets(walk, settings)
    if databases:
        part = "databases"
        scan_databases(walk.report, settings)
    part = "files"
    scan_paths(walk, outside_landing(settings) if paths is None else paths, spare)
    return walk.report
