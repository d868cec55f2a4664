"""A member of any size -> its text in pieces of whole lines: read twice, never held whole."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from khlang.conform.decode import LONGEST_LINE, Plain, unreadable_lines, utf8_by_line

PIECE_BYTES = 16 << 20
"""Text that is conformed at once; members of more bytes than this are read in pieces."""

Read = Callable[[], Iterator[bytes]]
"""Gives a member's bytes from their beginning, in chunks; called anew for each pass."""

Encoding = Literal["utf-8", "cp874", "utf-16", "lines"]

_MARK = codecs.BOM_UTF8
_MARKS16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CP874 = bytes(n for n in range(256) if bytes([n]).decode("cp874", errors="ignore"))


class Survey:
    """What the first pass finds: the encoding of the whole member (exact rules, 4) and its line ends.

    `marked`: a byte-order mark of UTF-8 stands first; `visible`: there is anything but blanks.
    """

    def __init__(self) -> None:
        """Nothing was read yet."""
        self.marked = self.visible = False
        self._begun = self._feeds = self._returns = self._held = False
        self._cp874 = True
        self._utf8: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()
        self._utf16: codecs.IncrementalDecoder | None = None

    @classmethod
    def of(cls, chunks: Iterable[bytes]) -> Survey:
        """Read a member to its end."""
        survey = cls()
        for chunk in chunks:
            survey._add(chunk)
        survey._end()
        return survey

    @property
    def encoding(self) -> Encoding:
        """How the bytes are to be read; `lines`: UTF-8, but for lines that are not."""
        if self._utf16 is not None:
            return "utf-16"
        if self._utf8 is not None:
            return "utf-8"
        return "cp874" if self._cp874 and not self.marked else "lines"

    @property
    def repaired(self) -> bool:
        """Whether the member is not plain UTF-8 (file.encoding)."""
        return self.marked or self.encoding in ("utf-16", "cp874")

    @property
    def only_returns(self) -> bool:
        """Whether carriage returns are its line ends."""
        return self._returns and not self._feeds

    def _add(self, chunk: bytes) -> None:
        if not self._begun:
            self._begun, self.marked = True, chunk.startswith(_MARK)
            if chunk[:2] in _MARKS16:
                self._utf16 = codecs.getincrementaldecoder("utf-16")("replace")
        self.visible = self.visible or bool(chunk.strip())
        if self._utf16 is not None:
            self._ends(self._utf16.decode(chunk).encode("utf-8"))
            return
        self._ends(chunk)
        if self._utf8 is not None and (self._held or not chunk.isascii()):
            try:
                self._utf8.decode(chunk)
                self._held = bool(self._utf8.getstate()[0])
            except UnicodeDecodeError:
                self._utf8 = None
        self._cp874 = self._cp874 and (chunk.isascii() or not chunk.translate(None, _CP874))

    def _end(self) -> None:
        if self._held and self._utf8 is not None:
            self._utf8 = None  # a character was cut short

    def _ends(self, text: bytes) -> None:
        self._feeds = self._feeds or b"\n" in text
        self._returns = self._returns or b"\r" in text


def _utf8(chunks: Iterator[bytes], survey: Survey) -> Iterator[bytes]:
    """The member as UTF-8 without its mark; bytes that are no UTF-8 only where the encoding is `lines`."""
    if survey.encoding == "utf-16":
        decoder = codecs.getincrementaldecoder("utf-16")("replace")
        for chunk in chunks:
            yield decoder.decode(chunk).encode("utf-8")
        yield decoder.decode(b"", True).encode("utf-8")
        return
    first = next(chunks, b"")
    yield _plain(first.removeprefix(_MARK), survey)
    for chunk in chunks:
        yield _plain(chunk, survey)


def _plain(chunk: bytes, survey: Survey) -> bytes:
    return chunk.decode("cp874").encode("utf-8") if survey.encoding == "cp874" else chunk


def _whole_lines(texts: Iterator[bytes], most: int) -> Iterator[bytes]:
    """Pieces of about `most` bytes that end with a line; of a line that is too long only its beginning stays."""
    kept = LONGEST_LINE + 2  # one byte too long even when a carriage return is the last one
    held, begun, dropping = bytearray(), 0, False
    for text in texts:
        start = 0
        if dropping:
            start = text.find(b"\n")
            if start < 0:
                continue
            dropping = False
        looked = len(held)
        held += memoryview(text)[start:]
        feed = held.rfind(b"\n", looked)
        begun = feed + 1 if feed >= 0 else begun
        if len(held) - begun > kept:
            del held[begun + kept :]
            dropping = True
        if begun >= most:
            yield bytes(held[:begun])
            del held[:begun]
            begun = 0
    if held:
        yield bytes(held)


def pieces(read: Read, survey: Survey, most: int = PIECE_BYTES) -> Iterator[Plain]:
    """The member's text as `decode.plain` gives it, in pieces; `failing` counts from each piece's first line.

    Memory: a piece and the longest line, whatever the member's size.
    """
    texts = _utf8(read(), survey)
    if survey.only_returns:
        texts = (text.replace(b"\r", b"\n") for text in texts)
    for text in _whole_lines(texts, most):
        ended = text.replace(b"\r\n", b"\n").removesuffix(b"\r")
        failing: tuple[int, ...] = ()
        if survey.encoding == "lines":
            ended, failing = utf8_by_line(ended)
        elif survey.encoding == "utf-16":
            ended, failing = unreadable_lines(ended)
        yield Plain(ended, survey.repaired, failing)
