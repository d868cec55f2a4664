"""The pages: home with the facility's own deliveries, one upload and what came of it, what is not there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from khlang.conform.naming import zip_name
from khlang.lake.ledger import Ledger
from khlang.portal.guard import signed_in, token
from khlang.portal.upload import Upload
from khlang.portal.words import REFUSED, SENDING, WORDS
from khlang.receipts.page import environment, listed, shown
from khlang.receipts.view import Heading, View, view_from

PER_PAGE = 30
PIECE_BYTES = 4 << 20
"""Bytes of one PATCH of the browser."""


@cache
def _templates() -> Environment:
    made = environment(PackageLoader("khlang.portal", "pages"))
    made.globals |= {"p": WORDS, "refused": REFUSED, "sending": SENDING}
    made.filters |= {"size": size, "own_name": own_name}
    return made


def size(count: int) -> str:
    """`12.3 MB`."""
    for unit, step in (("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10)):
        if count >= step:
            return f"{count / step:.1f} {unit}"
    return f"{count} B"


def own_name(upload: Upload) -> str:
    """The name of an upload if it is of the agreed form; any other may itself hold an identifier."""
    return upload.name if zip_name(upload.name) else ""


def render(request: Request, template: str, /, status: int = 200, **given: Any) -> Response:
    """A page of ours."""
    given.setdefault("facility", None)
    return HTMLResponse(_templates().get_template(template).render(**given), status)


@signed_in
async def home(request: Request, hospcode: str) -> Response:
    """Send a zip; what is under way; what was sent, newest first."""
    number = request.query_params.get("page", "1")
    page = min(int(number), 10_000) if number.isascii() and number.isdigit() and int(number) else 1
    state = request.app.state

    def _read() -> dict[str, Any]:
        sents = state.ledger.sent_by(hospcode, PER_PAGE + 1, (page - 1) * PER_PAGE)
        uploads = [each for each in state.uploads.of(hospcode) if not each.done]
        return {
            "facility": hospcode,
            "facility_name": name_of(state.ledger, hospcode),
            "uploads": uploads,
            "page": page,
            "more": len(sents) > PER_PAGE,
            "piece": PIECE_BYTES,
            "most": state.settings.upload_max_bytes,
            **listed(sents[:PER_PAGE], linked=True),
        }

    return render(request, "home.html", token=token(request), **await run_in_threadpool(_read))


@signed_in
async def upload_page(request: Request, hospcode: str) -> Response:
    """What became of an upload: until all is known the page asks again by itself."""
    state = request.app.state
    upload: Upload | None = await run_in_threadpool(
        state.uploads.find, hospcode, request.path_params["number"]
    )
    if upload is None:
        return await missing(request)
    if upload.done:
        return RedirectResponse(f"/receipts/{upload.receipt}", 303)
    given: dict[str, Any] = {"upload": upload, "facility": hospcode, "token": token(request)}
    if upload.check is not None:
        facility_name = await run_in_threadpool(name_of, state.ledger, hospcode)
        view = first_look(upload)
        given |= shown(view, Heading("", facility_name))
        given |= {"state": WORDS["waiting"], "tone": "bad" if view.state == "rejected" else "wait"}
    answer = render(request, "upload.html", **given)
    if upload.state != "coming":
        answer.headers["Refresh"] = "2" if upload.check is None else "5"
    return answer


def first_look(upload: Upload) -> View:
    """What the check on arrival found."""
    kept: Mapping[str, Any] = upload.check or {}
    return view_from(kept)


def with_first_look(view: View, uploads: list[Upload], receipt: str) -> View:
    """A delivery that waits to be loaded shows what the check on arrival found."""
    found = next((each for each in uploads if each.receipt == receipt and each.check is not None), None)
    if found is None or view.state != "checked":
        return view
    looked = first_look(found)
    return view if looked.code else replace(looked, zip=view.zip, facility=view.facility, state=view.state)


def name_of(ledger: Ledger, hospcode: str) -> str:
    """The facility's name in the registry."""
    found = ledger.registered([hospcode]).get(hospcode)
    return found.name if found else ""


async def missing(request: Request, _: Exception | None = None) -> Response:
    """There is no such page, or it is not this facility's: the answer is the same."""
    if request.method == "GET":
        return render(request, "missing.html", 404)
    return PlainTextResponse("", 404)


def refused_page(request: Request, reason: str, status: int) -> Response:
    """Why a plain form was refused."""
    return render(request, "refused.html", status, reason=reason)
