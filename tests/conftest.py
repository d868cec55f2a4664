"""Lakes that suites share: started once, stopped at the end, each in a folder and on ports of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lakes import Lake, free_base_port

FIRST_PORT = 21000


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """A lake with object stores and database only: what the jobs need. Suites share it."""
    with _started(tmp_path_factory, "stores") as lake:
        yield lake


@pytest.fixture(scope="module")
def own_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """The same for one module alone: whoever counts all that a lake holds needs it to himself."""
    with _started(tmp_path_factory, "own_stores") as lake:
        yield lake


@contextmanager
def _started(tmp_path_factory: pytest.TempPathFactory, name: str) -> Iterator[Lake]:
    """Stores and database on free ports, stopped at the end."""
    lake = Lake(_home(tmp_path_factory, name), free_base_port(FIRST_PORT))
    lake.run("up", "--only", "stores,database")
    try:
        yield lake
    finally:
        lake.run("down")


def _home(tmp_path_factory: pytest.TempPathFactory, name: str) -> Path:
    """A folder that the database's unprivileged account may pass through."""
    home = tmp_path_factory.mktemp(name)
    for folder in (home, *home.parents[:2]):
        folder.chmod(folder.stat().st_mode | 0o011)
    return home
