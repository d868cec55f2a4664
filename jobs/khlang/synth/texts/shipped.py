"""Presidio as it is shipped, on the same notes: the figure to beat."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from functools import cache

import tldextract
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import NoOpNlpEngine
from presidio_analyzer.predefined_recognizers import (
    DateRecognizer,
    PhoneRecognizer,
    SpacyRecognizer,
    ThTninRecognizer,
)

from khlang.conform.text.spans import Span, merged

LANGUAGES = ("th", "en")


@cache
def analyzer() -> AnalyzerEngine:
    """Every predefined recogniser of Presidio for Thai and English that needs neither a model nor the network.

    In its favour: the telephone recogniser is told the region TH, the recogniser of Thai ids is switched on, and
    dates, which are to stay, are not asked for. The list of internet suffixes is the one inside the package.
    """
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=())
    language = NoOpNlpEngine(models=[{"lang_code": code, "model_name": "no_op"} for code in LANGUAGES])
    registry = RecognizerRegistry(supported_languages=list(LANGUAGES))
    registry.load_predefined_recognizers(languages=list(LANGUAGES), nlp_engine=language)
    registry.recognizers = [
        one
        for one in registry.recognizers
        if not isinstance(one, SpacyRecognizer | PhoneRecognizer | DateRecognizer)
    ]
    for code in LANGUAGES:
        registry.add_recognizer(PhoneRecognizer(supported_language=code, supported_regions=("TH", "US")))
        registry.add_recognizer(ThTninRecognizer(supported_language=code))
    return AnalyzerEngine(registry=registry, nlp_engine=language, supported_languages=list(LANGUAGES))


def names() -> list[str]:
    """The recognisers that are asked."""
    return sorted({type(one).__name__ for one in analyzer().registry.recognizers})


def found(texts: Sequence[str]) -> list[list[Span]]:
    """What it finds, in both languages, at its own threshold."""
    return [
        merged(
            Span(one.start, one.end, one.entity_type, one.score)
            for code in LANGUAGES
            for one in analyzer().analyze(text, language=code)
        )
        for text in texts
    ]


def texts_per_second(texts: Sequence[str]) -> float:
    """Texts per second of processor time, one after the other."""
    found(texts[:1])
    started = time.process_time()
    found(texts)
    return len(texts) / (time.process_time() - started)
