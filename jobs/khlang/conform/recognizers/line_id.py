"""LINE ids and names on other social networks."""

from __future__ import annotations

from collections.abc import Iterator

from khlang.conform.text.recogniser import Recogniser, matches, rule
from khlang.conform.text.spans import Span

_HANDLE = r"@?[a-z0-9](?:[a-z0-9._\-]*[a-z0-9_])?"
_LABELLED = rule(
    r"(?:ไลน์?|(?<![a-z])line)[ ]{0,3}(?:ไอดี|id|@)?"
    r"(?:[ ]?(?:คือ|ของ(?:ญาติ|ผู้ป่วย|แม่|ลูก|บุตร)|ชื่อ))?[ ]{0,3}[:=.]?[ ]{0,3}(?P<handle>@?[a-z0-9._\-]{2,})"
)
_OWN_LABEL = rule(r"(?:ไลน์?|(?<![a-z])line)[ ]{0,3}(?:ไอดี|id|@|[:=])|ไลน")
_LOOSE = rule(r"(?<![a-z0-9._%+\-])@[a-z0-9][a-z0-9._\-]{2,}")
_SOCIAL = rule(
    r"(?:เฟซ(?:บุ๊[กค])?|เฟส(?:บุ๊[กค])?|อินสตาแกรม|ไอจี|วีแชท|แชต|แชท|เพจ|ติ๊กต็?อก|(?<![a-z])(?:facebook|fb|ig|instagram|tiktok|wechat|telegram|twitter)(?![a-z]))"
    rf"(?P<label>[ ]{{0,3}}(?:ชื่อ|id|ไอดี)?[ ]{{0,3}}[:=@.]?)[ ]{{0,3}}(?P<handle>{_HANDLE})"
)


class LineId(Recogniser):
    """A labelled handle. An intravenous line is none: without ไอดี, id or a colon it needs letters and digits."""

    kind = "LINE"
    trigger = (
        r"line|ไลน|@[a-z0-9]|เฟซ|เฟส|อินสตา|ไอจี|แชต|แชท|เพจ|ติ๊ก"
        r"|facebook|fb|ig|instagram|tiktok|wechat|telegram|twitter"
    )

    def find(self, text: str) -> Iterator[Span]:
        """Handles behind a label, and any handle that begins with @."""
        for found in matches(_LABELLED, text):
            handle = found["handle"]
            if _OWN_LABEL.match(found[0]) or self._mixed(handle):
                yield self.span(found.span("handle"), 0.8)
        for found in matches(_SOCIAL, text):
            if found["label"].strip() or self._mixed(found["handle"]):
                yield self.span(found.span("handle"), 0.7)
        for found in matches(_LOOSE, text):
            yield self.span(found.span(), 0.7)

    @staticmethod
    def _mixed(handle: str) -> bool:
        """Whether it looks made up for a network: a mark, or letters with digits behind."""
        lettered = any(char.isalpha() for char in handle)
        marked = handle.startswith("@") or "_" in handle
        return len(handle) > 3 and lettered and (marked or handle[-2:].isdigit())
