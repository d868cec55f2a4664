"""Passphrases of facilities: made, replaced, revoked; only their argon2 hashes are kept."""

from __future__ import annotations

import secrets
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import Engine, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from khlang.errors import SettingsError
from khlang.lake.ledger.models import FacilityPassRow, FacilityRow

if TYPE_CHECKING:
    from argon2 import PasswordHasher

LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Thirty-two characters that nobody mistakes for one another when they are read aloud or written down."""

GROUPS, GROUP = 4, 5
_ALIKE = str.maketrans("OIL", "011", "- ")


def written(passphrase: str) -> str:
    """A passphrase as it counts: capitals, without dashes and blanks, O as 0, I and L as 1."""
    return passphrase.strip().upper().translate(_ALIKE)


def _made() -> str:
    """Four groups of five characters: 100 bits."""
    groups = ("".join(secrets.choice(LETTERS) for _ in range(GROUP)) for _ in range(GROUPS))
    return "-".join(groups)


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _nobodys() -> str:
    """The hash of a passphrase that nobody has: a code without one is looked up as slowly as one that has."""
    return _hasher().hash(secrets.token_hex(32))


def _matches(hashed: str, passphrase: str) -> bool:
    from argon2.exceptions import Argon2Error, InvalidHash

    try:
        return _hasher().verify(hashed, written(passphrase))
    except (Argon2Error, InvalidHash):
        return False


class Passes:
    """The part of the ledger that knows who may sign in."""

    engine: Engine

    def issue_pass(self, hospcode: str) -> str:
        """A new passphrase of a facility of the registry; the one before it, and its sessions, end.

        It is returned once and kept nowhere. Raises SettingsError facility.unknown.
        """
        passphrase = _made()
        hashed = _hasher().hash(written(passphrase))
        row = upsert(FacilityPassRow).values(hospcode=hospcode, hash=hashed, version=1)
        replaced = {
            "hash": hashed,
            "version": FacilityPassRow.version + 1,
            "changed_at": func.now(),
            "revoked_at": None,
        }
        known = select(FacilityRow.id).where(FacilityRow.hospcode == hospcode, FacilityRow.valid_to.is_(None))
        with Session(self.engine) as session, session.begin():
            if session.scalar(known) is None:
                raise _unknown(hospcode)
            session.execute(row.on_conflict_do_update(index_elements=["hospcode"], set_=replaced))
        return passphrase

    def revoke_pass(self, hospcode: str) -> None:
        """The facility can not sign in until it gets a new one. Raises SettingsError facility.unknown."""
        revoked = (
            update(FacilityPassRow)
            .where(FacilityPassRow.hospcode == hospcode)
            .values(revoked_at=func.now(), version=FacilityPassRow.version + 1)
            .returning(FacilityPassRow.hospcode)
        )
        with Session(self.engine) as session, session.begin():
            if session.execute(revoked).first() is None:
                raise _unknown(hospcode)

    def pass_version(self, hospcode: str) -> int | None:
        """The version of the passphrase in force; None when there is none: sessions of another version end."""
        asked = select(FacilityPassRow.version).where(
            FacilityPassRow.hospcode == hospcode, FacilityPassRow.revoked_at.is_(None)
        )
        with self.engine.connect() as connection:
            return connection.scalar(asked)

    def opens(self, hospcode: str, passphrase: str) -> int | None:
        """The version of the passphrase when it is the facility's own, else None; as slow in every case."""
        asked = select(FacilityPassRow.hash, FacilityPassRow.version).where(
            FacilityPassRow.hospcode == hospcode, FacilityPassRow.revoked_at.is_(None)
        )
        with self.engine.connect() as connection:
            found = connection.execute(asked).first()
        matched = _matches(found.hash if found else _nobodys(), passphrase)
        return int(found.version) if found and matched else None


def _unknown(hospcode: str) -> SettingsError:
    return SettingsError(
        "facility.unknown",
        f"facility {hospcode} is not in the registry, or has no passphrase",
        f"ไม่พบหน่วยบริการ {hospcode} ในทะเบียน หรือยังไม่มีรหัสผ่าน",
        hospcode,
        "`khlang facilities list` shows who is; `khlang facilities load FILE` adds to it",
    )
