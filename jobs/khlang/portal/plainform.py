"""A zip from a plain form, straight into the landing zone: it never rests in a temporary folder."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from khlang.portal.guard import proved
from khlang.portal.upload import Upload
from khlang.portal.uploads import UNKNOWN_SIZE, Refused, Uploads, Writing

FIELD_BYTES = 1 << 10
HEADER_BYTES = 1 << 13


@dataclass(frozen=True, slots=True)
class Piece:
    """Something of a part: `name` of the field, `file` as the clerk's file is called, bytes, and whether it ends."""

    name: str
    file: str | None
    body: bytes
    ends: bool = False


class Form:
    """Bytes of a form -> pieces of its parts, in their order."""

    def __init__(self, content_type: str) -> None:
        """Raises Refused when it is no form with files."""
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or b"boundary" not in options:
            raise Refused("broken", 400)
        self._found: list[Piece] = []
        self._header: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        self._name = ""
        self._filename: str | None = None
        self.ended = False
        on: Any = {
            "on_part_begin": self._begin, "on_header_field": self._field, "on_header_value": self._value,
            "on_header_end": self._headed, "on_part_data": self._body, "on_part_end": self._end,
            "on_end": self._whole,
        }  # fmt: skip
        self._parser = MultipartParser(options[b"boundary"], on)

    def feed(self, body: bytes) -> list[Piece]:
        """What these bytes brought."""
        try:
            self._parser.write(body)
        except FormParserError:
            raise Refused("broken", 400) from None
        found, self._found = self._found, []
        return found

    def _begin(self) -> None:
        self._name, self._filename = "", None
        self._header = (bytearray(), bytearray())

    def _field(self, body: bytes, start: int, end: int) -> None:
        self._header[0].extend(body[start:end])
        self._bounded()

    def _value(self, body: bytes, start: int, end: int) -> None:
        self._header[1].extend(body[start:end])
        self._bounded()

    def _bounded(self) -> None:
        if sum(map(len, self._header)) > HEADER_BYTES:
            raise Refused("broken", 400)

    def _headed(self) -> None:
        field, value = (bytes(part) for part in self._header)
        self._header = (bytearray(), bytearray())
        if field.lower() == b"content-disposition":
            _, options = parse_options_header(value)
            self._name = options.get(b"name", b"").decode("utf-8", "replace")
            named = options.get(b"filename")
            self._filename = None if named is None else named.decode("utf-8", "replace")

    def _body(self, body: bytes, start: int, end: int) -> None:
        self._found.append(Piece(self._name, self._filename, body[start:end]))

    def _end(self) -> None:
        self._found.append(Piece(self._name, self._filename, b"", ends=True))

    def _whole(self) -> None:
        self.ended = True


async def receive(request: Request, hospcode: str, body: AsyncGenerator[bytes, None]) -> Upload:
    """The zip of a form, whole; raises Refused, and then nothing of it is left."""
    form, taking = Form(request.headers.get("content-type", "")), Taking(request, hospcode)
    try:
        async with aclosing(body):
            async for some in body:
                for piece in form.feed(some):
                    await run_in_threadpool(taking.take, piece)
        if not form.ended or taking.whole is None:
            raise Refused("broken", 400)
    except ClientDisconnect:
        await run_in_threadpool(taking.forget)
        raise Refused("broken", 400) from None
    except BaseException:
        await run_in_threadpool(taking.forget)
        raise
    return await run_in_threadpool(taking.keep)


class Taking:
    """The parts as they come: first the token, then one file."""

    def __init__(self, request: Request, hospcode: str) -> None:
        """Nothing has come yet."""
        self._request, self._hospcode = request, hospcode
        self._uploads: Uploads = request.app.state.uploads
        self._token = b""
        self._writing: Writing | None = None
        self.whole: bool | None = None

    def take(self, piece: Piece) -> None:
        """One piece; raises Refused before a byte of a file is written when the token is not the session's."""
        if piece.file is None:
            if piece.name == "token" and len(self._token) < FIELD_BYTES:
                self._token += piece.body
            return
        if self._writing is None:
            if not proved(self._request, self._token.decode("ascii", "replace")):
                raise Refused("token", 403)
            if piece.ends:
                raise Refused("empty", 400)
            name = piece.file.replace("\\", "/").rpartition("/")[2]
            upload = self._uploads.begin(self._hospcode, name, UNKNOWN_SIZE)
            self._writing = self._uploads.writer(upload, 0)
        if self.whole:
            raise Refused("broken", 400)
        self._writing.put(piece.body)
        self.whole = piece.ends or None

    def keep(self) -> Upload:
        """The form ended properly: the file is acknowledged."""
        if self._writing is None:
            raise Refused("broken", 400)
        return self._writing.acknowledge(ended=True)

    def forget(self) -> None:
        """Nothing of it is left."""
        if self._writing is not None:
            self._writing.give_up()
            self._uploads.drop(self._writing.upload)
