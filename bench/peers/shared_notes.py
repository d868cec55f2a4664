"""Free text -> the same with identifiers replaced: Presidio's analyzer with the standard's recognisers, no model.

As Presidio documents it: recognisers in a registry, AnalyzerEngine over it, every recogniser on every text. Names known
from PERSON (deny lists) and withholding are left out: less work than Khlang does.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from typing import Any

MANY = 50_000
"""Distinct texts from which a second process pays for its start."""

LANGUAGE = "th"


@cache
def analyzer() -> Any:
    """The engine of this process; made once, on first need."""
    from presidio_analyzer import AnalyzerEngine, LocalRecognizer, RecognizerRegistry, RecognizerResult
    from presidio_analyzer.nlp_engine import NoOpNlpEngine

    from khlang.conform.text.registry import recognisers

    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)

    class Ours(LocalRecognizer):  # type: ignore[misc]
        """One recogniser of the standard."""

        def load(self) -> None:
            """Nothing to load."""

        def analyze(
            self, text: str, entities: list[str], nlp_artifacts: Any = None
        ) -> list[RecognizerResult]:
            """What the recogniser finds."""
            finder = found[self.name]  # type: ignore[has-type]
            return [RecognizerResult(finder.kind, s.start, s.end, s.sureness) for s in finder.find(text)]

    found = recognisers()
    listed = [
        Ours(supported_entities=[finder.kind], name=name, supported_language=LANGUAGE)
        for name, finder in found.items()
    ]
    registry = RecognizerRegistry(recognizers=listed, supported_languages=[LANGUAGE])
    language = NoOpNlpEngine(models=[{"lang_code": LANGUAGE, "model_name": "no_op"}])
    return AnalyzerEngine(registry=registry, nlp_engine=language, supported_languages=[LANGUAGE])


def scrub(text: str) -> str:
    """One text without its identifiers: <CID>, <PHONE>, <NAME> ... stand in their places."""
    from khlang.conform.text.spans import Span, masked

    found = analyzer().analyze(text, language=LANGUAGE)
    return masked(text, [Span(r.start, r.end, r.entity_type, r.score) for r in found]) if found else text


class Notes:
    """Texts that were scrubbed in this run: each distinct one is analysed once."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._clean: dict[str, str] = {}
        self._alone = threading.Lock()

    def of(self, texts: Iterable[str]) -> list[str]:
        """Scrubbed texts in order; many new ones are shared among the cores."""
        wanted = list(texts)
        with self._alone:  # tables worked at side by side: what one analyses the other need not
            fresh = list(dict.fromkeys(text for text in wanted if text not in self._clean))
            self._clean.update(zip(fresh, _scrubbed(fresh), strict=True))
        return [self._clean[text] for text in wanted]


def _scrubbed(texts: Sequence[str]) -> Iterable[str]:
    cores = len(os.sched_getaffinity(0))
    if len(texts) < MANY or cores < 2:
        return map(scrub, texts)
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        return list(pool.map(scrub, texts, chunksize=2_000))
