"""Byte code inside pyspark.zip and py4j's zip: without it every Python worker compiles pyspark anew."""

from __future__ import annotations

import importlib.util
import sys
import zipfile
from importlib._bootstrap_external import _code_to_hash_pyc  # type: ignore[attr-defined]
from pathlib import Path


def zips() -> list[Path]:
    """The archives that Spark puts first on its workers' path."""
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise SystemExit("pyspark is not installed in this environment")
    return sorted((Path(spec.origin).parent / "python" / "lib").glob("*.zip"))


def compile_zip(archive: Path) -> int:
    """Write the archive anew with an unchecked .pyc beside each .py, nothing deflated; returns how many."""
    fresh, count = archive.with_suffix(".new"), 0
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(fresh, "w", zipfile.ZIP_STORED) as new:
        for item in old.infolist():
            if item.filename.endswith(".pyc"):
                continue
            content = old.read(item)
            new.writestr(zipfile.ZipInfo(item.filename, item.date_time), content)
            if item.filename.endswith(".py"):
                new.writestr(f"{item.filename}c", _unchecked(content, f"{archive}/{item.filename}"))
                count += 1
    fresh.replace(archive)  # a new file: the old one may be a hard link into uv's cache
    return count


def _unchecked(source: bytes, name: str) -> bytes:
    code = compile(source, name, "exec", dont_inherit=True)
    content: bytes = _code_to_hash_pyc(code, importlib.util.source_hash(source), False)
    return content


if __name__ == "__main__":
    print(sum(compile_zip(archive) for archive in zips()), "modules", file=sys.stderr)
