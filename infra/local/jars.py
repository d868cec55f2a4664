"""Spark's locked jars (infra/spark/jars.lock), fetched by jgo, each checked by its SHA-256."""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jgo.config import GlobalSettings
from jgo.maven import MavenContext

TRIES = 3


def main(lock: Path, folder: Path) -> None:
    """Make the folder hold exactly the jars of the lock."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {_file(line): line.split() for line in lock.read_text().splitlines() if line}
    for stray in {path.name for path in folder.glob("*.jar")} - set(wanted):
        (folder / stray).unlink()
    missing = [name for name, (*_, digest) in wanted.items() if _digest(folder / name) != digest]
    with tempfile.TemporaryDirectory(dir=folder) as cache, ThreadPoolExecutor(8) as pool:
        mirrors = GlobalSettings.load().repositories or None
        context = MavenContext(repo_cache=Path(cache), remote_repos=mirrors, timeout=60)
        list(pool.map(lambda name: _fetch(context, wanted[name], folder / name), missing))


def _fetch(context: MavenContext, locked: list[str], target: Path) -> None:
    group, artifact, version, digest = locked
    for attempt in range(TRIES):
        try:
            jar = context.project(group, artifact).at_version(version).artifact().resolve()
            break
        except Exception:
            if attempt == TRIES - 1:
                raise
            time.sleep(2**attempt)
    found = _digest(jar)
    if found != digest:
        raise SystemExit(f"{target.name}: SHA-256 is {found}, the lock says {digest}: not used")
    jar.replace(target)


def _file(line: str) -> str:
    _, artifact, version, _ = line.split()
    return f"{artifact}-{version}.jar"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
