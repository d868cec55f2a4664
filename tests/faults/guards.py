"""One guard of the door or of bronze taken out, then the command as usual: `python guards.py GUARD run bronze`.

Patches of a process of the tests; nothing in the project can take a guard out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl

from khlang import __main__ as command
from khlang.conform import rows, unpack
from khlang.conform.actions import drop, keep, pseudonym, scrub
from khlang.conform.recognizers import cid, email, phone
from khlang.conform.text import deny, engine
from khlang.conform.text import scrub as text_scrub
from khlang.landing import door
from khlang.model.contract import Column


def _nothing(*_: Any) -> tuple[()]:
    return ()


def _quiet(kept: Callable[..., pl.DataFrame]) -> Callable[..., pl.DataFrame]:
    return lambda *given: kept(*given).clear()


def _delivery(change: Callable[[Any, Any], Any]) -> None:
    """The ledger's row of a zip, changed by what the zip is called."""
    before = door.Door._delivery
    door.Door._delivery = lambda self, found, at: change(before(self, found, at), found.offer.name)  # type: ignore[method-assign]


def _pseudonym() -> None:
    pseudonym.apply = keep.apply


def _drop() -> None:
    drop.apply = keep.apply


def _scrub() -> None:
    scrub.apply = keep.apply


def _deny() -> None:
    deny.own_hits = _quiet(deny.own_hits)
    deny.facility_hits = _quiet(deny.facility_hits)


def _cid() -> None:
    cid.Cid.find = _nothing  # type: ignore[assignment,method-assign]


def _phone() -> None:
    phone.Phone.find = _nothing  # type: ignore[assignment,method-assign]


def _email() -> None:
    email.Email.find = _nothing  # type: ignore[assignment,method-assign]


def _withhold() -> None:
    text_scrub._unknown = lambda of, names, with_patient: pl.Series([False]).new_from_index(0, of.height)


def _member_name() -> None:
    unpack.shown = lambda name, position: name


def _zip_name() -> None:
    _delivery(lambda delivery, name: replace(delivery, name=name))


def _width() -> None:
    before = rows._broken_rows

    def _with_text(parsed: Any, schema: Any) -> pl.DataFrame:
        lines = [sheet.member.body.decode("utf-8", "replace").split("\n") for sheet in parsed.sheets]
        texts = [lines[sheet][line - 1] for sheet, line, _ in parsed.broken]
        column = next(name for name, kind in schema.items() if kind == pl.String and name != "hospcode")
        return before(parsed, schema).with_columns(pl.Series(column, texts, dtype=pl.String))

    rows._broken_rows = _with_text


def _forms() -> None:
    Column.shape = property(lambda self: None)  # type: ignore[method-assign,assignment]


def _message() -> None:
    before = engine.Engine.places

    def _telling(self: Any, text: str, wanted: Any, seconds: float) -> Any:
        engine._LOG.warning("a text is looked at: %s", text)
        return before(self, text, wanted, seconds)

    engine.Engine.places = _telling  # type: ignore[method-assign]


GUARDS: dict[str, Callable[[], None]] = {
    "none": lambda: None,
    "ids become pseudonyms": _pseudonym,
    "names and contacts are dropped": _drop,
    "texts are scrubbed": _scrub,
    "names that the facility told are denied": _deny,
    "citizen ids are recognised": _cid,
    "phones are recognised": _phone,
    "mail addresses are recognised": _email,
    "texts of unknown patients are withheld": _withhold,
    "strange names of members are not shown": _member_name,
    "strange names of zips are not shown": _zip_name,
    "broken rows keep no value": _width,
    "codes have their form": _forms,
    "log lines quote nothing": _message,
}
"""What holds, and how it is taken away."""

if __name__ == "__main__":
    GUARDS[sys.argv.pop(1)]()
    command.main()
