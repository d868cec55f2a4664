"""The keys as one secret of an OpenBao server (KV version 2): read over TLS, changed by check-and-set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import hvac
import requests
from hvac import exceptions as said

from khlang.errors import KhlangError, PrivacyError, SettingsError, StackError
from khlang.lake.keyfile import decoded, encoded
from khlang.lake.keys import CREATE, RESTORE, Edit, Key
from khlang.settings import Settings

EMBEDDED = "khlang/keys"
"""Mount and path of the embedded server's secret."""

_SECONDS, _TRIES = 10, 20


def folder(settings: Settings) -> Path:
    """Where the embedded server keeps its data, its certificate and who it lets in."""
    return settings.root / "keys" / "openbao"


@dataclass(frozen=True, slots=True)
class BaoSource:
    """One secret of one server, and by whose credentials it is read."""

    url: str
    mount: str
    path: str
    authority: str | None
    credentials: Path

    @classmethod
    def of(cls, settings: Settings, place: str) -> BaoSource:
        """`https://keys.example:8200/MOUNT/PATH`, or nothing: the embedded server; over TLS or not at all."""
        own = folder(settings)
        whole = place or f"https://127.0.0.1:{settings.port('openbao')}/{EMBEDDED}"
        parts = urlsplit(whole)
        mount, _, path = parts.path.strip("/").partition("/")
        if parts.scheme != "https" or parts.username or not (parts.hostname and mount and path):
            words = ("the address of the key store has another form", "ที่อยู่ของที่เก็บกุญแจไม่ถูกต้อง")
            step = "set it to openbao:https://keys.example:8200/MOUNT/PATH: https, and no user in it"
            raise SettingsError("key.address", *words, "KHLANG_KEY_STORE", step)
        authority = settings.key_store_ca or (None if place else str(own / "tls.pem"))
        named = settings.key_store_credentials or ("" if place else str(own / "jobs.json"))
        if not named:
            words = ("nothing says by whose credentials the keys are read", "ยังไม่ได้ระบุแฟ้มสิทธิ์อ่านกุญแจ")
            step = "name a 0600 JSON file with role_id and secret_id, or with token"
            raise SettingsError("key.credentials", *words, "KHLANG_KEY_STORE_CREDENTIALS", step)
        return cls(f"https://{parts.netloc}", mount, path, authority, settings.root / named)

    def exists(self) -> bool:
        """Whether the secret was ever made."""
        with self._signed_in() as server:
            return server.stored()[0] > 0

    def read(self) -> list[Key]:
        """The newest version of the secret."""
        with self._signed_in() as server:
            version, keys = server.stored()
            if not version:
                words = ("there is no key store", "ไม่พบที่เก็บกุญแจ")
                raise PrivacyError("key.missing", *words, self.url, CREATE)
            return keys

    def change(self, edit: Edit, forget: bool = False) -> list[Key]:
        """Written only on top of the version that `edit` saw; else read and edited again."""
        with self._signed_in() as server:
            for _ in range(_TRIES):
                version, present = server.stored()
                keys = edit(present)
                if server.write(keys, version):
                    if forget:
                        server.destroy_until(version)
                    return keys
        raise StackError(
            "key.contended", "others change the key store all the time", "", self.url, "try again"
        )

    @contextmanager
    def _signed_in(self) -> Iterator[_Server]:
        """A session for one piece of work; a token that was made for it ends with it."""
        given = _credentials(self.credentials)
        with requests.Session() as session, _failures_named(self.url):
            # No proxy, no authority and no token from the environment: what the settings say, nothing else.
            session.trust_env = False
            session.verify = self.authority or True
            client = hvac.Client(self.url, token=given.get("token", ""), timeout=_SECONDS, session=session)
            if "role_id" in given:
                _sign_in(client, given, self.url)
            try:
                yield _Server(client, self.mount, self.path, self.url)
            finally:
                if "role_id" in given:
                    with suppress(said.VaultError, requests.RequestException):
                        client.auth.token.revoke_self()


@dataclass(frozen=True, slots=True)
class _Server:
    """The secret, through an open session."""

    client: Any = field(repr=False)
    mount: str
    path: str
    url: str

    def stored(self) -> tuple[int, list[Key]]:
        """(version, keys); (0, none) when there never was one. Raises PrivacyError when it was deleted."""
        try:
            found = self.client.secrets.kv.v2.read_secret_version(
                self.path, mount_point=self.mount, raise_on_deleted_version=True
            )["data"]
        except said.InvalidPath as wrong:
            if (((wrong.json or {}).get("data") or {}).get("metadata") or {}).get("version"):
                words = ("the newest version of the keys was deleted", "กุญแจรุ่นล่าสุดถูกลบ")
                step = "undelete it in OpenBao, or restore its snapshot; never make new keys"
                raise PrivacyError("key.deleted", *words, self.url, step) from None
            return 0, []
        except said.Forbidden:
            self._forbidden("read")
        try:
            return int(found["metadata"]["version"]), [decoded(row) for row in found["data"]["keys"]]
        except (ValueError, KeyError, TypeError):
            words = ("the key store has another form", "รูปแบบของที่เก็บกุญแจไม่ถูกต้อง")
            raise PrivacyError("key.unreadable", *words, self.url, RESTORE) from None

    def write(self, keys: list[Key], over: int) -> bool:
        """Write on top of version `over` (0: only where there is none); False when another was faster."""
        rows = {"keys": [encoded(key) for key in keys]}
        kv = self.client.secrets.kv.v2
        try:
            kv.create_or_update_secret(self.path, rows, cas=over, mount_point=self.mount)
        except said.Forbidden:
            self._forbidden("change")
        except said.InvalidRequest as refused:
            if "check-and-set" in str(refused):
                return False
            raise
        return True

    def destroy_until(self, version: int) -> None:
        """No earlier state is kept: a destroyed key stands in none."""
        if version:
            versions = list(range(1, version + 1))
            try:
                self.client.secrets.kv.v2.destroy_secret_versions(self.path, versions, self.mount)
            except said.Forbidden:
                self._forbidden("destroy earlier versions of")

    def _forbidden(self, act: str) -> NoReturn:
        """Are the credentials not taken at all, or do they not have this right?"""
        with suppress(said.Forbidden, said.Unauthorized):
            self.client.auth.token.lookup_self()
            words = f"these credentials may not {act} the keys"
            step = "name the file of somebody who may in KHLANG_KEY_STORE_CREDENTIALS (docs/runbooks/keys.md)"
            raise PrivacyError("key.forbidden", words, "ไม่มีสิทธิ์ทำรายการกับกุญแจ", self.url, step)
        raise _denied(self.url)


def _sign_in(client: Any, given: dict[str, str], url: str) -> None:
    try:
        client.auth.approle.login(given["role_id"], given.get("secret_id"))
    except (said.InvalidRequest, said.Forbidden, said.Unauthorized):
        raise _denied(url) from None


def _denied(url: str) -> PrivacyError:
    words = ("OpenBao does not take these credentials: wrong, ended or revoked", "สิทธิ์เข้าถึงที่เก็บกุญแจใช้ไม่ได้แล้ว")
    step = "put a new secret_id or token into the file that KHLANG_KEY_STORE_CREDENTIALS names"
    return PrivacyError("key.denied", *words, url, step)


def _credentials(path: Path) -> dict[str, str]:
    """role_id and secret_id, or token; from a file that its owner alone reads."""
    step = "a file of mode 600 with role_id and secret_id, or with token, as JSON"
    words = ("the file of credentials is missing or has another form", "ไม่พบแฟ้มสิทธิ์ หรือรูปแบบไม่ถูกต้อง")
    try:
        if path.stat().st_mode & 0o077:
            others = ("others may have read the file of credentials", "ผู้อื่นอาจอ่านแฟ้มสิทธิ์ได้")
            raise PrivacyError("key.mode", *others, str(path), "have new ones made, then chmod 600")
        given = json.loads(path.read_text("utf-8"))
        if isinstance(given, dict) and (given.get("token") or given.get("role_id")):
            return {str(name): str(value) for name, value in given.items()}
    except (OSError, ValueError):
        raise PrivacyError("key.credentials", *words, str(path), step) from None
    raise PrivacyError("key.credentials", *words, str(path), step)


@contextmanager
def _failures_named(url: str) -> Iterator[None]:
    """A failure of the server or of the way to it, by its name here; never the library's words."""
    try:
        yield
    except KhlangError:
        raise
    except requests.exceptions.SSLError:
        words = ("OpenBao's certificate is not one to trust", "ใบรับรองของที่เก็บกุญแจไม่น่าเชื่อถือ")
        raise PrivacyError("key.tls", *words, url, "name who signed it in KHLANG_KEY_STORE_CA") from None
    except (said.VaultDown, said.VaultNotInitialized):
        words = ("OpenBao is sealed", "ที่เก็บกุญแจยังถูกปิดผนึก")
        step = "its custodians unseal it (`bao operator unseal`); then run the job again"
        raise StackError("key.sealed", *words, url, step) from None
    except (requests.RequestException, said.VaultError, OSError):
        words = ("OpenBao does not answer as it should", "ที่เก็บกุญแจไม่ตอบ")
        step = "is it up, and can this machine reach it? then run the job again"
        raise StackError("key.unreachable", *words, url, step) from None
