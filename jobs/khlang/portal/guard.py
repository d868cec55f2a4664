"""Who asks, and whether the page itself sent the request: sessions, tokens, and the headers of every answer."""

from __future__ import annotations

import hmac
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from functools import wraps

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from khlang.lake.ledger import Ledger
from khlang.portal.quiet import named
from khlang.portal.words import WORDS

SESSION_SECONDS = 8 * 3600

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
"""What every answer says to the browser: nothing from elsewhere, nothing inline, in nobody's frame."""

TLS_HEADER = ("Strict-Transport-Security", "max-age=31536000")

log = logging.getLogger("khlang.portal")

Asked = Callable[[Request, str], Awaitable[Response]]
"""What answers a request of a facility that is signed in."""


class Sessions:
    """Sessions as signed cookies: they end after eight hours, at sign-out, and when the passphrase changes."""

    def __init__(self, ledger: Ledger) -> None:
        """The ledger knows the passphrase in force."""
        self._ledger = ledger
        self._ended: dict[str, float] = {}

    def begin(self, request: Request, hospcode: str, version: int) -> None:
        """A new session, with nothing of the one before."""
        request.session.clear()
        own = {"facility": hospcode, "version": version, "id": secrets.token_hex(16)}
        request.session.update(own, token=secrets.token_urlsafe(24))

    def end(self, request: Request) -> None:
        """Sign out: the cookie is taken back, and a copy of it is worth nothing (while this process runs)."""
        now = time.monotonic()
        self._ended = {one: until for one, until in self._ended.items() if until > now}
        self._ended[str(request.session.get("id"))] = now + SESSION_SECONDS
        request.session.clear()

    def facility(self, request: Request) -> str | None:
        """The facility that is signed in; None when nobody is, or no longer."""
        hospcode, session = request.session.get("facility"), request.session
        if not isinstance(hospcode, str) or str(session.get("id")) in self._ended:
            return None
        return hospcode if self._ledger.pass_version(hospcode) == session.get("version") else None


def token(request: Request) -> str:
    """The token that the pages of this session carry, made when there is none."""
    if "token" not in request.session:
        request.session["token"] = secrets.token_urlsafe(24)
    return str(request.session["token"])


def proved(request: Request, given: str | None) -> bool:
    """Whether a request that changes something carries the session's token."""
    known = request.session.get("token")
    return bool(known and given) and hmac.compare_digest(str(known).encode(), str(given).encode())


def signed_in(answer: Asked) -> Callable[[Request], Awaitable[Response]]:
    """An answer for facilities only: others are shown to the sign-in page, programs are told 401."""

    @wraps(answer)
    async def _asked(request: Request) -> Response:
        hospcode = await run_in_threadpool(request.app.state.sessions.facility, request)
        if hospcode is not None:
            return await answer(request, hospcode)
        if request.method == "GET":
            return RedirectResponse("/sign-in", 303)
        return PlainTextResponse("signed_out", 401)

    return _asked


class Watch:
    """Around everything: headers on each answer, a quiet line in the log, a failure without its message."""

    def __init__(self, app: ASGIApp, tls: bool) -> None:
        """`tls`: browsers are told to come by https only."""
        self._app = app
        self._headers = {**HEADERS, **dict([TLS_HEADER] if tls else [])}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 0, time.perf_counter()

        async def _sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._app(scope, receive, _sent)
        except ClientDisconnect:
            status = status or 499
        except Exception as error:
            log.error("failed: %s", named(error))
            if not status:
                await PlainTextResponse(f"{WORDS['failed']['th']}\n{WORDS['failed']['en']}\n", 500)(
                    scope, receive, _sent
                )
        seconds = time.perf_counter() - began
        if _route(scope) in ("/health", "-") and status in (200, 304):
            return  # the stack's own question, and files of the page
        log.info("%s %s %d %.3f s", _verb(scope), _route(scope), status, seconds)


def _verb(scope: Scope) -> str:
    known = ("GET", "HEAD", "POST", "PATCH", "DELETE")
    return scope["method"] if scope["method"] in known else "other"


def _route(scope: Scope) -> str:
    """The route as it is declared, never the address as it was typed: that may hold anything."""
    return str(scope.get("state", {}).get("route") or "-")
