"""The planner's page in a headless browser: how long until it paints, until all charts stand, until a filter did."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from playwright.sync_api import Page, sync_playwright

PAGE = "/superset/dashboard/health-overview/"
CHARTS = 11
PATIENCE = 180_000
SETTLED = """charts => document.querySelectorAll('[data-test-chart-name]').length >= charts
  && !document.querySelector('.loading, [data-test=loading-indicator]')
  && document.querySelectorAll('path.region, .datamaps-subunit').length > 70"""
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync",
    "--disable-component-update", "--no-first-run", "--disable-features=Translate,OptimizationHints",
)  # fmt: skip
_PAINTED = "performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000"
_ROUNDS = 5


def browser_path() -> str:
    """The system's Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if (path := shutil.which(name))), None)
    assert found, "no browser: install the system package chromium (and fonts-noto-core for Thai letters)"
    return found


@contextmanager
def browser_page() -> Iterator[Page]:
    """A page of a fresh browser, tall enough to hold the whole dashboard."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=list(QUIET))
        yield browser.new_page(viewport={"width": 1600, "height": 1900})
        browser.close()


def sign_in(page: Page, address: str, user: str, password: str) -> None:
    """Through the sign-in page, as a person does."""
    page.goto(address + "/login/")
    page.wait_for_selector("input[name=username], #username", state="visible", timeout=PATIENCE)
    page.fill("input[name=username], #username", user)
    page.fill("input[name=password], #password", password)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url, timeout=PATIENCE)


def measure(address: str, user: str, password: str) -> dict[str, Any]:
    """Seconds to the first paint, to all charts, and from a chosen indicator to its charts; medians, and the slowest.

    The first visit, with empty caches, is told apart.
    """
    painted, stood, filtered = [], [], []
    with browser_page() as page:
        sign_in(page, address, user, password)
        for number in range(_ROUNDS + 1):
            start = time.perf_counter()
            page.goto(address + PAGE)
            page.wait_for_function(SETTLED, arg=CHARTS, timeout=PATIENCE)
            stood.append(time.perf_counter() - start)
            painted.append(float(page.evaluate(_PAINTED)))
            filtered.append(_filter(page, number + 1))
    return {
        "first_visit_s": {"paint": round(painted[0], 2), "charts": round(stood[0], 2)},
        "first_paint_s": _told(painted[1:]),
        "all_charts_s": _told(stood[1:]),
        "filter_s": _told(filtered[1:]),
    }


def _filter(page: Page, option: int) -> float:
    """Choose another indicator; seconds from Apply until every chart stands again."""
    page.locator("[data-test=form-item-value] .ant-select").first.click()
    page.locator(".ant-select-dropdown .ant-select-item-option").nth(option).click()
    apply = page.locator("[data-test=filter-bar__apply-button]")
    start = time.perf_counter()
    with page.expect_response(lambda answer: "/chart/data" in answer.url, timeout=PATIENCE):
        apply.click()
    page.wait_for_function(SETTLED, arg=CHARTS, timeout=PATIENCE)
    return time.perf_counter() - start


def _told(seconds: list[float]) -> dict[str, float]:
    return {"median": round(median(seconds), 2), "slowest": round(max(seconds), 2)}
