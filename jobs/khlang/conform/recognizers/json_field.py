"""Values of JSON fields whose name is that of an identifying column of the standard."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import regex

from khlang.conform.text.recogniser import Recogniser, matches, rule
from khlang.conform.text.spans import Span
from khlang.model.contract import contracts

_IDENTIFYING = frozenset({"direct_person", "direct_local", "name", "contact", "address", "staff"})
_KINDS = {
    "direct_person": "CID",
    "direct_local": "ID",
    "name": "NAME",
    "contact": "PHONE",
    "address": "ADDRESS",
    "staff": "ID",
}


@cache
def _columns() -> dict[str, str]:
    """Column name in lower case -> its privacy class, for identifying columns of any file."""
    found: dict[str, str] = {}
    for contract in contracts().values():
        found |= {c.name.lower(): c.privacy for c in contract.columns if c.privacy in _IDENTIFYING}
    return found | {"fname": "name", "firstname": "name", "lastname": "name", "fullname": "name", "tel": "contact",
                    "phone": "contact", "email": "contact", "addr": "address"}  # fmt: skip


@cache
def _field() -> regex.Pattern[str]:
    """A field of that name with its value, quoted or not."""
    names = "|".join(sorted(_columns(), key=len, reverse=True))
    return rule(
        rf"""["'\\]+(?P<name>{names})["'\\]+[ ]*:[ ]*(?:["'\\]+(?P<text>[^"'\\]+)|(?P<number>[0-9][0-9.\-]*))"""
    )


class JsonField(Recogniser):
    """DATA_CORRECT and POLICY carry rows as JSON: a value there is what its column is."""

    kind = "ID"
    trigger = r"[\"'\\] *: *[\"'\\\d]"

    def find(self, text: str) -> Iterator[Span]:
        """Values under identifying names."""
        for found in matches(_field(), text):
            part = "text" if found["text"] else "number"
            start, end = found.span(part)
            yield Span(start, end, _KINDS[_columns()[found["name"].lower()]], 0.95)
