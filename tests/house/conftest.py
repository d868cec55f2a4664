"""The files of the repository as the house tests see them."""

from __future__ import annotations

import subprocess
from pathlib import Path, PurePosixPath

import pytest

PROJECT = Path(__file__).resolve().parents[2]


def listed() -> list[PurePosixPath]:
    """Every file that is or would be committed."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    return [PurePosixPath(line) for line in found.splitlines() if (PROJECT / line).is_file()]


@pytest.fixture(scope="session")
def texts() -> dict[PurePosixPath, str]:
    """Path -> text of every file that is text."""
    found: dict[PurePosixPath, str] = {}
    for path in listed():
        content = (PROJECT / path).read_bytes()
        if b"\0" not in content:
            found[path] = content.decode("utf-8", errors="replace")
    assert len(found) > 100, "the repository was not found"
    return found
