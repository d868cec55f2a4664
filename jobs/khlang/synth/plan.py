"""What to invent: numbers of facilities, months and persons, the seed, the rate of planted faults."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FaultRate = Literal["none", "some", "many"]
Days = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class Plan:
    """One set of invented extracts; equal plans give byte-identical sets.

    `persons` is the mean catchment population of a facility, `start` the first day of the first month.
    """

    facilities: int = 24
    months: int = 4
    persons: int = 620
    start: date = date(2026, 7, 1)
    seed: int = 1
    faults: FaultRate = "some"

    def month_start(self, month: int) -> date:
        """First day of the month that is `month` months after the start."""
        years, index = divmod(self.start.month - 1 + month, 12)
        return date(self.start.year + years, index + 1, 1)

    @property
    def end(self) -> date:
        """Last day that the set speaks of."""
        return self.month_start(self.months) - timedelta(days=1)

    def month_of(self, days: Days) -> NDArray[np.int64]:
        """Month of delivery of rows that came to be on these days: what lies before the start comes first."""
        months = days.astype("datetime64[M]").astype(np.int64)
        first = np.datetime64(self.start, "M").astype(np.int64)
        return np.maximum(months - first, 0)

    def draws(self, *topic: object) -> np.random.Generator:
        """A generator of its own for each topic, so that one topic's draws never shift another's."""
        words = "/".join(str(word) for word in topic)
        return np.random.default_rng(np.random.SeedSequence([self.seed, zlib.crc32(words.encode())]))
