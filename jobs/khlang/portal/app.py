"""The page as one application: what answers which address, and what runs beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from khlang.lake.keys import KeyStore
from khlang.lake.ledger import Ledger
from khlang.lake.secrets import Secrets
from khlang.portal import entry, receipts, transfer
from khlang.portal.attempts import Attempts
from khlang.portal.guard import SESSION_SECONDS, Sessions, Watch
from khlang.portal.intake import Intake
from khlang.portal.pages import home, missing, upload_page
from khlang.portal.uploads import Uploads
from khlang.receipts.page import sheet
from khlang.settings import Settings

STATIC = Path(__file__).with_name("static")


def make(settings: Settings) -> Starlette:
    """The application over one lake; its background work starts and ends with it."""
    KeyStore.open(settings)  # a page that could not seal what it is sent does not open
    app = Starlette(
        routes=_routes(),
        middleware=[
            Middleware(Watch, tls=settings.front_door_tls),
            Middleware(
                SessionMiddleware,
                secret_key=Secrets.create(settings).front_door_session_secret,
                session_cookie=cookie_name(settings),
                max_age=SESSION_SECONDS,
                same_site="strict",
                https_only=settings.front_door_tls,
            ),
        ],
        exception_handlers={404: missing, 405: missing},
        lifespan=_lifespan,
    )
    app.state.settings = settings
    app.state.ledger = Ledger.open(settings)
    app.state.sessions = Sessions(app.state.ledger)
    app.state.attempts = Attempts()
    app.state.uploads = Uploads(settings)
    app.state.intake = Intake(settings, app.state.ledger, app.state.uploads)
    return app


def cookie_name(settings: Settings) -> str:
    """A cookie knows no port: two stacks on one machine must not sign each other out."""
    return "__Host-khlang" if settings.front_door_tls else f"khlang_{settings.base_port}_front_door"


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    """Take the uploads over, settle what was left, give back at the end."""
    app.state.uploads.take_over()
    try:
        await run_in_threadpool(app.state.intake.start)
        yield
    finally:
        app.state.intake.stop()
        app.state.uploads.give_back()
        app.state.ledger.close()


def _routes() -> list[Route | Mount]:
    return [
        _route("/", home),
        _route("/sign-in", entry.sign_in, "GET", "POST"),
        _route("/sign-out", entry.sign_out, "POST"),
        _route("/send", transfer.send, "POST"),
        _route("/uploads", transfer.begin, "POST"),
        _route("/uploads/{number}", _by_method, "GET", "HEAD", "PATCH", "DELETE"),
        _route("/uploads/{number}/cancel", transfer.cancel, "POST"),
        _route("/receipts/{number}", receipts.receipt),
        _route("/receipts/{number}/json", receipts.as_json),
        _route("/receipts/{number}/page", receipts.as_page),
        _route("/health", health),
        _route("/static/receipt.css", _sheet),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]


def _route(path: str, answer: Callable[[Request], object], *methods: str) -> Route:
    """A route that tells the log how it is declared."""

    async def _told(request: Request) -> Response:
        request.state.route = path
        return await answer(request)  # type: ignore[misc, no-any-return]

    return Route(path, _told, methods=list(methods or ("GET",)))


async def _by_method(request: Request) -> Response:
    """One upload: looked at, asked for its offset, carried on, given up."""
    answers = {"PATCH": transfer.carry_on, "HEAD": transfer.offset, "DELETE": transfer.give_up}
    return await answers.get(request.method, upload_page)(request)


async def health(request: Request) -> Response:
    """Well when the ledger answers and somebody hands over."""

    def _asked() -> bool:
        request.app.state.ledger.pass_version("00000")
        return bool(request.app.state.intake.alive)

    well = await run_in_threadpool(_asked)
    return JSONResponse({"well": well}, 200 if well else 503)


async def _sheet(request: Request) -> Response:
    """The style sheet that receipts as files hold too."""
    return Response(sheet(), media_type="text/css", headers={"Cache-Control": "max-age=3600"})
