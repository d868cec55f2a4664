"""What runs inside Spark's Python workers: pseudonyms and cleared texts of one Arrow batch at a time."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path

import pandas as pd

from bench.peers.shared_keys import open_keys, pseudonyms
from bench.peers.shared_notes import scrub

MOST_KNOWN = 200_000
"""Texts that a worker remembers when it is asked to."""

Change = Callable[[pd.Series], pd.Series]


@cache
def keys(state: str) -> dict[str, bytes]:
    """The keys, opened once per worker."""
    return open_keys(Path(state))


@lru_cache(MOST_KNOWN)
def _remembered(text: str) -> str:
    return scrub(text)


def pseudonym(domain: str, state: str) -> Change:
    """Ids -> pseudonyms, hashed once per distinct id of the batch."""

    def change(texts: pd.Series) -> pd.Series:
        """One Arrow batch of them."""
        codes, distinct = pd.factorize(texts)
        done = [*pseudonyms(keys(state)[domain], distinct), None]
        return pd.Series([done[code] for code in codes], dtype=object)

    return change


def cleared(once: bool) -> Change:
    """Texts -> scrubbed texts, row by row; with `once` a text that the worker has seen is not analysed again."""
    one = _remembered if once else scrub

    def change(texts: pd.Series) -> pd.Series:
        """One Arrow batch of them."""
        return texts.map(one, na_action="ignore")

    return change
