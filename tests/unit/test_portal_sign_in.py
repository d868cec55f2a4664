"""Signing in to the facilities' page: who may, how often, for how long, and what nobody learns by trying."""

from __future__ import annotations

import re
import time

import pytest
from itsdangerous import TimestampSigner

from khlang.errors import SettingsError
from khlang.lake.ledger.passes import written
from khlang.lake.secrets import Secrets
from khlang.portal.app import cookie_name, make
from khlang.portal.attempts import ALLOWED, WITHIN_SECONDS, Attempts
from khlang.portal.guard import SESSION_SECONDS
from khlang.portal.words import WORDS

from .portal_site import Clerk, Site, site

__all__ = ["site"]
pytestmark = pytest.mark.stack


def test_a_passphrase_opens_the_facilitys_page_in_capitals_or_not_with_dashes_or_not(site: Site) -> None:
    passphrase = site.ledger.issue_pass("99001")
    assert re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{5}-){3}[0-9A-HJKMNP-TV-Z]{5}", passphrase)
    for typed in (passphrase, passphrase.lower().replace("-", " ")):
        clerk = site.clerk()
        assert clerk.sign_in("99001", typed).status_code == 303
        assert "99001" in clerk.get("/").text
    assert written("o-i l") == "011"


def test_only_a_hash_of_the_passphrase_is_kept(site: Site) -> None:
    passphrase = site.ledger.issue_pass("99001")
    with site.ledger.engine.connect() as connection:
        kept = str(connection.exec_driver_sql("select * from facility_pass").all())
    assert "$argon2id$" in kept and passphrase not in kept and written(passphrase) not in kept


def test_a_facility_that_the_registry_does_not_know_gets_no_passphrase(site: Site) -> None:
    for asked in (site.ledger.issue_pass, site.ledger.revoke_pass):
        with pytest.raises(SettingsError) as refused:
            asked("12345")
        assert refused.value.code == "facility.unknown"


def _answer(site: Site, code: str, passphrase: str) -> tuple[int, str, float]:
    """Status, page without its token, and seconds of a sign-in that fails."""
    clerk = site.clerk()
    clerk.fresh_token("/sign-in")
    began = time.perf_counter()
    answer = clerk.post("/sign-in", {"code": code, "passphrase": passphrase})
    seconds = time.perf_counter() - began
    return answer.status_code, re.sub(r'value="[^"]*"', "", answer.text), seconds


def test_a_wrong_code_and_a_wrong_passphrase_get_the_same_answer_after_the_same_time(site: Site) -> None:
    site.ledger.issue_pass("99002")
    site.ledger.issue_pass("99003")
    site.ledger.revoke_pass("99003")
    known = [_answer(site, "99002", "wrong") for _ in range(2)]
    others = [_answer(site, code, "wrong") for code in ("12345", "99003", "' or 1")]
    assert {each[0] for each in known + others} == {403}
    assert len({each[1] for each in known + others}) == 1 and WORDS["wrong"]["th"] in known[0][1]
    fastest = min(each[2] for each in others)
    assert fastest > 0.4 * min(each[2] for each in known), "an unknown code is answered sooner"


def test_after_some_failures_even_the_right_passphrase_has_to_wait_known_code_or_not(site: Site) -> None:
    attempts = site.app.state.attempts  # type: ignore[union-attr]
    passphrase = site.ledger.issue_pass("99003")
    for code in ("99003", "77777"):
        for _ in range(ALLOWED):
            attempts.begin(code)
        assert _answer(site, code, passphrase)[0] == 429
    attempts.succeeded("99003")
    assert site.clerk().sign_in("99003", passphrase).status_code == 303


def test_failures_are_counted_by_the_page_and_a_success_forgets_them(site: Site) -> None:
    attempts = site.app.state.attempts  # type: ignore[union-attr]
    passphrase = site.ledger.issue_pass("99002")
    attempts.succeeded("99002")
    for _ in range(ALLOWED - 2):
        attempts.begin("99002")
    assert _answer(site, "99002", "wrong")[0] == 403
    assert site.clerk().sign_in("99002", passphrase).status_code == 303
    assert _answer(site, "99002", "wrong")[0] == 403 and not attempts.too_many("99002")


def test_failures_are_forgotten_after_a_quarter_of_an_hour() -> None:
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    assert [attempts.begin("99001") for _ in range(ALLOWED + 1)] == [True] * ALLOWED + [False]
    assert attempts.begin("99002")
    now[0] = WITHIN_SECONDS - 1
    assert attempts.too_many("99001")
    now[0] = WITHIN_SECONDS + 1
    assert attempts.begin("99001")


def test_a_new_passphrase_and_a_revoked_one_end_the_sessions_of_the_one_before(site: Site) -> None:
    for end in (site.ledger.issue_pass, site.ledger.revoke_pass):
        clerk = site.clerk("99001")
        assert clerk.get("/", allow_redirects=False).status_code == 200
        end("99001")
        assert clerk.get("/", allow_redirects=False).headers["Location"] == "/sign-in"
        assert clerk.begin("F43_99001_20261101083000.zip", 10).status_code == 401


def test_a_copy_of_the_cookie_is_worth_nothing_after_sign_out(site: Site) -> None:
    clerk, thief = site.clerk("99001"), site.clerk()
    thief.session.cookies.update(clerk.session.cookies)
    assert thief.get("/", allow_redirects=False).status_code == 200
    assert clerk.post("/sign-out").status_code == 303
    assert clerk.get("/", allow_redirects=False).status_code == 303
    assert thief.get("/", allow_redirects=False).status_code == 303


def test_the_cookie_is_for_this_site_only_not_for_scripts_and_ends(site: Site) -> None:
    clerk = site.clerk()
    clerk.fresh_token("/sign-in")
    answer = clerk.post("/sign-in", {"code": "99001", "passphrase": site.ledger.issue_pass("99001")})
    words = answer.headers["Set-Cookie"].lower()
    assert "httponly" in words and "samesite=strict" in words and f"max-age={SESSION_SECONDS}" in words
    assert "secure" not in words
    tls = site.settings.model_copy(update={"front_door_tls": True})
    assert cookie_name(tls).startswith("__Host-")
    assert any(part.kwargs.get("https_only") for part in make(tls).user_middleware)


def test_a_forged_and_an_old_cookie_open_nothing(site: Site) -> None:
    clerk = site.clerk("99001")
    name = cookie_name(site.settings)
    body = clerk.session.cookies[name].strip('"').rsplit(".", 2)[0]

    class Yesterday(TimestampSigner):
        def get_timestamp(self) -> int:
            return super().get_timestamp() - SESSION_SECONDS - 5

    secret = Secrets.open(site.settings).front_door_session_secret
    old = Yesterday(secret).sign(body.encode()).decode()
    forged = TimestampSigner("another").sign(body.encode()).decode()
    right = TimestampSigner(secret).sign(body.encode()).decode()
    for cookie, status in ((right, 200), (old, 303), (forged, 303), (body, 303)):
        other = Clerk(site.base)
        other.session.cookies.set(name, cookie)
        assert other.get("/", allow_redirects=False).status_code == status


def test_signing_in_begins_a_session_with_another_token(site: Site) -> None:
    clerk = site.clerk()
    before = clerk.fresh_token("/sign-in")
    clerk.post("/sign-in", {"code": "99001", "passphrase": site.ledger.issue_pass("99001")})
    assert clerk.fresh_token() not in ("", before)


def test_who_signed_in_stands_in_the_audit(site: Site) -> None:
    site.clerk("99001")
    with site.ledger.engine.connect() as connection:
        last = connection.exec_driver_sql(
            "select actor, action, subject from audit order by id desc limit 1"
        ).one()
    assert tuple(last) == ("facility 99001", "sign-in", "99001")
