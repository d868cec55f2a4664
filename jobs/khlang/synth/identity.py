"""Numbers of invented persons: right in form and check digit, impossible in what they say.

Digits 2 and 3 of a citizen id are the province of the registry office; 99 is no province, so no
office ever gave out a number of ours. Phones begin with 0900, house and disability numbers with 99.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

NO_PROVINCE = 99
SPREAD = 387_420_489
"""Odd and no multiple of 5: multiplying by it modulo a power of ten visits every number once."""
Numbers = NDArray[np.int64]


def scattered(numbers: Numbers, digits: int, offset: int) -> Numbers:
    """Running numbers -> the same count of different numbers that do not look like a run."""
    return (numbers * SPREAD + offset) % 10**digits


def check_digit(twelve: Numbers) -> Numbers:
    """The thirteenth digit of citizen ids whose first twelve digits are given as one number."""
    rest, total = twelve.copy(), np.zeros(len(twelve), dtype=np.int64)
    for weight in range(2, 14):
        total += rest % 10 * weight
        rest //= 10
    return (11 - total % 11) % 10


def citizen_ids(first_digit: Numbers, persons: Numbers, seed: int) -> pl.Series:
    """Kind (first digit) and running number of a person -> 13 digits with a right check digit."""
    twelve = (first_digit * 100 + NO_PROVINCE) * 10**9 + scattered(persons, 9, seed * 7919)
    return digits(twelve * 10 + check_digit(twelve), 13)


def digits(numbers: Numbers, width: int) -> pl.Series:
    """Numbers -> text with leading zeros."""
    return pl.Series(numbers).cast(pl.String).str.zfill(width)


def phones(numbers: Numbers, seed: int) -> pl.Series:
    """Running numbers -> ten digits of a block that is in nobody's hands: 0900 and six more."""
    return "0900" + digits(scattered(numbers, 6, seed), 6)


def register_numbers(numbers: Numbers, width: int, seed: int) -> pl.Series:
    """Running numbers -> house (11) or disability (13) numbers of the province that does not exist."""
    return str(NO_PROVINCE) + digits(scattered(numbers, 9, seed), width - 2)
