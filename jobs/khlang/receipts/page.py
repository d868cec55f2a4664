"""Receipts as pages: one file that holds all it needs, for the browser, the printer and the shelf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from khlang.model.bangkok import in_bangkok, in_thai
from khlang.model.faults import effects
from khlang.receipts.view import Heading, View
from khlang.receipts.words import DRY, STATES, TONES, WORDS

if TYPE_CHECKING:
    from khlang.lake.ledger import SentZip
    from khlang.model.facility import Facility

COUNTS = ("delivered", "accepted", "refused", "repaired")

EFFECT_TONES = {
    "reject": "bad", "skip": "bad", "refuse": "bad", "void": "mild", "flag": "mild", "repair": "good",
}  # fmt: skip
"""Effect of a fault -> the tone of its code."""


def sheet() -> str:
    """The style sheet that all pages share."""
    return (files(__package__) / "pages" / "receipt.css").read_text("utf-8")


def environment(*more: PackageLoader) -> Environment:
    """Templates of this package, and `more`: everything that is put in is escaped, a missing name is an error."""
    from jinja2 import ChoiceLoader

    loader = ChoiceLoader([*more, PackageLoader(__package__, "pages")])
    made = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters |= {"in_thai": in_thai, "in_bangkok": in_bangkok}
    made.globals["w"] = WORDS
    return made


@cache
def _own() -> Environment:
    return environment()


def shown(view: View, heading: Heading) -> dict[str, Any]:
    """What the template of a receipt is given; a receipt without a number is a check that delivered nothing."""
    part, words = ("state", STATES) if heading.number else ("dry", DRY)
    return {
        "view": view, "heading": heading, "state": words[view.state], "tone": TONES[part][view.state],
        "effects": effects(), "effect_tones": EFFECT_TONES, "counts": COUNTS,
    }  # fmt: skip


def listed(sents: Sequence[SentZip], linked: bool) -> dict[str, Any]:
    """What the template of a list is given; `linked`: each number leads to its receipt."""
    return {"sents": sents, "linked": linked, "states": STATES, "tones": TONES["state"]}


def receipt_page(view: View, heading: Heading) -> str:
    """A receipt as one HTML file: no script, no address, its styles inside."""
    title = f"{WORDS['receipt']['th']} {heading.number}" if heading.number else WORDS["check"]["th"]
    return _page("receipt_body.html", title, shown(view, heading))


def list_page(facility: str, of: Facility | None, sents: Sequence[SentZip]) -> str:
    """The deliveries of a facility as one HTML file."""
    given = {"facility": facility, "facility_name": of.name if of else ""}
    return _page("list.html", f"{WORDS['receipts']['th']} {facility}", {**listed(sents, False), **given})


def _page(body: str, title: str, given: Mapping[str, Any]) -> str:
    own = Markup(sheet())  # our own file: quotes in it are not to be escaped
    return _own().get_template("page.html").render(body=body, title=title, sheet=own, **given)
