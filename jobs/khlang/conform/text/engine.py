"""A suspicious text -> the places of its identifiers, through Presidio, or None when it can not be told in time."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from presidio_analyzer import AnalyzerEngine, LocalRecognizer, RecognizerRegistry, RecognizerResult
from presidio_analyzer.context_aware_enhancers import ContextAwareEnhancer
from presidio_analyzer.nlp_engine import NoOpNlpEngine

from khlang.conform.text.plain import plain
from khlang.conform.text.recogniser import Recogniser, seconds_left, until, where
from khlang.conform.text.registry import recognisers
from khlang.conform.text.spans import Span
from khlang.conform.text.words import closed_run, given_names, tokens

LANGUAGE = "th"
_LOG = logging.getLogger("khlang.text")
logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)  # its warnings may name what it looks for


class Adapter(LocalRecognizer):
    """One of our recognisers as Presidio wants it.

    Presidio's own PatternRecognizer logs a timeout and goes on, which would let an identifier pass: ours raise.
    """

    def __init__(self, name: str, recogniser: Recogniser) -> None:
        """Register under the recogniser's file name: several may share a kind."""
        self.recogniser = recogniser
        super().__init__(supported_entities=[name], name=name, supported_language=LANGUAGE)

    def load(self) -> None:
        """Nothing to load: there is no model."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[RecognizerResult]:
        """What the recogniser finds."""
        found = self.recogniser.find(text)
        name = self.supported_entities[0]
        return [
            RecognizerResult(name, s.start, s.end, s.sureness, recognition_metadata={"kind": s.kind})
            for s in found
        ]


class NoContext(ContextAwareEnhancer):
    """Recognisers read the words around an identifier themselves: without a model there are no lemmas."""

    def __init__(self) -> None:
        """No scores to raise."""
        super().__init__(0.0, 0.0, 0, 0)

    def enhance_using_context(self, text: str, raw_results: Any, *args: Any, **named: Any) -> Any:
        """The results as they are."""
        return raw_results


@dataclass(frozen=True, slots=True)
class Engine:
    """Presidio's analyzer with the no-op language engine and our recognisers only."""

    analyzer: AnalyzerEngine

    def places(self, text: str, wanted: Iterable[str], seconds: float) -> list[Span] | None:
        """Places in the typed text; None when the analyzer fails or the time is over: fails closed."""
        mark = until.set(time.thread_time() + seconds)
        try:
            seen = plain(text)
            found = self.analyzer.analyze(seen.text, language=LANGUAGE, entities=list(wanted))
            seconds_left()
        except Exception as broken:  # whatever went wrong, a text that was not analysed does not pass
            _LOG.warning("a text is withheld: %s", where(broken))
            return None
        finally:
            until.reset(mark)
        return [Span(*seen.typed(r.start, r.end), r.recognition_metadata["kind"], r.score) for r in found]


@cache
def engine() -> Engine:
    """The engine of this process, built on first need (Presidio takes 2 s to import)."""
    language = NoOpNlpEngine(models=[{"lang_code": LANGUAGE, "model_name": "no_op"}])
    tokens(
        given_name := next(iter(given_names()))
    )  # the word lists load now, not within the first note's time
    closed_run(given_name)
    adapters = [Adapter(name, recogniser) for name, recogniser in recognisers().items()]
    registry = RecognizerRegistry(recognizers=adapters, supported_languages=[LANGUAGE])
    analyzer = AnalyzerEngine(
        registry=registry, nlp_engine=language, supported_languages=[LANGUAGE],
        context_aware_enhancer=NoContext(), default_score_threshold=0.0,
    )  # fmt: skip
    return Engine(analyzer)
