"""Signing in and out: the facility's code and its passphrase, the same answer for whatever is wrong."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from khlang.portal.guard import proved, signed_in, token
from khlang.portal.pages import render
from khlang.portal.upload import HOSPCODE

FORM_BYTES = 1 << 14
AT_ONCE = asyncio.Semaphore(2)
"""Passphrases that are looked at side by side: each takes 64 MiB and a tenth of a second."""


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a small form; one that is too large is an empty one."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > FORM_BYTES:
            return {}
    return dict(parse_qsl(body.decode("utf-8", "replace")))


async def sign_in(request: Request) -> Response:
    """The sign-in page, and what is sent from it."""
    if request.method == "GET":
        return _page(request)
    form = await form_of(request)
    if not proved(request, form.get("token")):
        return _page(request, "token", 403)
    state, hospcode = request.app.state, form.get("code", "").strip()
    named = hospcode if HOSPCODE.fullmatch(hospcode) else "-"
    if not state.attempts.begin(named):
        return _page(request, "too_often", 429)
    async with AT_ONCE:
        version = await run_in_threadpool(state.ledger.opens, named, form.get("passphrase", ""))
    if version is None:
        return _page(request, "wrong", 403)
    state.attempts.succeeded(named)
    state.sessions.begin(request, named, version)
    await run_in_threadpool(state.ledger.audit, f"facility {named}", "sign-in", named)
    return RedirectResponse("/", 303)


@signed_in
async def sign_out(request: Request, hospcode: str) -> Response:
    """End the session."""
    if not proved(request, (await form_of(request)).get("token")):
        return PlainTextResponse("token", 403)
    request.app.state.sessions.end(request)
    return RedirectResponse("/sign-in", 303)


def _page(request: Request, wrong: str = "", status: int = 200) -> Response:
    return render(request, "sign_in.html", status, token=token(request), wrong=wrong)
