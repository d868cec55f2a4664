"""Days -> Thai fiscal years (1 October to 30 September, named by the Buddhist year in which they end)."""

from __future__ import annotations

from datetime import date, datetime, timedelta

BUDDHIST_ERA = 543
FIRST_MONTH = 10


def fiscal_year(day: date) -> int:
    """Fiscal year of a day: 2026-09-30 -> 2569, 2026-10-01 -> 2570."""
    return day.year + BUDDHIST_ERA + (1 if day.month >= FIRST_MONTH else 0)


def first_day(year: int) -> date:
    """First day of a fiscal year: 2569 -> 2025-10-01."""
    return date(year - BUDDHIST_ERA - 1, FIRST_MONTH, 1)


def last_day(year: int) -> date:
    """Last day of a fiscal year: 2569 -> 2026-09-30."""
    return date(year - BUDDHIST_ERA, FIRST_MONTH - 1, 30)


def fiscal_year_of_month(month: str) -> int:
    """Fiscal year of a month written YYYY-MM: 2026-10 -> 2570."""
    return fiscal_year(date(int(month[:4]), int(month[5:7]), 1))


def month_told(sent_at: datetime) -> str:
    """The month, YYYY-MM, that a zip named at that time tells of: the one before, since it is over when it is sent."""
    first = date(sent_at.year, sent_at.month, 1)
    return f"{first - timedelta(days=1):%Y-%m}"


def months(year: int) -> tuple[str, ...]:
    """The twelve months of a fiscal year, October first, written YYYY-MM."""
    start = year - BUDDHIST_ERA - 1
    calendar = [(start, month) for month in range(FIRST_MONTH, 13)]
    calendar += [(start + 1, month) for month in range(1, FIRST_MONTH)]
    return tuple(f"{year}-{month:02d}" for year, month in calendar)
