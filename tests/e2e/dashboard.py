"""A planner's visit to the dashboard in a headless browser: what the page said, drew and asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, Response

from bench.page import CHARTS, PAGE, PATIENCE, SETTLED, browser_page, sign_in

__all__ = ["CHARTS", "Visit", "look"]

MISSING_GLYPHS = """text => {
  const drawn = letter => { const c = document.createElement('canvas'); c.width = c.height = 48;
    const p = c.getContext('2d'); p.font = '32px ' + getComputedStyle(document.body).fontFamily;
    p.fillText(letter, 8, 36); return c.toDataURL(); };
  const none = drawn('\\u{10FFFD}');
  return [...new Set(text)].filter(letter => letter.trim() && drawn(letter) === none); }"""
"""Letters that the page's own fonts draw as they draw a letter that no font has."""


@dataclass(slots=True)
class Visit:
    """What was seen: answers of the charts by name, the page's text, other hosts that answered, the picture."""

    answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    bodies: list[str] = field(default_factory=list)
    text: str = ""
    missing_glyphs: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    coloured: int = 0
    grey: int = 0
    picture: Path = Path()


def look(address: str, user: str, password: str, folder: Path) -> Visit:
    """Sign in, open the page, wait until every chart is drawn, take its picture into the folder."""
    with browser_page() as page:
        visit = Visit()
        answers: list[Response] = []
        page.on("response", lambda answer: answers.append(answer))
        sign_in(page, address, user, password)
        page.goto(address + PAGE)
        page.wait_for_function(SETTLED, arg=CHARTS, timeout=PATIENCE)
        page.wait_for_timeout(1500)  # bars grow into place
        _read(page, visit)
        visit.picture = folder / "dashboard.png"
        page.screenshot(path=visit.picture, full_page=True)
        names = page.evaluate(
            "Object.fromEntries([...document.querySelectorAll('[data-test-chart-id]')]"
            ".map(e => [e.dataset.testChartId, e.dataset.testChartName]))"
        )
        for answer in answers:
            _keep(visit, answer, address, names)
    return visit


def _read(page: Page, visit: Visit) -> None:
    visit.text = page.inner_text("body")
    visit.missing_glyphs = page.evaluate(MISSING_GLYPHS, visit.text)
    fills = page.eval_on_selector_all("path.region", "paths => paths.map(p => p.style.fill)")
    visit.coloured = sum(fill not in ("", "none") for fill in fills)
    visit.grey = sum(fill in ("", "none") for fill in fills)


def _keep(visit: Visit, answer: Response, address: str, names: dict[str, str]) -> None:
    parts = urlsplit(answer.url)
    if parts.scheme in ("http", "https") and not answer.url.startswith(address):
        visit.foreign.append(answer.url)
    if "/chart/data" not in parts.path and "/explore_json" not in parts.path:
        return
    body = answer.text()
    visit.bodies.append(body)
    asked = json.loads(parse_qs(parts.query).get("form_data", ["{}"])[0]).get("slice_id")
    told = json.loads(body)
    rows = told["result"][0]["data"] if "result" in told else told.get("data", [])
    if asked is not None and answer.status == 200:
        visit.answers.setdefault(names[str(asked)], []).extend(rows)
