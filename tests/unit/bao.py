"""A real OpenBao server of its own for a test: started by the stack's own service, with the lake's keys in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from khlang.lake import keys
from khlang.lake.keys import Key, KeySource, KeyStore
from khlang.lake.openbao import EMBEDDED, folder
from khlang.settings import Settings
from khlang.stack.openbao import await_active, client_of
from lakes import Lake, free_base_port


@dataclass(frozen=True)
class Bao:
    """The server, and settings by which it is reached."""

    lake: Lake

    @property
    def settings(self) -> Settings:
        """As a job reaches it: it may read."""
        return self.lake.settings.model_copy(update={"key_store": "openbao:"})

    @property
    def officer(self) -> Settings:
        """As one who may change keys."""
        return self._with(key_store_credentials=str(self.home / "officer.json"))

    @property
    def home(self) -> Path:
        """The server's folder."""
        return folder(self.settings)

    @property
    def root(self) -> Any:
        """A session that may do everything."""
        return client_of(self.settings, json.loads((self.home / "unseal.json").read_text())["root"])

    def at(self, path: str, **more: str) -> Settings:
        """As an officer, another secret of the server, named as a server elsewhere is."""
        url = f"https://127.0.0.1:{self.settings.port('openbao')}/{path}"
        named = {
            "key_store_ca": str(self.home / "tls.pem"),
            "key_store_credentials": str(self.home / "officer.json"),
        }
        return self._with(**{"key_store": f"openbao:{url}", **named, **more})

    def token(self, folder: Path, token: str) -> str:
        """A file of credentials with a token."""
        path = folder / "token.json"
        path.write_text(json.dumps({"token": token}))
        path.chmod(0o600)
        return str(path)

    def reopened(self) -> KeyStore:
        """The keys as a job finds them now."""
        return KeyStore.open(self.settings)

    def unseal(self) -> None:
        """Take the seal off."""
        self.root.sys.submit_unseal_key(json.loads((self.home / "unseal.json").read_text())["key"])
        await_active(self.settings)

    def _with(self, **more: str) -> Settings:
        return self.settings.model_copy(update=more)


def put(source: KeySource, listed: list[Key]) -> None:
    """Store exactly these keys."""
    source.change(lambda _: listed)


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    """A server for the tests of one module."""
    home = tmp_path_factory.mktemp("bao")
    lake = Lake(home, free_base_port(21500), (("KHLANG_KEY_STORE", "openbao:"),))
    try:
        lake.run("up", "--only", "keys")
        yield Bao(lake)
    finally:
        lake.run("down")


__all__ = ["EMBEDDED", "Bao", "bao", "keys", "put"]
