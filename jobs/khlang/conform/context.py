"""What a de-identification action may look at besides the column itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from khlang.conform.faultlog import FaultLog
from khlang.conform.pseudonym import Pseudonymiser
from khlang.conform.text.names import Names
from khlang.model.policy import Policy


@dataclass(frozen=True, slots=True)
class Context:
    """The typed frame before de-identification, keys and names by value, the fault log.

    `hospcode` is the row's facility, never null; `frame` holds the contract's columns by wire name. Rows that leave
    the lake also have the day of their leaving, their file and the purpose.
    """

    frame: pl.DataFrame
    hospcode: pl.Series
    policy: Policy
    pseudonymiser: Pseudonymiser
    names: Names
    log: FaultLog
    text_seconds: float = 2.0
    as_of: date | None = None
    file: str = ""
    purpose: str = ""
