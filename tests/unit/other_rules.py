"""The catalogue and conform as a copy that a test changes; the modules of this process read it instead of their own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from khlang.conform import digest
from khlang.conform.digest import rules_digest
from khlang.model import contract, forms, policy


class Copied:
    """A copy of what decides de-identification."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for part in ("catalog", "conform"):
            shutil.copytree(
                str(files(f"khlang.{part}")), folder / part, ignore=shutil.ignore_patterns("__pycache__")
            )

    def change(self, path: str, old: str, new: str) -> str:
        """Say one thing otherwise; the digest of what the copy says now."""
        place = self.folder / path
        text = place.read_text("utf-8")
        assert old in text
        place.write_text(text.replace(old, new, 1), "utf-8")
        return self.digest()

    def only(self, *names: str) -> None:
        """Forget every contract but these."""
        for place in (self.folder / "catalog/contracts/th43").glob("*.toml"):
            if place.stem not in names:
                place.unlink()
        forget()

    def digest(self) -> str:
        """The digest of what the copy says now."""
        forget()
        return rules_digest()


def forget() -> None:
    """What was read of the catalogue is read anew."""
    for made in (policy.policy, contract.contracts, forms.forms, rules_digest):
        made.cache_clear()


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Copied]:
    """A copy in force for one test."""
    before = rules_digest()
    made = Copied(tmp_path)
    with monkeypatch.context() as patched:
        for module in (policy, contract, forms, digest):
            patched.setattr(module, "files", lambda package: tmp_path / package.rpartition(".")[2])
        assert made.digest() == before
        yield made
    forget()
