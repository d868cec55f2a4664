"""Generated credentials: one 0600 file under KHLANG_HOME, read by reference, never passed on."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from khlang.errors import SettingsError
from khlang.settings import Settings

CONFIGURABLE = ("lake_access_key", "lake_secret_key", "landing_access_key", "landing_secret_key")


def _password() -> str:
    return secrets.token_urlsafe(30)


def _access_key() -> str:
    return f"KH{secrets.token_hex(9).upper()}"


def _fernet() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _long() -> str:
    return secrets.token_hex(48)


_MAKERS = {
    "lake_access_key": _access_key,
    "landing_access_key": _access_key,
    "airflow_jwt_secret": _long,
    "airflow_fernet_key": _fernet,
    "superset_secret_key": _long,
    "front_door_session_secret": _long,
}


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """Credentials of one installation; its repr shows none of them."""

    lake_access_key: str
    lake_secret_key: str
    landing_access_key: str
    landing_secret_key: str
    database_password: str
    postgres_password: str
    airflow_db_password: str
    superset_db_password: str
    planner_db_password: str
    airflow_admin_password: str
    airflow_jwt_secret: str
    airflow_secret_key: str
    airflow_fernet_key: str
    superset_secret_key: str
    superset_admin_password: str
    superset_planner_password: str
    front_door_session_secret: str

    @classmethod
    def open(cls, settings: Settings) -> Secrets:
        """The credentials in force: settings that are not empty win over the file."""
        path = location(settings)
        kept = _read(path)
        missing = [field.name for field in fields(cls) if field.name not in kept]
        given = {name: getattr(settings, name) for name in CONFIGURABLE if getattr(settings, name)}
        if missing and kept:
            raise _incomplete(path, missing)
        if missing and len(given) < len(CONFIGURABLE):
            raise SettingsError(
                "secrets.missing",
                "there is no secrets file and the S3 keys are not all set",
                "ไม่มีแฟ้มรหัสลับ และยังไม่ได้ตั้งค่ากุญแจ S3 ครบ",
                str(path),
                "run `khlang up` once, or set KHLANG_LAKE_ACCESS_KEY and its three companions",
            )
        blank = dict.fromkeys(missing, "")
        return cls(**{**blank, **kept, **given})

    @classmethod
    def create(cls, settings: Settings) -> Secrets:
        """Write the file where it is missing, add what a newer version needs, then open it."""
        path = location(settings)
        kept = _read(path)
        whole = {name: kept.get(name) or _MAKERS.get(name, _password)() for name in _names()}
        if whole != kept:
            _write(path, whole)
        return cls.open(settings)

    def values(self) -> tuple[str, ...]:
        """Every secret value, for a scan that none of them stands in a log."""
        return tuple(asdict(self).values())

    def __repr__(self) -> str:
        """Nothing but the name: a secret must not reach a log through a traceback."""
        return "Secrets(...)"


def location(settings: Settings) -> Path:
    """Where the generated credentials lie."""
    return settings.root / "secrets.json"


def _names() -> list[str]:
    return [field.name for field in fields(Secrets)]


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    if path.stat().st_mode & 0o077:
        raise SettingsError(
            "secrets.open",
            "the secrets file can be read by others",
            "แฟ้มรหัสลับเปิดให้ผู้อื่นอ่านได้",
            str(path),
            f"chmod 600 {path}, and make new secrets if others had access",
        )
    kept: dict[str, str] = json.loads(path.read_text())
    return {name: kept[name] for name in _names() if name in kept}


def _write(path: Path, whole: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(whole, file, indent=1)
    fresh.replace(path)


def _incomplete(path: Path, missing: list[str]) -> SettingsError:
    return SettingsError(
        "secrets.incomplete",
        f"the secrets file lacks {', '.join(missing)}",
        "แฟ้มรหัสลับไม่ครบ",
        str(path),
        "run `khlang up`, which adds what is missing",
    )
