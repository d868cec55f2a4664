"""Bytes of zips from the browser: begun, carried on from any offset, acknowledged when they are on the disk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from khlang.portal.entry import form_of
from khlang.portal.guard import proved, signed_in
from khlang.portal.pages import refused_page
from khlang.portal.plainform import receive
from khlang.portal.upload import Upload
from khlang.portal.uploads import Refused, Uploads, Writing

IDLE_SECONDS = 60.0
"""A connection that brings nothing for so long is given up: the browser goes on with another."""

PIECE = 1 << 20
"""Bytes that are written at once."""


class Turn:
    """One request's turn at an upload: a newer one takes its place, for the older one is of a lost connection."""

    def __init__(self) -> None:
        """It begins now."""
        self.over, self.left = asyncio.Event(), asyncio.Event()


_turns: dict[str, Turn] = {}
"""Upload -> whose turn it is."""


@signed_in
async def begin(request: Request, hospcode: str) -> Response:
    """A new upload: its name and size; the answer says under which number it goes on."""
    if not proved(request, request.headers.get("x-token")):
        return refused(Refused("token", 403))
    try:
        asked = json.loads(await _small(request))
        name, size = str(asked["name"]), int(asked["size"])
        upload = await run_in_threadpool(request.app.state.uploads.begin, hospcode, name, size)
    except Refused as error:
        return refused(error)
    except (ValueError, KeyError, TypeError):
        return refused(Refused("empty", 400))
    place = f"/uploads/{upload.id}"
    return JSONResponse({"id": upload.id, "offset": 0}, 201, {"Location": place, "Upload-Offset": "0"})


@signed_in
async def offset(request: Request, hospcode: str) -> Response:
    """How far an upload has come."""
    upload = await _found(request, hospcode)
    if upload is None:
        return Response(status_code=404)
    told = {"Upload-Offset": str(upload.offset), "Upload-Length": str(upload.size)}
    return Response(status_code=200, headers=told)


@signed_in
async def carry_on(request: Request, hospcode: str) -> Response:
    """More bytes of an upload, from the offset that the request names."""
    if not proved(request, request.headers.get("x-token")):
        return refused(Refused("token", 403))
    upload = await _found(request, hospcode)
    if upload is None:
        return refused(Refused("gone", 404))
    turn = await _next_turn(upload.id)
    try:
        moved = await _write(request, hospcode, upload.id, turn)
    except Refused as error:
        return refused(error)
    finally:
        turn.left.set()
        if _turns.get(upload.id) is turn:
            del _turns[upload.id]
    return Response(status_code=204, headers={"Upload-Offset": str(moved.offset)})


@signed_in
async def give_up(request: Request, hospcode: str) -> Response:
    """An upload that is not whole is forgotten."""
    if not proved(request, request.headers.get("x-token")):
        return refused(Refused("token", 403))
    dropped = await _dropped(request, hospcode)
    return Response(status_code=204) if dropped else refused(Refused("gone", 404))


@signed_in
async def cancel(request: Request, hospcode: str) -> Response:
    """The same from a plain form."""
    if not proved(request, (await form_of(request)).get("token")):
        return PlainTextResponse("token", 403)
    await _dropped(request, hospcode)
    return RedirectResponse("/", 303)


@signed_in
async def send(request: Request, hospcode: str) -> Response:
    """A whole zip from a plain form: for browsers without scripts; it can not be carried on."""
    try:
        upload = await receive(request, hospcode, pieces(request, asyncio.Event()))
    except Refused as error:
        return refused_page(request, error.reason, error.status)
    await run_in_threadpool(request.app.state.intake.took, upload)
    return RedirectResponse(f"/uploads/{upload.id}", 303)


def refused(error: Refused) -> Response:
    """Why not, by its code: the browser has the words."""
    return JSONResponse({"refused": error.reason}, error.status)


async def _found(request: Request, hospcode: str) -> Upload | None:
    found: Upload | None = await run_in_threadpool(
        request.app.state.uploads.find, hospcode, request.path_params["number"]
    )
    return found


async def _dropped(request: Request, hospcode: str) -> bool:
    """Whether there was one to forget: what is whole belongs to the lake."""
    upload = await _found(request, hospcode)
    if upload is None or upload.state != "coming":
        return False
    (await _next_turn(upload.id)).left.set()
    await run_in_threadpool(request.app.state.uploads.drop, upload)
    return True


async def _next_turn(number: str) -> Turn:
    """Whoever still writes this upload stops, with what has come so far acknowledged; then it is our turn."""
    turn = Turn()
    older, _turns[number] = _turns.get(number), turn
    if older is not None:
        older.over.set()
        await older.left.wait()
    return turn


async def _write(request: Request, hospcode: str, number: str, turn: Turn) -> Upload:
    """Write what comes; when the connection is lost, what came is kept and acknowledged all the same."""
    uploads: Uploads = request.app.state.uploads
    upload = await run_in_threadpool(uploads.find, hospcode, number)
    if upload is None:
        raise Refused("gone", 404)
    given = request.headers.get("upload-offset", "")
    at = int(given) if given.isascii() and given.isdigit() else -1
    writing = await run_in_threadpool(uploads.writer, upload, at)
    lost: BaseException | None = None
    try:
        async with aclosing(pieces(request, turn.over)) as coming:
            async for piece in coming:
                await run_in_threadpool(writing.put, piece)
    except ClientDisconnect as gone:
        lost = gone
    except BaseException:
        writing.give_up()
        raise
    moved = await run_in_threadpool(_acknowledged, request, writing)
    if lost is not None:
        raise lost
    return moved


def _acknowledged(request: Request, writing: Writing) -> Upload:
    moved = writing.acknowledge()
    if moved.state == "whole":
        request.app.state.intake.took(moved)
    return moved


async def pieces(request: Request, over: asyncio.Event) -> AsyncGenerator[bytes, None]:
    """The body in pieces worth a write; raises ClientDisconnect when nothing comes for long, or when it is over."""
    kept, stream, ending = bytearray(), request.stream(), asyncio.ensure_future(over.wait())
    try:
        while True:
            coming = asyncio.ensure_future(anext(stream, b""))
            await asyncio.wait({coming, ending}, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                coming.cancel()
                await asyncio.wait({coming})
                break
            if coming.exception() is not None:
                break
            kept += coming.result()
            if not coming.result():
                if kept:
                    yield bytes(kept)
                return
            if len(kept) >= PIECE:
                yield bytes(kept)
                kept.clear()
        if kept:
            yield bytes(kept)
        raise ClientDisconnect
    finally:
        ending.cancel()


async def _small(request: Request) -> bytes:
    body = b""
    with suppress(ClientDisconnect):
        async for piece in request.stream():
            body += piece
            if len(body) > 1 << 14:
                raise ValueError("too long")
    return body
