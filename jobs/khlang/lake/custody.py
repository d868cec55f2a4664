"""k of n custodians: one pseudonym is traced back to its person, with their shares, in time, once.

A share (Shamir over GF(2^128)) travels sealed to the key of the one request it is for (HPKE, RFC 9180): what the
ledger keeps opens nothing, and with fewer than k shares the secret does not come out.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from Crypto.Protocol.SecretSharing import Shamir
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from khlang.errors import PrivacyError, SettingsError
from khlang.lake.ledger import Ledger, Request
from khlang.settings import Settings

SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
MOST_MINUTES = 24 * 60
_MOST = 20
"""Custodians of a deal."""

Clock = Callable[[], datetime]


def _now() -> datetime:
    return datetime.now(UTC)


def deal(settings: Settings, custodians: int, threshold: int, actor: str) -> list[str]:
    """New shares, one for each custodian, as text: shown once, only their digests are kept."""
    _on(settings)
    if not 2 <= threshold <= custodians <= _MOST:
        words = ("at least two custodians together, and no more than there are", "จำนวนผู้ดูแลกุญแจไม่ถูกต้อง")
        raise SettingsError(
            "custody.threshold", *words, "--threshold", f"2 <= threshold <= custodians <= {_MOST}"
        )
    secret = secrets.token_bytes(16)
    shares = Shamir.split(threshold, custodians, secret)
    with Ledger.open(settings) as ledger:
        ledger.deal(actor, threshold, _digest(secret), [_digest(share) for _, share in shares])
    return [_spelled(custodian, share) for custodian, share in shares]


def ask(
    settings: Settings, pseudonym: str, purpose: str, minutes: int, actor: str, clock: Clock = _now
) -> Request:
    """Ask who a pseudonym is; the request's own key stays here, in a 0600 file of who asked."""
    _on(settings)
    if not 1 <= minutes <= MOST_MINUTES or not purpose.strip():
        words = ("a request has a purpose and ends within a day", "คำขอต้องมีวัตถุประสงค์และมีเวลาจำกัด")
        raise SettingsError("custody.request", *words, "--purpose, --minutes", f"1 to {MOST_MINUTES} minutes")
    private, at = X25519PrivateKey.generate(), clock()
    number = f"C{secrets.token_hex(4)}"
    with Ledger.open(settings) as ledger:
        asked = Request(
            number, ledger.newest_deal(), pseudonym, purpose.strip(), actor, at + timedelta(minutes=minutes),
            private.public_key().public_bytes_raw(), None,
        )  # fmt: skip
        _keep(settings, number, private.private_bytes_raw())
        ledger.ask(asked, at)
    return asked


def approve(settings: Settings, number: str, share: str, actor: str, clock: Clock = _now) -> tuple[int, int]:
    """A custodian's share for one request; returns how many there are and how many it takes."""
    _on(settings)
    with Ledger.open(settings) as ledger:
        asked = ledger.request(number)
        _in_time(ledger, asked, actor, clock())
        custodian, raw = _known(ledger, asked, share, actor)
        public = X25519PublicKey.from_public_bytes(asked.public_key)
        sealed = SUITE.encrypt(raw, public, info=_bound(asked, custodian))
        return ledger.approve(actor, number, custodian, sealed, clock()), asked.deal.threshold


def unlock(settings: Settings, number: str, actor: str, clock: Clock = _now) -> Request:
    """The request, opened: k custodians let it in time, and never before. Raises PrivacyError otherwise."""
    _on(settings)
    with Ledger.open(settings) as ledger:
        asked = ledger.request(number)
        _in_time(ledger, asked, actor, clock())
        shares = _shares(settings, ledger, asked)
        if len(shares) < asked.deal.threshold:
            ledger.refused(actor, number, f"{len(shares)} of {asked.deal.threshold}")
            words = f"{len(shares)} of {asked.deal.threshold} custodians have approved"
            step = "`khlang custody approve` by another custodian"
            raise PrivacyError("custody.few", words, "ผู้ดูแลกุญแจยังอนุมัติไม่ครบ", number, step)
        secret = Shamir.combine(shares[: asked.deal.threshold])
        if not hmac.compare_digest(_digest(secret), asked.deal.secret_digest):
            ledger.refused(actor, number, "shares")
            raise _other_shares(number)
        ledger.open_request(actor, number, clock())
        _place(settings, number).unlink(missing_ok=True)
    return asked


def _on(settings: Settings) -> None:
    """Off unless the settings say otherwise: nobody is traced back by default."""
    if not settings.custody:
        words = ("tracing a pseudonym back is off", "ปิดการสืบย้อนตัวบุคคลไว้")
        step = "KHLANG_CUSTODY=true, when the privacy officer has decided so"
        raise PrivacyError("custody.off", *words, "KHLANG_CUSTODY", step)


def _in_time(ledger: Ledger, asked: Request, actor: str, now: datetime) -> None:
    """Refuse what was opened before or is over."""
    if asked.opened_at is not None:
        words = ("the request was opened before", "คำขอนี้ถูกเปิดไปแล้ว")
        raise PrivacyError("custody.opened", *words, asked.id, "ask anew, with a purpose of its own")
    if now >= asked.until:
        ledger.refused(actor, asked.id, "late")
        words = ("the request's time is over", "คำขอนี้หมดเวลาแล้ว")
        raise PrivacyError("custody.late", *words, asked.id, "ask anew")
    if asked.deal.id != ledger.newest_deal().id:
        words = ("shares were dealt anew since it was asked", "มีการแจกส่วนกุญแจใหม่แล้ว")
        raise PrivacyError("custody.dealt", *words, asked.id, "ask anew")


def _known(ledger: Ledger, asked: Request, share: str, actor: str) -> tuple[int, bytes]:
    """Whose share this is, told by the digests of the deal."""
    number, _, text = "".join(share.split()).partition("-")
    try:
        custodian, raw = int(number), bytes.fromhex(text)
    except ValueError:
        custodian, raw = 0, b""
    digests = asked.deal.share_digests
    if not 1 <= custodian <= len(digests) or not hmac.compare_digest(_digest(raw), digests[custodian - 1]):
        ledger.refused(actor, asked.id, "share")
        raise _other_shares(asked.id)
    return custodian, raw


def _other_shares(number: str) -> PrivacyError:
    words = ("that is no share of the custodians in force", "ส่วนกุญแจนี้ใช้ไม่ได้")
    return PrivacyError("custody.share", *words, number, "type it as it was dealt: 1-0123abcd...")


def _shares(settings: Settings, ledger: Ledger, asked: Request) -> list[tuple[int, bytes]]:
    """The shares of a request, opened with the key of who asked."""
    try:
        private = X25519PrivateKey.from_private_bytes(_place(settings, asked.id).read_bytes())
    except (OSError, ValueError):
        words = ("the key of this request is not here", "ไม่พบกุญแจของคำขอนี้")
        step = "open it where it was asked, as who asked it"
        raise PrivacyError("custody.elsewhere", *words, asked.id, step) from None
    try:
        return [
            (custodian, SUITE.decrypt(sealed, private, info=_bound(asked, custodian)))
            for custodian, sealed in ledger.approvals(asked.id).items()
        ]
    except InvalidTag:
        raise _other_shares(asked.id) from None


def _bound(asked: Request, custodian: int) -> bytes:
    """What a sealed share is for: this request, this pseudonym, this purpose, this time."""
    told = (asked.id, asked.pseudonym, asked.purpose, asked.until.astimezone(UTC).isoformat(), str(custodian))
    return hashlib.sha256("\0".join(told).encode()).digest()


def _digest(secret: bytes) -> str:
    """Of 128 random bits: none that it came from can be found."""
    return hashlib.sha256(b"khlang custody\0" + secret).hexdigest()


def _spelled(custodian: int, share: bytes) -> str:
    """`1-01234567 89abcdef ...`: four groups to read and type."""
    text = share.hex()
    return f"{custodian}-" + " ".join(text[at : at + 8] for at in range(0, len(text), 8))


def _place(settings: Settings, number: str) -> Path:
    return settings.root / "keys" / "custody" / f"{number}.key"


def _keep(settings: Settings, number: str, private: bytes) -> None:
    path = _place(settings, number)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(private)
